import type { ReactNode } from 'react';

/** What may be wider than a small screen: it scrolls by itself, with the keyboard too. */
export function Wide({
  label,
  children,
}: {
  readonly label: string;
  readonly children: ReactNode;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without a focus no key can scroll it.
    <section className="wide" aria-label={label} tabIndex={0}>
      {children}
    </section>
  );
}
