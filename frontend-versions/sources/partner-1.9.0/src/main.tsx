import '@sidings/kit/styles.css';
import { createGateway, createSession, Frame, frontendAt, useRoute, useStore } from '@sidings/kit';
import { StrictMode, useMemo } from 'react';
import { createRoot } from 'react-dom/client';
import { Client, fetchExchange, mapExchange, Provider } from 'urql';
import { BRAND } from './brand';
import { Orders } from './Orders';
import { Stock } from './Stock';

const session = createSession(window.sessionStorage);
const gateway = createGateway(frontendAt(import.meta.env.BASE_URL), session, document);

function createClient(): Client {
  return new Client({
    url: '/graphql',
    fetch: gateway.fetch,
    preferGetMethod: false,
    // No cache: stock and orders are lists that partners load again to see what is new.
    requestPolicy: 'network-only',
    exchanges: [
      mapExchange({
        onResult: ({ extensions, error }) =>
          gateway.hear({ extensions, errors: error?.graphQLErrors }),
      }),
      fetchExchange,
    ],
  });
}

function App() {
  const { user, customer } = useStore(session);
  // Somebody else starts anew.
  const key = `${user} ${customer}`;
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key says when.
  const client = useMemo(createClient, [key]);
  return (
    <Frame
      brand={BRAND}
      places={[
        { label: 'Stock', segments: [] },
        { label: 'Orders', segments: ['orders'] },
      ]}
      gateway={gateway}
      session={session}
    >
      <Provider key={key} value={client}>
        <Pages />
      </Provider>
    </Frame>
  );
}

function Pages() {
  const { segments, query } = useRoute();
  return segments[0] === 'orders' ? <Orders status={query.get('status')} /> : <Stock />;
}

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root');
createRoot(root).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
