import { countOf, daysOf, Stars } from '@sidings/kit';

/** How long the way to the customer is; downloads have none. */
export function Delivery({ time }: { readonly time: string | null }) {
  const days = time === null ? undefined : daysOf(time);
  return (
    <span className="muted delivery">
      {days === undefined
        ? 'At once, as a download'
        : `At your door in ${countOf(days, 'day', 'days')}`}
    </span>
  );
}

export function Rating({ average }: { readonly average: number | null }) {
  return average === null ? (
    <span className="muted">No reviews yet</span>
  ) : (
    <Stars value={average} />
  );
}
