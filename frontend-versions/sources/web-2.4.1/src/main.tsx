import '@sidings/kit/styles.css';
import { useRoute } from '@sidings/kit';
import { startShop } from '@sidings/shop';
import { Catalogue } from './Catalogue';
import { MyOrders } from './MyOrders';
import { OrderPage } from './OrderPage';
import { ProductPage } from './ProductPage';

function Pages() {
  const { segments, query } = useRoute();
  const [page, id] = segments;
  if (page === 'products' && id) return <ProductPage key={id} id={id} />;
  if (page === 'orders' && id) return <OrderPage key={id} id={id} />;
  if (page === 'orders') return <MyOrders />;
  return <Catalogue shelf={query.get('shelf') ?? undefined} />;
}

startShop({
  base: import.meta.env.BASE_URL,
  places: [
    { label: 'Shop', segments: [] },
    { label: 'My orders', segments: ['orders'] },
  ],
  Pages,
});
