import { expect, test } from 'vitest';
import { createSession, FIRST_SESSION, isUser, parseSession } from './session';

test('a change is kept for the next load of this tab', () => {
  const kept = new Map<string, string>();
  const storage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
  } as unknown as Storage;
  createSession(storage).change(() => ({ user: '7', customer: 'acme' }));
  expect(createSession(storage).get()).toEqual({ user: '7', customer: 'acme' });
});

test('what makes no sense is replaced by the first session', () => {
  expect(parseSession(null)).toEqual(FIRST_SESSION);
  expect(parseSession('{broken')).toEqual(FIRST_SESSION);
  expect(parseSession('null')).toEqual(FIRST_SESSION);
  expect(parseSession('{"user":"0","customer":7}')).toEqual(FIRST_SESSION);
  expect(parseSession('{"user":"7"}')).toEqual({ user: '7', customer: '' });
});

test('users have the numbers 1 to 5000', () => {
  expect(['1', '42', '5000'].every(isUser)).toBe(true);
  expect(['', '0', '01', '5001', 'x', '1; drop', 42].some(isUser)).toBe(false);
});
