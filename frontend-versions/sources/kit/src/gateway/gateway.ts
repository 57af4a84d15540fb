import type { Session } from '../state/session';
import { createStore, type Store } from '../state/store';
import { assignedPath, type Frontend, frontendId, parseFrontendId, readToken } from './frontend';
import { mergeLineups, parseLineup, type Served } from './lineup';
import { type Fault, type Notice, readNotice } from './notice';

/** What the gateway said with its answers so far. */
export interface Heard {
  /** The frontend that the gateway took this page for; undefined until it says so. */
  readonly frontend: string | undefined;
  readonly lineup: readonly Served[];
  readonly notice: Notice;
}

/** The page's side of the conversation with Turnout: who it says it is, and what it hears back. */
export interface Gateway {
  readonly frontend: Frontend;
  readonly heard: Store<Heard>;
  /** `fetch` for the GraphQL client: sends who is asking, and listens for who answered. */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
  /** Tells of an answer's body, which the GraphQL client has read anyway. */
  hear(answer: { extensions?: unknown; errors?: readonly Fault[] | undefined }): void;
  /** The version that the rules give the session's customer; undefined where nobody knows. */
  assigned(session: Session): Promise<Frontend | undefined>;
}

const NOTHING: Heard = { frontend: undefined, lineup: [], notice: { kind: 'none' } };

export function createGateway(
  frontend: Frontend,
  session: Store<Session>,
  page: Document,
): Gateway {
  const token = readToken(page);
  const heard = createStore(NOTHING);

  return {
    frontend,
    heard,

    async fetch(input, init) {
      const headers = new Headers(init?.headers);
      for (const [name, value] of Object.entries(identity(frontend, token, session.get()))) {
        headers.set(name, value);
      }
      const response = await fetch(input, { ...init, headers });
      const lineup = parseLineup(response.headers.get('turnout-lineup'));
      const said = response.headers.get('turnout-frontend') ?? undefined;
      heard.change((now) => ({
        ...now,
        frontend: said ?? now.frontend,
        lineup: mergeLineups(now.lineup, lineup),
      }));
      return response;
    },

    hear(answer) {
      const notice = readNotice(answer);
      // An answer without a notice takes none back: other services may still know this version.
      if (notice.kind !== 'none') heard.change((now) => ({ ...now, notice }));
    },

    async assigned(asking) {
      try {
        const headers = identity(frontend, undefined, asking);
        const response = await fetch(`${assignedPath(frontend.app)}assignment`, { headers });
        return response.ok ? readAssignment(frontend.app, await response.json()) : undefined;
      } catch {
        // Offline, or a server without assignments: the page simply stays what it is.
        return undefined;
      }
    },
  };
}

/** The headers that say who is asking. */
export function identity(
  frontend: Frontend,
  token: string | undefined,
  { user, customer }: Session,
): Record<string, string> {
  return {
    'x-frontend-version': frontendId(frontend),
    ...(token && { 'x-frontend-token': token }),
    ...(user && { 'x-turnout-unit': `user:${user}` }),
    ...(customer && { 'x-turnout-customer': customer }),
  };
}

/** Reads an assignment: `{"app": "web", "version": "2.5.0", …}`. */
export function readAssignment(app: string, body: unknown): Frontend | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const { version } = body as Record<string, unknown>;
  return typeof version === 'string' ? parseFrontendId(`${app}@${version}`) : undefined;
}
