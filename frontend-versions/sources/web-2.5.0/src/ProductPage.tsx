import { useQuery } from '@apollo/client/react';
import { countOf, href, Picture, Title } from '@sidings/kit';
import { Answer, BRAND, BuyForm, Price, ProductTile, ReviewList } from '@sidings/shop';
import { Delivery } from './extras';
import { PlaceOrderDocument, ProductPageDocument } from './operations.gen';
import { WriteReview } from './WriteReview';

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
          <div className="product">
            <Picture {...product} />
            <div>
              <Title brand={BRAND} aside={product.category?.name}>
                {product.title}
              </Title>
              <p>
                <Price price={product.price} before={product.listPrice} />
              </p>
              <p>{product.description}</p>
              <p>
                <Delivery time={product.deliveryTime} />
                {product.stock !== null && (
                  <span className="muted">
                    {' '}
                    · {countOf(product.stock, 'piece', 'pieces')} in stock
                  </span>
                )}
              </p>
              <BuyForm
                mutation={PlaceOrderDocument}
                product={product}
                link={() => <a href={href(['account'])}>See it in your account</a>}
              />
            </div>
          </div>
          <ReviewList
            reviews={product.reviews}
            average={product.averageRating}
            extra={({ helpfulCount }) =>
              helpfulCount > 0 && ` · helped ${countOf(helpfulCount, 'person', 'people')}`
            }
          />
          <WriteReview productId={id} />
          <section aria-labelledby="related">
            <h2 id="related">People look at these next</h2>
            <ul className="tiles">
              {product.relatedProducts?.map((related) => (
                <ProductTile key={related.id} product={related} />
              ))}
            </ul>
          </section>
        </article>
      )}
    </Answer>
  );
}
