import type { ReactNode } from 'react';
import { explain, type Fault } from '../gateway/notice';

/** Something is on its way. */
export function Loading({ what }: { readonly what: string }) {
  return (
    <p className="state loading" role="status">
      Loading {what}…
    </p>
  );
}

/** There is nothing, and that is no mistake. */
export function Empty({ children }: { readonly children: ReactNode }) {
  return <div className="state">{children}</div>;
}

/** Nothing could be shown. */
export function Problem({ what, faults, retry }: ProblemProps) {
  return (
    <section className="state problem" role="alert">
      <h2>{what} could not be loaded</h2>
      <Faults faults={faults} />
      <button type="button" onClick={retry}>
        Try again
      </button>
    </section>
  );
}

interface ProblemProps {
  readonly what: string;
  readonly faults: readonly Fault[];
  readonly retry: () => void;
}

/** Something is missing from what is shown. */
export function Partial({ faults }: { readonly faults: readonly Fault[] }) {
  if (faults.length === 0) return null;
  return (
    <div role="status">
      <details className="notice partial">
        <summary>Some of this page could not be loaded</summary>
        <Faults faults={faults} />
      </details>
    </div>
  );
}

function Faults({ faults }: { readonly faults: readonly Fault[] }) {
  const texts = [...new Set(faults.map(explain))];
  return (
    <ul>
      {texts.map((text) => (
        <li key={text}>{text}</li>
      ))}
    </ul>
  );
}
