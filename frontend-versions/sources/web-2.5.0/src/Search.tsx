import { useQuery } from '@apollo/client/react';
import { go, href, Title } from '@sidings/kit';
import { Answer, BRAND, ProductTile } from '@sidings/shop';
import type { FormEvent } from 'react';
import { Delivery } from './extras';
import { SearchDocument } from './operations.gen';

export function SearchForm({ text = '' }: { readonly text?: string }) {
  function search(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const find = String(new FormData(event.currentTarget).get('find')).trim();
    go(href([], { find }));
  }
  return (
    <search>
      <form className="search" onSubmit={search}>
        <label htmlFor="find">Find</label>
        <input
          id="find"
          name="find"
          type="search"
          minLength={2}
          required
          defaultValue={text}
          placeholder="oak, lamp, travel…"
        />
        <button type="submit">Search</button>
      </form>
    </search>
  );
}

/** The best matches for what was searched. */
export function Results({ text }: { readonly text: string }) {
  const result = useQuery(SearchDocument, { variables: { text } });
  return (
    <>
      <Title brand={BRAND}>{`Found for “${text}”`}</Title>
      <div className="tools">
        <SearchForm key={text} text={text} />
        <a href={href([])}>All things</a>
      </div>
      <Answer
        result={result}
        what="the matches"
        pick={(answer) => answer.suggestProducts}
        missing={<p>Nothing was found.</p>}
      >
        {(products) =>
          products.length === 0 ? (
            <p className="state">Nothing is called like that. Try the beginning of a word.</p>
          ) : (
            <>
              {' '}
              <h2 className="visually-hidden">Products</h2>
              <ul className="tiles">
                {products.map((product) => (
                  <ProductTile key={product.id} product={product}>
                    <Delivery time={product.deliveryTime} />
                  </ProductTile>
                ))}
              </ul>
            </>
          )
        }
      </Answer>
    </>
  );
}
