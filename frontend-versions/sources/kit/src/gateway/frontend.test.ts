import { expect, test } from 'vitest';
import { frontendAt, parseFrontendId, readToken } from './frontend';

/** A page whose head has this token, or no place for one. */
function pageWith(content: string | undefined): Document {
  const meta = content === undefined ? null : { content };
  const asked = 'meta[name="turnout-frontend-token"]';
  const querySelector = (selector: string) => (selector === asked ? meta : null);
  return { querySelector } as unknown as Document;
}

test('the token is what the gateway wrote into the page', () => {
  expect(readToken(pageWith(' abc.def '))).toBe('abc.def');
});

test('a page that no gateway served has no token', () => {
  expect(readToken(pageWith(''))).toBeUndefined();
  expect(readToken(pageWith(undefined))).toBeUndefined();
});

test('a frontend is an app and a version', () => {
  expect(parseFrontendId('web@2.5.0')).toEqual({ app: 'web', version: '2.5.0' });
  expect(parseFrontendId('web@2.5.0-rc.1')).toEqual({ app: 'web', version: '2.5.0-rc.1' });
  for (const text of ['', 'web', '@2.5.0', 'web@', 'web@new']) {
    expect(parseFrontendId(text), text).toBeUndefined();
  }
});

test('the path of a page names its frontend', () => {
  expect(frontendAt('/apps/partner@1.9.0/')).toEqual({ app: 'partner', version: '1.9.0' });
  expect(() => frontendAt('/')).toThrow('names no version');
});
