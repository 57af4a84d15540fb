import { countOf, type Fault, Partial } from '@sidings/kit';
import { useState } from 'react';
import { faultsOf } from './faults';

interface MoreProductsProps {
  readonly shown: number;
  readonly total: number;
  /** The token of the next page; empty on the last one. */
  readonly next: string;
  readonly fetchMore: (pageToken: string) => Promise<{ readonly error?: Error }>;
}

/** How far the list goes, and how to see more of it. */
export function MoreProducts({ shown, total, next, fetchMore }: MoreProductsProps) {
  const [busy, setBusy] = useState(false);
  const [faults, setFaults] = useState<readonly Fault[]>([]);

  async function more() {
    setBusy(true);
    const failed = await fetchMore(next).then(
      (answer) => answer.error,
      (error: Error) => error,
    );
    setFaults(faultsOf(failed));
    setBusy(false);
  }

  return (
    <div className="more">
      <p role="status" className="muted">
        {shown} of {countOf(total, 'product', 'products')}
      </p>
      <Partial faults={faults} />
      {next && (
        <button type="button" onClick={() => void more()} aria-disabled={busy}>
          {busy ? 'Loading more…' : 'Show more'}
        </button>
      )}
    </div>
  );
}
