import { useQuery } from '@apollo/client/react';
import { go, href, Title } from '@sidings/kit';
import { Answer, BRAND, MoreProducts, ProductTile } from '@sidings/shop';
import { Delivery, Rating } from './extras';
import { HomeDocument, MoreProductsDocument, type ProductOrder } from './operations.gen';
import { SearchForm } from './Search';

const ORDERS: ReadonlyMap<string, ProductOrder> = new Map([
  ['cheapest', 'PRICE_ASC'],
  ['dearest', 'PRICE_DESC'],
]);

/** All products, in the order that the address names; newest first when it names none. */
export function Catalogue({ order }: { readonly order: string | null }) {
  const variables = { orderBy: ORDERS.get(order ?? '') ?? null };
  const result = useQuery(HomeDocument, { variables });
  return (
    <>
      <Title brand={BRAND}>All things</Title>
      <div className="tools">
        <SearchForm />
        <label>
          Sort by
          <select
            value={order ?? ''}
            onChange={(event) => go(href([], { order: event.target.value }))}
          >
            <option value="">newest</option>
            <option value="cheapest">price, lowest first</option>
            <option value="dearest">price, highest first</option>
          </select>
        </label>
      </div>
      <Answer
        result={result}
        what="the products"
        pick={(answer) => answer.products}
        missing={<p>There are no products.</p>}
      >
        {({ products, nextPageToken, totalSize }) => (
          <>
            <h2 className="visually-hidden">Products</h2>
            <ul className="tiles">
              {products.map((product) => (
                <ProductTile key={product.id} product={product}>
                  <Rating average={product.averageRating} />
                  <Delivery time={product.deliveryTime} />
                </ProductTile>
              ))}
            </ul>
            <MoreProducts
              shown={products.length}
              total={totalSize}
              next={nextPageToken}
              fetchMore={(pageToken) =>
                result.fetchMore({
                  query: MoreProductsDocument,
                  variables: { ...variables, pageToken },
                })
              }
            />
          </>
        )}
      </Answer>
    </>
  );
}
