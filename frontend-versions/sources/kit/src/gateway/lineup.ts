/** The version of one service that answered. */
export interface Served {
  readonly service: string;
  readonly version: string;
  /** A candidate is on trial: it answers a part of the calls until it is proven. */
  readonly arm: 'stable' | 'candidate';
}

/**
 * Reads a `turnout-lineup` header: `orders=1.5.0;candidate, users=2.0.1;stable`.
 * What cannot be read is left out: the footer is no reason to break a page.
 */
export function parseLineup(header: string | null): Served[] {
  return (header ?? '').split(',').flatMap((entry) => {
    const [name = '', ...marks] = entry.split(';').map((part) => part.trim());
    const [service, version] = name.split('=').map((part) => part.trim());
    if (!service || !version) return [];
    return [{ service, version, arm: marks.includes('candidate') ? 'candidate' : 'stable' }];
  });
}

/** The newest word on each service, in the order of their names. */
export function mergeLineups(before: readonly Served[], answer: readonly Served[]): Served[] {
  const latest = new Map([...before, ...answer].map((served) => [served.service, served]));
  return [...latest.values()].sort((a, b) => a.service.localeCompare(b.service));
}
