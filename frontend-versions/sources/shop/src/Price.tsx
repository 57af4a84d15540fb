import { formatMoney, type Money } from '@sidings/kit';

interface PriceProps {
  readonly price: Money | null;
  /** What it cost before, when it is on sale. */
  readonly before?: Money | null;
}

export function Price({ price, before }: PriceProps) {
  if (!price) return <span className="muted">No price yet</span>;
  return (
    <span className="price">
      <strong>{formatMoney(price)}</strong>
      {before && (
        <>
          <span className="visually-hidden">, before </span>
          <s>{formatMoney(before)}</s>
        </>
      )}
    </span>
  );
}
