import { useQuery } from '@apollo/client/react';
import { href, Picture, Title } from '@sidings/kit';
import { Answer, BRAND, BuyForm, Price, ReviewList } from '@sidings/shop';
import { PlaceOrderDocument, ProductPageDocument, type ProductPageQuery } from './operations.gen';

type Product = NonNullable<ProductPageQuery['product']>;

export function ProductPage({ id }: { readonly id: string }) {
  const result = useQuery(ProductPageDocument, { variables: { id } });
  return (
    <Answer
      result={result}
      what="the product"
      pick={(answer) => answer.product}
      missing={
        <>
          <Title brand={BRAND}>No such product</Title>
          <p>
            There is no product {id}. <a href={href([])}>See what there is.</a>
          </p>
        </>
      }
    >
      {(product) => (
        <article>
          <Shelf category={product.category} />
          <div className="product">
            <Picture {...product} />
            <div>
              <Title brand={BRAND}>{product.title}</Title>
              <p>
                <Price price={product.price} />
              </p>
              <p>{product.description}</p>
              <BuyForm
                mutation={PlaceOrderDocument}
                product={product}
                link={(order) => <a href={href(['orders', order])}>See the order</a>}
              />
              <Facts product={product} />
            </div>
          </div>
          <ReviewList reviews={product.reviews} average={product.averageRating} />
        </article>
      )}
    </Answer>
  );
}

function Shelf({ category }: Pick<Product, 'category'>) {
  if (!category) return null;
  const above = category.parent ? [category.parent, category] : [category];
  return (
    <nav aria-label="Shelf of the product" className="crumbs">
      <ol>
        {above.map(({ id, name }) => (
          <li key={id}>
            <a href={href([], { shelf: id })}>{name}</a>
          </li>
        ))}
      </ol>
    </nav>
  );
}

function Facts({ product: { attributes, kind, stock, tags } }: { readonly product: Product }) {
  const facts: Array<[string, string]> = attributes.map(({ key, value }) => [key, value]);
  if (stock !== null) facts.push(['In stock', String(stock)]);
  if (kind && 'weightGrams' in kind) facts.push(['Weight', `${kind.weightGrams / 1000} kg`]);
  if (kind && 'mediaType' in kind) {
    facts.push(['Download', `${kind.mediaType}, ${Math.ceil(Number(kind.sizeBytes) / 1e6)} MB`]);
  }
  if (tags.length > 0) facts.push(['Tags', tags.join(', ')]);
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
