import { expect, test } from 'vitest';
import { ask, open, withBrowser } from './browser';

withBrowser();

const PAGES = [
  { id: 'web@2.4.1', operation: 'Home' },
  { id: 'web@2.5.0', operation: 'Home' },
  { id: 'partner@1.9.0', operation: 'StockList' },
];

test.each(PAGES)(
  '$id: a page that should be updated says so and goes on',
  async ({ id, operation }) => {
    const frontend = { status: 'update_required', target: 'web@9.0.0' };
    const tab = await open(`/apps/${id}/`, {
      answer: async (name, request) =>
        name === operation
          ? { body: { ...(await ask(request)), extensions: { frontend } } }
          : undefined,
    });
    await tab.see('.notice', 'A new version is available (web@9.0.0)');
    const app = id.split('@')[0];
    expect(await tab.page.$eval('.notice a', (link) => link.getAttribute('href'))).toBe(
      `/apps/${app}/`,
    );
    expect((await tab.all('main')).join()).toContain('€');
  },
);

test.each(PAGES)('$id: a retired page says nothing but that', async ({ id }) => {
  const errors = [{ message: 'retired', extensions: { code: 'FRONTEND_RETIRED' } }];
  const tab = await open(`/apps/${id}/`, {
    answer: async () => ({ body: { data: null, errors } }),
  });
  await tab.see('main [role=alert]', `${id} is no longer supported`);
  expect(await tab.all('main h1')).toEqual(['This page is out of date']);
});

test.each(PAGES)('$id: without a gateway there is a way to try again', async ({ id }) => {
  let down = true;
  const tab = await open(`/apps/${id}/`, { answer: async () => (down ? 'fail' : undefined) });
  await tab.see('[role=alert]', 'could not be loaded');
  down = false;
  await tab.click('[role=alert] button');
  await tab.see('main', '€');
});

test.each(['web@2.4.1', 'web@2.5.0'])('%s: a part that failed leaves the rest', async (id) => {
  const tab = await open(`/apps/${id}/#/products/P00042`, {
    answer: async (name, request) => {
      if (name !== 'ProductPage') return undefined;
      const answer = await ask(request);
      const product = { ...(answer.data.product as object), reviews: null, averageRating: null };
      const extensions = { code: 'UNAVAILABLE', service: 'reviews', serviceVersion: '1.2.1' };
      const errors = [{ message: 'try again later', path: ['product', 'reviews'], extensions }];
      return { body: { data: { product }, errors } };
    },
  });
  await tab.see('h1', 'Compact Olive Wood Window Box');
  await tab.see('.reviews', 'The reviews could not be loaded');
  await tab.click('.partial summary');
  await tab.see('.partial', 'product.reviews: try again later (reviews 1.2.1)');
});

test('who changes the user starts with nothing of the user before', async () => {
  const tab = await open('/apps/web@2.4.1/#/orders', { user: '42' });
  await tab.see('.title', 'Noor Petrov');
  await tab.click('.who');
  await tab.fill('dialog input[name="user"]', '43');
  await tab.click('dialog .primary');
  await tab.page.waitForNetworkIdle({ idleTime: 200 });
  expect((await tab.all('.title')).join()).not.toContain('Noor Petrov');
  expect(tab.exchanges.at(-1)?.sent['x-turnout-unit']).toBe('user:43');
});
