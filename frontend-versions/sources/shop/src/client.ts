import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import type { Gateway } from '@sidings/kit';
import { tap } from 'rxjs';

declare module '@apollo/client' {
  namespace ApolloClient {
    namespace DeclareDefaultOptions {
      interface WatchQuery {
        errorPolicy: 'all';
      }
      interface Query {
        errorPolicy: 'all';
      }
      interface Mutate {
        errorPolicy: 'all';
      }
    }
  }
}

interface Page {
  readonly products?: readonly unknown[];
}

/** Apollo Client, wired to the gateway: two links, and one rule for lists that grow page by page. */
export function createClient(gateway: Gateway): ApolloClient {
  const listen = new ApolloLink((operation, forward) =>
    forward(operation).pipe(tap((answer) => gateway.hear(answer))),
  );
  const http = new HttpLink({ uri: '/graphql', fetch: gateway.fetch });

  return new ApolloClient({
    link: ApolloLink.from([listen, http]),
    cache: new InMemoryCache({
      typePolicies: {
        Query: {
          fields: {
            products: {
              keyArgs: ['categoryId', 'orderBy'],
              merge: (before: Page | undefined, next: Page, { args }) =>
                args?.pageToken ? append(before, next) : next,
            },
          },
        },
      },
    }),
    // A part that failed is no reason to hide the rest.
    defaultOptions: {
      watchQuery: { errorPolicy: 'all' },
      query: { errorPolicy: 'all' },
      mutate: { errorPolicy: 'all' },
    },
    devtools: { enabled: import.meta.env.DEV },
  });
}

function append(before: Page | undefined, next: Page): Page {
  return { ...next, products: [...(before?.products ?? []), ...(next?.products ?? [])] };
}
