import { useQuery } from '@apollo/client/react';
import { href, Title } from '@sidings/kit';
import { Answer, BRAND, OrderCard, useSession } from '@sidings/shop';
import { MyOrdersDocument } from './operations.gen';

export function MyOrders() {
  const { user } = useSession();
  // Orders change while nobody looks, so what is known is shown and asked for again.
  const result = useQuery(MyOrdersDocument, {
    variables: { id: user },
    fetchPolicy: 'cache-and-network',
  });
  return (
    <>
      <Title brand={BRAND} aside={result.data?.user?.displayName}>
        My orders
      </Title>
      <Answer
        result={result}
        what="your orders"
        pick={(answer) => answer.user}
        missing={<p>There is no user {user}.</p>}
      >
        {({ orders }) => (
          <>
            {orders?.length === 0 && (
              <p className="state">
                You have not ordered anything yet. <a href={href([])}>Look around.</a>
              </p>
            )}
            <h2 className="visually-hidden">Orders</h2>
            <ul className="cards">
              {orders?.map((order) => (
                <OrderCard
                  key={order.id}
                  order={order}
                  heading={<a href={href(['orders', order.id])}>Order {order.id}</a>}
                />
              ))}
            </ul>
          </>
        )}
      </Answer>
    </>
  );
}
