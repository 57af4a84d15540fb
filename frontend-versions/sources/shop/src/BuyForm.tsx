import type { TypedDocumentNode } from '@apollo/client';
import { useMutation } from '@apollo/client/react';
import { countOf, Partial } from '@sidings/kit';
import { type FormEvent, type ReactNode, useId } from 'react';
import { faultsOf } from './faults';
import { useSession } from './start';

/** What every version's `PlaceOrder` has in common. */
type PlaceOrder = TypedDocumentNode<
  {
    placeOrder: {
      order: { id: string } | null;
      queuePosition: number;
    } | null;
  },
  { userId: string; items: Array<{ productId: string; quantity: number }> }
>;

interface BuyFormProps {
  readonly mutation: PlaceOrder;
  readonly product: {
    readonly id: string;
    readonly stock: number | null;
    readonly status: string | null;
  };
  /** Where the order can be seen once it is placed. */
  readonly link: (orderId: string) => ReactNode;
}

export function BuyForm({ mutation, product, link }: BuyFormProps) {
  const { user } = useSession();
  const quantity = useId();
  const [place, { data, error, loading }] = useMutation(mutation);
  if (product.status !== 'ACTIVE') {
    return <p className="muted">It cannot be ordered at the moment.</p>;
  }

  function order(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    // A second click while the first order is under way would order twice.
    if (loading) return;
    const pieces = Number(new FormData(event.currentTarget).get('quantity'));
    void place({
      variables: { userId: user, items: [{ productId: product.id, quantity: pieces }] },
    });
  }

  const placed = data?.placeOrder;
  return (
    <form className="buy" onSubmit={order}>
      <label htmlFor={quantity}>Quantity</label>
      <input
        id={quantity}
        name="quantity"
        type="number"
        min={1}
        max={Math.min(99, product.stock ?? 99)}
        defaultValue={1}
        required
      />
      <button type="submit" className="primary" aria-disabled={loading}>
        {loading ? 'Placing the order…' : 'Order now'}
      </button>
      <div role="status">
        {placed?.order && (
          <p className="done">
            Order {placed.order.id} is placed, with {ahead(placed.queuePosition)} before it.{' '}
            {link(placed.order.id)}
          </p>
        )}
      </div>
      <Partial faults={faultsOf(error)} />
    </form>
  );
}

function ahead(count: number): string {
  return count === 0 ? 'none' : countOf(count, 'order', 'orders');
}
