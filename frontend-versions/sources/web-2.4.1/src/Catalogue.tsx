import { useQuery } from '@apollo/client/react';
import { countOf, href, Title } from '@sidings/kit';
import { Answer, BRAND, MoreProducts, ProductTile } from '@sidings/shop';
import { HomeDocument, type HomeQuery, MoreProductsDocument } from './operations.gen';

/** All products, or those of one shelf. */
export function Catalogue({ shelf }: { readonly shelf: string | undefined }) {
  const variables = { categoryId: shelf ?? null };
  const result = useQuery(HomeDocument, { variables });
  const { data, previousData } = result;
  // While another shelf is on its way, the shelves stay where they are.
  const shelves = (data ?? previousData)?.categories ?? [];
  const chosen = shelves.find(({ id }) => id === shelf);

  return (
    <>
      <Title brand={BRAND}>{chosen?.name ?? 'All things'}</Title>
      <Shelves shelves={shelves} chosen={chosen} />
      <Answer
        result={result}
        what="the products"
        pick={(answer) => answer.products}
        missing={<p>There is no such shelf.</p>}
      >
        {({ products, nextPageToken, totalSize }) => (
          <>
            {products.length === 0 && <p className="state">This shelf is empty.</p>}
            <h2 className="visually-hidden">Products</h2>
            <ul className="tiles">
              {products.map((product) => (
                <ProductTile key={product.id} product={product} />
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

type Shelf = NonNullable<HomeQuery['categories']>[number];

interface ShelvesProps {
  readonly shelves: readonly Shelf[];
  readonly chosen: Shelf | undefined;
}

/** The shelves at the top, and below them those of the one that is chosen. */
function Shelves({ shelves, chosen }: ShelvesProps) {
  const top = chosen?.parent?.id ?? chosen?.id;
  const rows = [
    shelves.filter(({ parent }) => !parent),
    shelves.filter(({ parent }) => parent && parent.id === top),
  ];
  return (
    <nav aria-label="Shelves" className="shelves">
      {rows
        .filter((row) => row.length > 0)
        .map((row, depth) => (
          <ul key={depth === 0 ? 'top' : top}>
            {depth === 0 && (
              <li>
                <a href={href([])} aria-current={chosen ? undefined : 'page'}>
                  All
                </a>
              </li>
            )}
            {row.map(({ id, name, productCount }) => (
              <li key={id}>
                <a
                  href={href([], { shelf: id })}
                  aria-current={
                    id === chosen?.id || (depth === 0 && id === top) ? 'page' : undefined
                  }
                  aria-label={`${name}, ${countOf(productCount, 'product', 'products')}`}
                >
                  {name}
                </a>
              </li>
            ))}
          </ul>
        ))}
    </nav>
  );
}
