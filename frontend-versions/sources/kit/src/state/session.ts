import { createStore, type Store } from './store';

/** Who uses this tab. A real shop learns it at sign-in; here it is picked. */
export interface Session {
  /** A user's number, such as "42". */
  readonly user: string;
  /** The company the user buys for, such as "acme"; empty for nobody's. */
  readonly customer: string;
}

export const FIRST_SESSION: Session = { user: '42', customer: '' };

const KEY = 'sidings.session';

/** The session of this tab: `sessionStorage` is not shared with other tabs. */
export function createSession(storage: Storage): Store<Session> {
  const store = createStore(parseSession(storage.getItem(KEY)));
  store.subscribe(() => storage.setItem(KEY, JSON.stringify(store.get())));
  return store;
}

/** What was kept, as far as it makes sense. */
export function parseSession(kept: string | null): Session {
  try {
    const { user, customer } = JSON.parse(kept ?? '{}');
    return {
      user: isUser(user) ? user : FIRST_SESSION.user,
      customer: typeof customer === 'string' ? customer : FIRST_SESSION.customer,
    };
  } catch {
    return FIRST_SESSION;
  }
}

/** The demo's people have the numbers 1 to 5000. */
export function isUser(value: unknown): value is string {
  return typeof value === 'string' && /^[1-9]\d{0,3}$/.test(value) && Number(value) <= 5000;
}
