import { type Fault, unanswered } from '@sidings/kit';
import { useCallback, useEffect, useState } from 'react';
import { type AnyVariables, type CombinedError, type TypedDocumentNode, useClient } from 'urql';

/** A page of a list, and the token of the next one: empty on the last. */
interface Page<Item> {
  readonly items: readonly Item[];
  readonly next: string;
  readonly total?: number;
}

interface Pages<Item> extends Page<Item> {
  readonly state: 'loading' | 'ready' | 'failed';
  readonly faults: readonly Fault[];
}

export interface List<Item> extends Pages<Item> {
  /** Loads the next page, or the first one again when there is none. */
  readonly more: () => void;
}

const START = { items: [], next: '', state: 'loading', faults: [] } as const;

/** A list that grows page by page. Other values of `variables` begin it anew: they must be stable. */
export function useList<Data, Variables extends AnyVariables, Item>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Omit<Variables, 'pageToken'>,
  pick: (data: Data) => Page<Item> | null,
): List<Item> {
  const client = useClient();
  const [pages, setPages] = useState<Pages<Item>>(START);

  const load = useCallback(
    async (before: Pages<Item>) => {
      const asked = { ...variables, pageToken: before.next || null } as unknown as Variables;
      const { data, error } = await client.query(document, asked).toPromise();
      const page = data ? pick(data) : null;
      const faults = faultsOf(error);
      return page
        ? { ...page, items: [...before.items, ...page.items], state: 'ready' as const, faults }
        : { ...before, state: 'failed' as const, faults };
    },
    [client, document, variables, pick],
  );

  useEffect(() => {
    let current = true;
    setPages(START);
    void load(START).then((loaded) => current && setPages(loaded));
    return () => {
      current = false;
    };
  }, [load]);

  const more = () => {
    if (pages.state === 'loading') return;
    setPages({ ...pages, state: 'loading' });
    // Who changed the filter meanwhile sees that list, not this page.
    void load(pages).then((loaded) =>
      setPages((now) => (now.items === pages.items ? loaded : now)),
    );
  };
  return { ...pages, more };
}

function faultsOf(error: CombinedError | undefined): readonly Fault[] {
  if (!error) return [];
  if (error.networkError) return [unanswered(error.networkError)];
  return error.graphQLErrors;
}
