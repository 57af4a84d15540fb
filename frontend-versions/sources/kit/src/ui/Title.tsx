import type { ReactNode } from 'react';

/** The heading of a page, and the title of its tab. */
export function Title({ brand, children, aside }: TitleProps) {
  return (
    <div className="title">
      <title>{`${children} · ${brand}`}</title>
      <h1>{children}</h1>
      {aside && <p className="muted">{aside}</p>}
    </div>
  );
}

interface TitleProps {
  readonly brand: string;
  readonly children: string;
  readonly aside?: ReactNode;
}
