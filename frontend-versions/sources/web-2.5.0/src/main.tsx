import '@sidings/kit/styles.css';
import './theme.css';
import { useRoute } from '@sidings/kit';
import { startShop } from '@sidings/shop';
import { Catalogue } from './Catalogue';
import { MyAccount } from './MyAccount';
import { ProductPage } from './ProductPage';
import { Results } from './Search';

function Pages() {
  const { segments, query } = useRoute();
  const [page, id] = segments;
  if (page === 'products' && id) return <ProductPage key={id} id={id} />;
  // `orders` was the name of this page in 2.4: links to it live on in people's bookmarks.
  if (page === 'account' || page === 'orders') return <MyAccount />;
  const text = query.get('find');
  return text ? <Results text={text} /> : <Catalogue order={query.get('order')} />;
}

startShop({
  base: import.meta.env.BASE_URL,
  places: [
    { label: 'Shop', segments: [] },
    { label: 'My account', segments: ['account'] },
  ],
  Pages,
});
