import { afterEach, expect, test, vi } from 'vitest';
import { createSession, type Session } from '../state/session';
import { createGateway, readAssignment } from './gateway';

const WEB = { app: 'web', version: '2.4.1' };

function storage(kept: Session): Storage {
  return { getItem: () => JSON.stringify(kept), setItem: () => {} } as unknown as Storage;
}

function page(token: string): Document {
  return { querySelector: () => ({ content: token }) } as unknown as Document;
}

/** A gateway that answers everything like this, and what it was asked. */
function answering(headers: Record<string, string>, body: unknown = {}) {
  const asked = vi.fn(async (_input: unknown, _init?: RequestInit) =>
    Response.json(body, { headers }),
  );
  vi.stubGlobal('fetch', asked);
  return () => Object.fromEntries(new Headers(asked.mock.lastCall?.[1]?.headers));
}

afterEach(() => {
  vi.unstubAllGlobals();
});

test('every request says which page asks, for whom, and keeps its own headers', async () => {
  const sent = answering({});
  const session = createSession(storage({ user: '7', customer: 'acme' }));
  const gateway = createGateway(WEB, session, page('signed'));
  await gateway.fetch('/graphql', { headers: { 'content-type': 'application/json' } });
  expect(sent()).toEqual({
    'content-type': 'application/json',
    'x-frontend-version': 'web@2.4.1',
    'x-frontend-token': 'signed',
    'x-turnout-unit': 'user:7',
    'x-turnout-customer': 'acme',
  });
});

test('what is not known is not sent', async () => {
  const sent = answering({});
  const session = createSession(storage({ user: '7', customer: '' }));
  await createGateway(WEB, session, page('')).fetch('/graphql');
  expect(Object.keys(sent())).toEqual(['x-frontend-version', 'x-turnout-unit']);
});

test('what answers say of their versions is remembered', async () => {
  answering({ 'turnout-lineup': 'orders=2.2.0;candidate', 'turnout-frontend': 'web@2.4.1' });
  const session = createSession(storage({ user: '7', customer: '' }));
  const gateway = createGateway(WEB, session, page(''));
  await gateway.fetch('/graphql');
  expect(gateway.heard.get()).toEqual({
    frontend: 'web@2.4.1',
    lineup: [{ service: 'orders', version: '2.2.0', arm: 'candidate' }],
    notice: { kind: 'none' },
  });
});

test('a notice stays when later answers bring none', () => {
  const session = createSession(storage({ user: '7', customer: '' }));
  const gateway = createGateway(WEB, session, page(''));
  gateway.hear({ extensions: { frontend: { status: 'update_required', target: 'web@2.5.0' } } });
  gateway.hear({});
  expect(gateway.heard.get().notice).toEqual({ kind: 'update', target: 'web@2.5.0' });
});

test('an assignment is asked without the token of this page', async () => {
  const sent = answering({}, { app: 'web', version: '2.5.0' });
  const session = createSession(storage({ user: '7', customer: '' }));
  const gateway = createGateway(WEB, session, page('signed'));
  expect(await gateway.assigned({ user: '7', customer: 'acme' })).toEqual({
    app: 'web',
    version: '2.5.0',
  });
  expect(sent()).not.toHaveProperty('x-frontend-token');
});

test('an assignment names a version, and nothing else is one', () => {
  const expected = { app: 'web', version: '2.5.0' };
  expect(readAssignment('web', { app: 'web', version: '2.5.0', rule: 1 })).toEqual(expected);
  for (const body of [null, 'web@2.5.0', {}, { version: 3 }, { version: 'new' }]) {
    expect(readAssignment('web', body)).toBeUndefined();
  }
});
