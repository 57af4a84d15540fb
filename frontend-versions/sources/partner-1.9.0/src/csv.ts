import { type Money, plainMoney } from '@sidings/kit';

interface Order {
  readonly id: string;
  readonly status: string | null;
  readonly placedAt: string | null;
  readonly userId: string;
  readonly items: ReadonlyArray<{
    readonly productId: string;
    readonly quantity: number;
    readonly unitPrice: Money | null;
  }>;
}

const HEAD = [
  'order',
  'status',
  'placed_at',
  'user',
  'product',
  'quantity',
  'unit_price',
  'currency',
];

/** One line for each product of each order, as RFC 4180 has it. */
export function csvOf(orders: readonly Order[]): string {
  const rows = orders.flatMap(({ id, status, placedAt, userId, items }) =>
    items.map(({ productId, quantity, unitPrice }) => [
      id,
      status ?? '',
      placedAt ?? '',
      userId,
      productId,
      String(quantity),
      unitPrice ? plainMoney(unitPrice) : '',
      unitPrice?.currencyCode ?? '',
    ]),
  );
  return [HEAD, ...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}

/** Spreadsheets run a cell that begins like a formula: a quote before it keeps it a text. */
function cell(text: string): string {
  const harmless = /^[=+\-@\t]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
