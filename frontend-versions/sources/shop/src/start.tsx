import { ApolloProvider } from '@apollo/client/react';
import {
  createGateway,
  createSession,
  Frame,
  frontendAt,
  type Gateway,
  type Place,
  type Session,
  type Store,
  useStore,
} from '@sidings/kit';
import { type ComponentType, createContext, StrictMode, useContext, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { createClient } from './client';

export const BRAND = 'Sidings';

interface Shop {
  /** Where this version is served: Vite knows it as `import.meta.env.BASE_URL`. */
  readonly base: string;
  readonly places: readonly Place[];
  /** Shows the page of the current route. */
  readonly Pages: ComponentType;
}

const SessionContext = createContext<Session | undefined>(undefined);

/** Who is shopping. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('useSession is called outside of the shop');
  return session;
}

/** Starts one version of the shop in the page that was loaded. */
export function startShop({ base, places, Pages }: Shop): void {
  const root = document.getElementById('root');
  if (!root) throw new Error('index.html has no #root');
  const session = createSession(window.sessionStorage);
  const gateway = createGateway(frontendAt(base), session, document);
  createRoot(root).render(
    <StrictMode>
      <Frame brand={BRAND} places={places} gateway={gateway} session={session}>
        <ForSession gateway={gateway} session={session} Pages={Pages} />
      </Frame>
    </StrictMode>,
  );
}

interface ForSessionProps {
  readonly gateway: Gateway;
  readonly session: Store<Session>;
  readonly Pages: ComponentType;
}

/** Somebody else starts with an empty cache: what one person may see is not the next one's business. */
function ForSession({ gateway, session, Pages }: ForSessionProps) {
  const now = useStore(session);
  return (
    <SessionContext value={now}>
      <WithClient key={`${now.user} ${now.customer}`} gateway={gateway}>
        <Pages />
      </WithClient>
    </SessionContext>
  );
}

function WithClient({ gateway, children }: { gateway: Gateway; children: React.ReactNode }) {
  const [client] = useState(() => createClient(gateway));
  return <ApolloProvider client={client}>{children}</ApolloProvider>;
}
