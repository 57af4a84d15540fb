import { useMemo, useSyncExternalStore } from 'react';

/** A place in the app. It lies in the fragment, so that any static server can serve every place. */
export interface Route {
  /** `#/products/P00042` has the segments "products" and "P00042". */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
}

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2);
  return {
    segments: path.split('/').filter(Boolean).map(decode),
    query: new URLSearchParams(query),
  };
}

/** The link to a place. Values that are empty stay out of it. */
export function href(
  segments: readonly string[],
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const kept = Object.entries(query).flatMap(([name, value]) => (value ? [[name, value]] : []));
  const search = new URLSearchParams(kept).toString();
  return `#/${segments.map(encodeURIComponent).join('/')}${search && `?${search}`}`;
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(onHashChange, () => window.location.hash);
  return useMemo(() => parseRoute(hash), [hash]);
}

/** Goes to a place as if a link had been followed. */
export function go(to: string): void {
  window.location.hash = to;
}

function onHashChange(listener: () => void): () => void {
  window.addEventListener('hashchange', listener);
  return () => window.removeEventListener('hashchange', listener);
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
