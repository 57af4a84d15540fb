import { countOf, formatDate, formatMoney, href, type Money, Picture, wordsOf } from '@sidings/kit';
import type { ReactNode } from 'react';

interface OrderCardProps {
  readonly order: {
    readonly id: string;
    readonly status: string | null;
    readonly placedAt: string | null;
    readonly total: Money | null;
    readonly items: ReadonlyArray<{
      readonly quantity: number;
      readonly product: {
        readonly id: string;
        readonly title: string;
        readonly categoryId: string;
        readonly imageUrl: string | null;
      } | null;
    }>;
  };
  readonly heading: ReactNode;
}

/** An order in a list of orders. */
export function OrderCard({ order, heading }: OrderCardProps) {
  const { id, status, placedAt, total, items } = order;
  return (
    <li className="card" data-order={id}>
      <div className="card-head">
        <h3>{heading}</h3>
        <OrderStatus status={status} />
        <span className="muted">{placedAt && formatDate(placedAt)}</span>
        <strong className="push">{total && formatMoney(total)}</strong>
      </div>
      <ul className="lines">
        {items.map(({ quantity, product }, line) => (
          <li key={product?.id ?? `line ${line}`}>
            {product && <Picture {...product} />}
            <span>
              {product ? (
                <a href={href(['products', product.id])}>{product.title}</a>
              ) : (
                'A product that could not be loaded'
              )}
            </span>
            <span className="muted">{countOf(quantity, 'piece', 'pieces')}</span>
          </li>
        ))}
      </ul>
    </li>
  );
}

export function OrderStatus({ status }: { readonly status: string | null }) {
  return status && <span className={`tag ${status.toLowerCase()}`}>{wordsOf(status)}</span>;
}
