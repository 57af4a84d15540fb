import { expect, test } from 'vitest';
import { explain, readNotice, unanswered } from './notice';

test('an ordinary answer says nothing about the page', () => {
  expect(readNotice({})).toEqual({ kind: 'none' });
  expect(readNotice({ extensions: { frontend: { status: 'current' } } })).toEqual({ kind: 'none' });
  expect(readNotice({ extensions: 'odd', errors: [{ message: 'no' }] })).toEqual({ kind: 'none' });
});

test('a page that should be updated learns to what', () => {
  const frontend = { status: 'update_required', target: 'web@2.5.0' };
  expect(readNotice({ extensions: { frontend } })).toEqual({ kind: 'update', target: 'web@2.5.0' });
  expect(readNotice({ extensions: { frontend: { status: 'update_required' } } })).toEqual({
    kind: 'update',
    target: undefined,
  });
});

test('a retired page is told so by an error, which outweighs the rest', () => {
  const errors = [{ message: 'gone', extensions: { code: 'FRONTEND_RETIRED' } }];
  const extensions = { frontend: { status: 'update_required' } };
  expect(readNotice({ errors, extensions })).toEqual({ kind: 'retired' });
});

test('a fault is told with its place and with the version that made it', () => {
  const extensions = { code: 'UNAVAILABLE', service: 'reviews', serviceVersion: '1.2.1' };
  const path = ['product', 'reviews', 0, 'author'];
  expect(explain({ message: 'try later', path, extensions })).toBe(
    'product.reviews.author: try later (reviews 1.2.1)',
  );
  expect(explain({ message: 'not here' })).toBe('not here');
});

test('a server that cannot be reached is named in our own words', () => {
  expect(unanswered(new TypeError('Failed to fetch')).message).toBe(
    'The server could not be reached.',
  );
  expect(unanswered(new Error('status code 503')).message).toBe('status code 503');
});
