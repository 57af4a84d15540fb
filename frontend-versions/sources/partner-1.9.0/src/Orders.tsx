import { countOf, formatDate, formatMoney, go, href, Title, Wide, wordsOf } from '@sidings/kit';
import { useMemo } from 'react';
import { BRAND } from './brand';
import { csvOf } from './csv';
import { ListEnd } from './ListEnd';
import { useList } from './list';
import { OrderExportDocument, type OrderExportQuery, type OrderStatus } from './operations.gen';

const STATUSES: readonly OrderStatus[] = ['PLACED', 'PAID', 'SHIPPED', 'DELIVERED', 'CANCELLED'];

/** Orders with one status, to look at and to take along as a file. */
export function Orders({ status }: { readonly status: string | null }) {
  const chosen = STATUSES.find((known) => known === status) ?? 'DELIVERED';
  const variables = useMemo(() => ({ statuses: [chosen] }), [chosen]);
  const list = useList(OrderExportDocument, variables, ordersOf);
  const { items } = list;
  return (
    <>
      <Title brand={BRAND} aside="The newest first">
        Orders
      </Title>
      <div className="tools">
        <label>
          Status
          <select
            value={chosen}
            onChange={(event) => go(href(['orders'], { status: event.target.value }))}
          >
            {STATUSES.map((name) => (
              <option key={name} value={name}>
                {wordsOf(name)}
              </option>
            ))}
          </select>
        </label>
        <button
          type="button"
          aria-disabled={items.length === 0}
          onClick={() => items.length > 0 && save(`orders-${wordsOf(chosen)}.csv`, csvOf(items))}
        >
          Export {countOf(items.length, 'order', 'orders')} as CSV
        </button>
      </div>
      {items.length > 0 && (
        <Wide label="Orders">
          <table>
            <caption className="visually-hidden">Orders</caption>
            <thead>
              <tr>
                <th scope="col">Order</th>
                <th scope="col">Placed</th>
                <th scope="col">User</th>
                <th scope="col">Products</th>
                <th scope="col" className="number">
                  Total
                </th>
              </tr>
            </thead>
            <tbody>
              {items.map((order) => (
                <tr key={order.id}>
                  <th scope="row">{order.id}</th>
                  <td>{order.placedAt && formatDate(order.placedAt)}</td>
                  <td>{order.userId}</td>
                  <td>
                    {order.items.map(({ productId, quantity }) => (
                      <span key={productId} className="line">
                        {quantity} × {productId}
                      </span>
                    ))}
                  </td>
                  <td className="number">{order.total && formatMoney(order.total)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Wide>
      )}
      <ListEnd list={list} what="the orders" count={countOf(items.length, 'order', 'orders')} />
    </>
  );
}

function ordersOf({ orders: page }: OrderExportQuery) {
  return page && { items: page.orders, next: page.nextPageToken };
}

function save(name: string, text: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
