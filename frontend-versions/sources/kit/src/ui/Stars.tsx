/** A rating of five stars, to be read as text too. */
export function Stars({ value }: { readonly value: number }) {
  const full = Math.round(value);
  const spoken = `${Number.isInteger(value) ? value : value.toFixed(1)} of 5 stars`;
  return (
    <span className="stars" role="img" aria-label={spoken}>
      {'★'.repeat(full)}
      <span className="off">{'★'.repeat(5 - full)}</span>
    </span>
  );
}
