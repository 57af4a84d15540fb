import { expect, test } from 'vitest';
import { countOf, daysOf, formatMoney, plainMoney, wordsOf } from './format';

test('money is whole units and billionths', () => {
  const price = { currencyCode: 'EUR', units: '1201', nanos: 600_000_000 };
  expect(formatMoney(price)).toBe('€1,201.60');
  expect(plainMoney(price)).toBe('1201.60');
});

test('a delivery of a day and a half takes two days', () => {
  expect(daysOf('432000s')).toBe(5);
  expect(daysOf('129600.5s')).toBe(2);
  expect(daysOf('soon')).toBeUndefined();
});

test('one is not many', () => {
  expect(countOf(1, 'piece', 'pieces')).toBe('1 piece');
  expect(countOf(0, 'piece', 'pieces')).toBe('0 pieces');
  expect(countOf(10_000, 'product', 'products')).toBe('10,000 products');
});

test('names of enums become words', () => {
  expect(wordsOf('SOLD_OUT')).toBe('sold out');
});
