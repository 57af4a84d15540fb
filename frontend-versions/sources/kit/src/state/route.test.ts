import { expect, test } from 'vitest';
import { href, parseRoute } from './route';

test('a link leads to the place it was made of', () => {
  const route = parseRoute(href(['products', 'a/b c'], { shelf: '13', find: 'oak & ash' }));
  expect(route.segments).toEqual(['products', 'a/b c']);
  expect([...route.query]).toEqual([
    ['shelf', '13'],
    ['find', 'oak & ash'],
  ]);
});

test('empty values stay out of a link', () => {
  expect(href([], { order: '', shelf: undefined })).toBe('#/');
});

test('no fragment, and one that no link has, are places too', () => {
  expect(parseRoute('').segments).toEqual([]);
  expect(parseRoute('#/products/%E0%A4%A').segments).toEqual(['products', '%E0%A4%A']);
});
