import { expect, test } from 'vitest';
import { csvOf } from './csv';

const unitPrice = { currencyCode: 'EUR', units: '41', nanos: 450_000_000 };
const order = { id: '7', status: 'PAID', placedAt: '2026-05-20T03:40:00Z', userId: '42' };

test('each product of an order has a line', () => {
  const items = [
    { productId: 'P00001', quantity: 2, unitPrice },
    { productId: 'P00002', quantity: 1, unitPrice: null },
  ];
  expect(csvOf([{ ...order, items }]).split('\r\n')).toEqual([
    'order,status,placed_at,user,product,quantity,unit_price,currency',
    '7,PAID,2026-05-20T03:40:00Z,42,P00001,2,41.45,EUR',
    '7,PAID,2026-05-20T03:40:00Z,42,P00002,1,,',
    '',
  ]);
});

test('texts cannot leave their cell, nor run in it', () => {
  const items = [{ productId: 'a"b,c', quantity: 1, unitPrice }];
  const text = csvOf([{ ...order, userId: '=HYPERLINK("x")', items }]);
  expect(text).toContain(`"'=HYPERLINK(""x"")","a""b,c"`);
});
