import { Loading, Partial, Problem } from '@sidings/kit';
import type { List } from './list';

interface ListEndProps {
  readonly list: List<unknown>;
  /** What is listed: "the stock". */
  readonly what: string;
  readonly count: string;
}

/** Below a list: how long it is, what went wrong, and how to see more of it. */
export function ListEnd({ list, what, count }: ListEndProps) {
  const { items, state, faults, next, more } = list;
  if (items.length === 0 && state === 'loading') return <Loading what={what} />;
  if (items.length === 0 && state === 'failed') {
    return (
      <Problem what={what.charAt(0).toUpperCase() + what.slice(1)} faults={faults} retry={more} />
    );
  }
  return (
    <div className="more">
      <p role="status" className="muted">
        {count}
      </p>
      <Partial faults={faults} />
      {next && (
        <button type="button" onClick={more} aria-disabled={state === 'loading'}>
          {state === 'loading' ? 'Loading more…' : 'Show more'}
        </button>
      )}
    </div>
  );
}
