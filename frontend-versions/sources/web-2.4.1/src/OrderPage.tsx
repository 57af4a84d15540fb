import { useQuery } from '@apollo/client/react';
import { formatDate, formatMoney, href, Title } from '@sidings/kit';
import { Answer, BRAND, OrderStatus } from '@sidings/shop';
import { OrderPageDocument } from './operations.gen';

export function OrderPage({ id }: { readonly id: string }) {
  const result = useQuery(OrderPageDocument, { variables: { id } });
  return (
    <Answer
      result={result}
      what="the order"
      pick={(answer) => answer.order}
      missing={
        <>
          <Title brand={BRAND}>No such order</Title>
          <p>
            There is no order {id}. <a href={href(['orders'])}>See your orders.</a>
          </p>
        </>
      }
    >
      {({ status, placedAt, items, shipping, total, user }) => (
        <article>
          <Title brand={BRAND} aside={placedAt && `Placed on ${formatDate(placedAt)}`}>
            {`Order ${id}`}
          </Title>
          <p>
            <OrderStatus status={status} />{' '}
            {user && (
              <span className="muted">
                for {user.displayName}, {user.email}
              </span>
            )}
          </p>
          <table>
            <caption className="visually-hidden">What was ordered</caption>
            <thead>
              <tr>
                <th scope="col">Product</th>
                <th scope="col" className="number">
                  Pieces
                </th>
                <th scope="col" className="number">
                  Each
                </th>
              </tr>
            </thead>
            <tbody>
              {items.map(({ product, quantity, unitPrice }, line) => (
                <tr key={product?.id ?? `line ${line}`}>
                  <td>
                    {product ? (
                      <a href={href(['products', product.id])}>{product.title}</a>
                    ) : (
                      'A product that could not be loaded'
                    )}
                  </td>
                  <td className="number">{quantity}</td>
                  <td className="number">{unitPrice && formatMoney(unitPrice)}</td>
                </tr>
              ))}
            </tbody>
            <tfoot>
              <tr>
                <th scope="row" colSpan={2}>
                  Shipping
                </th>
                <td className="number">{shipping && formatMoney(shipping)}</td>
              </tr>
              <tr>
                <th scope="row" colSpan={2}>
                  Total
                </th>
                <td className="number">
                  <strong>{total && formatMoney(total)}</strong>
                </td>
              </tr>
            </tfoot>
          </table>
        </article>
      )}
    </Answer>
  );
}
