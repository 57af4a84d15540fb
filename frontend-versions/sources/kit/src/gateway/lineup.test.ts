import { expect, test } from 'vitest';
import { mergeLineups, parseLineup } from './lineup';

test('each entry has a service, a version and an arm', () => {
  expect(parseLineup('orders=1.5.0;candidate, users=2.0.1;stable')).toEqual([
    { service: 'orders', version: '1.5.0', arm: 'candidate' },
    { service: 'users', version: '2.0.1', arm: 'stable' },
  ]);
});

test('an entry without an arm is stable, and one with marks of later days is read all the same', () => {
  expect(parseLineup('users=2.0.1')[0]?.arm).toBe('stable');
  expect(parseLineup('users=2.0.1; cached ; candidate')[0]?.arm).toBe('candidate');
});

test('no header is no lineup, and what cannot be read is left out', () => {
  expect(parseLineup(null)).toEqual([]);
  expect(parseLineup('')).toEqual([]);
  expect(
    parseLineup('nonsense, =1.0.0, users=, orders=2.1.0').map(({ service }) => service),
  ).toEqual(['orders']);
});

test('the last answer has the last word on a service', () => {
  const before = parseLineup('users=2.0.1;stable, orders=2.1.0;stable');
  const merged = mergeLineups(before, parseLineup('orders=2.2.0;candidate, catalog=1.5.0;stable'));
  expect(merged.map(({ service, version }) => `${service} ${version}`)).toEqual([
    'catalog 1.5.0',
    'orders 2.2.0',
    'users 2.0.1',
  ]);
});
