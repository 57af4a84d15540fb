import { useQuery } from '@apollo/client/react';
import { formatDate, href, Stars, Title, wordsOf } from '@sidings/kit';
import { Answer, BRAND, OrderCard, useSession } from '@sidings/shop';
import { MyAccountDocument, type MyAccountQuery } from './operations.gen';

type Account = NonNullable<MyAccountQuery['user']>;

export function MyAccount() {
  const { user } = useSession();
  // Orders change while nobody looks, so what is known is shown and asked for again.
  const result = useQuery(MyAccountDocument, {
    variables: { name: `users/${user}` },
    fetchPolicy: 'cache-and-network',
  });
  return (
    <>
      <Title brand={BRAND} aside={result.data?.user?.displayName}>
        My account
      </Title>
      <Answer
        result={result}
        what="your account"
        pick={(answer) => answer.user}
        missing={<p>There is no user {user}.</p>}
      >
        {(account) => (
          <>
            <Facts account={account} />
            <h2>Orders</h2>
            {account.orders?.length === 0 && (
              <p className="state">
                You have not ordered anything yet. <a href={href([])}>Look around.</a>
              </p>
            )}
            <ul className="cards">
              {account.orders?.map((order) => (
                <OrderCard key={order.id} order={order} heading={`Order ${order.id}`} />
              ))}
            </ul>
            <h2>Reviews</h2>
            {account.reviews?.length === 0 && <p>You have not written a review yet.</p>}
            <ul className="cards">
              {account.reviews?.map(({ id, stars, title, product }) => (
                <li key={id} className="card">
                  <div className="card-head">
                    <Stars value={stars} />
                    <h3>{title}</h3>
                    {product && <a href={href(['products', product.id])}>{product.title}</a>}
                  </div>
                </li>
              ))}
            </ul>
          </>
        )}
      </Answer>
    </>
  );
}

function Facts({ account: { state, languageCode, birthday } }: { readonly account: Account }) {
  const language = new Intl.DisplayNames('en', { type: 'language' });
  return (
    <dl className="facts">
      <div>
        <dt>Account</dt>
        <dd>{state ? wordsOf(state) : 'not known'}</dd>
      </div>
      {languageCode && (
        <div>
          <dt>Mails in</dt>
          <dd>{language.of(languageCode)}</dd>
        </div>
      )}
      {birthday && (
        <div>
          <dt>Birthday</dt>
          <dd>{formatDate(birthday)}</dd>
        </div>
      )}
    </dl>
  );
}
