import { countOf, formatMoney, Title, Wide, wordsOf } from '@sidings/kit';
import { BRAND } from './brand';
import { ListEnd } from './ListEnd';
import { useList } from './list';
import { StockListDocument, type StockListQuery } from './operations.gen';

const EVERYTHING = {};

/** What can be had, the cheapest first. */
export function Stock() {
  const list = useList(StockListDocument, EVERYTHING, stockOf);
  const { items, total = 0 } = list;
  return (
    <>
      <Title brand={BRAND} aside="The cheapest first">
        Stock
      </Title>
      {items.length > 0 && (
        <Wide label="Stock">
          <table>
            <caption className="visually-hidden">Products and their stock</caption>
            <thead>
              <tr>
                <th scope="col">Product</th>
                <th scope="col" className="number">
                  In stock
                </th>
                <th scope="col" className="number">
                  Price
                </th>
                <th scope="col">Status</th>
              </tr>
            </thead>
            <tbody>
              {items.map(({ id, title, status, price, stock }) => (
                <tr key={id}>
                  <th scope="row">
                    {title} <span className="muted line">{id}</span>
                  </th>
                  <td className="number">
                    {stock ?? (
                      <>
                        <span aria-hidden="true">–</span>
                        <span className="visually-hidden">not counted</span>
                      </>
                    )}
                  </td>
                  <td className="number">{price && formatMoney(price)}</td>
                  <td>{status && <span className="tag">{wordsOf(status)}</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Wide>
      )}
      <ListEnd
        list={list}
        what="the stock"
        count={`${items.length} of ${countOf(total, 'product', 'products')}`}
      />
    </>
  );
}

function stockOf({ products: page }: StockListQuery) {
  return page && { items: page.products, next: page.nextPageToken, total: page.totalSize };
}
