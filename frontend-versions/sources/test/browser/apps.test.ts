import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FRONTENDS } from '../../scripts/frontends.mjs';
import { open, type Tab, withBrowser } from './browser';
import { GATEWAY } from './gateway';

withBrowser();

/** A product with reviews in the world that the sample services make from their usual seed. */
const PRODUCT = '#/products/P00042';
/** Another one, for reviews that are written here: its page shows only the newest. */
const REVIEWED = '#/products/P00043';

describe.each([
  { id: 'web@2.4.1', orders: '#/orders' },
  { id: 'web@2.5.0', orders: '#/account' },
])('$id', ({ id, orders }) => {
  test('the catalogue lists products, and more of them', async () => {
    const tab = await open(`/apps/${id}/`);
    await tab.see('.tile h3', /\w/);
    expect(await tab.all('.tile')).toHaveLength(12);
    await tab.click('.more button');
    await tab.see('.more', '24 of');
    const titles = await tab.page.$$eval('.tile a', (links) =>
      links.map((link) => link.getAttribute('href')),
    );
    expect(new Set(titles).size).toBe(24);
  });

  test('a product has reviews with their authors', async () => {
    const tab = await open(`/apps/${id}/${PRODUCT}`);
    await tab.see('h1', 'Compact Olive Wood Window Box');
    const reviews = await tab.all('.reviews .card');
    expect(reviews.length).toBeGreaterThanOrEqual(3);
    for (const review of reviews) expect(review).toMatch(/^\p{L}+ \p{L}+ · \d+ \w+ \d{4}/mu);
  });

  test('an order that is placed is among my orders', async () => {
    const tab = await open(`/apps/${id}/${PRODUCT}`, { user: '77' });
    await tab.see('.buy');
    await tab.fill('.buy input', '2');
    await tab.click('.buy button');
    const done = await tab.see('.buy .done', /Order \d+ is placed/);
    const order = /Order (\d+)/.exec(done)?.[1];
    await tab.go(orders);
    expect(await tab.see(`[data-order="${order}"]`)).toContain('2 pieces');
  });

  test('what does not exist is said, and the way back is shown', async () => {
    const tab = await open(`/apps/${id}/#/products/P99999`);
    await tab.see('h1', 'No such product');
    await tab.click('.state a');
    await tab.see('h1', 'All things');
  });
});

test('web@2.4.1: a shelf is a place of its own', async () => {
  const tab = await open('/apps/web@2.4.1/#/?shelf=13');
  await tab.see('h1', 'Tea and coffee');
  await tab.see('.tile h3', /Teapot|Kettle|Grinder|Cup/);
  await tab.click('.shelves a[href="#/?shelf=6"]');
  await tab.see('h1', 'Library');
  await tab.page.goBack();
  await tab.see('h1', 'Tea and coffee');
});

test('web@2.4.1: an order has a page with its lines and its total', async () => {
  const tab = await open('/apps/web@2.4.1/#/orders/48294');
  await tab.see('h1', 'Order 48294');
  await tab.see('tbody', 'Nordic Wool Saucepan');
  await tab.see('tfoot', /Total\s+€\d/);
});

test('web@2.5.0: delivery times and prices before a sale are shown', async () => {
  const tab = await open('/apps/web@2.5.0/');
  await tab.see('.tile', /At your door in \d days?/);
  await tab.see('.tile s', /€\d/);
});

test('web@2.5.0: sorting and searching are in the address', async () => {
  const tab = await open('/apps/web@2.5.0/');
  await tab.page.select('select', 'cheapest');
  await tab.see('.tile .price', '€3.');
  expect(tab.page.url()).toContain('#/?order=cheapest');
  await tab.fill('#find', 'oak');
  await tab.click('search button');
  await tab.see('h1', 'Found for “oak”');
  expect(await tab.see('.tile h3')).toMatch(/oak/i);
  expect(tab.page.url()).toContain('#/?find=oak');
});

test('web@2.5.0: a review that is written is on the page', async () => {
  const tab = await open(`/apps/web@2.5.0/${REVIEWED}`, { user: '78' });
  const title = `Seen in a test ${Date.now()}`;
  await tab.see('.write');
  await tab.click('.write input[value="4"]');
  await tab.fill('.write input[name="title"]', title);
  await tab.click('.write button');
  await tab.see('.write .done', 'published');
  await tab.see('.reviews .card', title);
});

test('partner@1.9.0: the stock is listed, and more of it', async () => {
  const tab = await open('/apps/partner@1.9.0/');
  await tab.see('tbody tr', /P\d{5}/);
  expect(await tab.all('tbody tr')).toHaveLength(50);
  await tab.click('.more button');
  await tab.see('.more', '100 of');
});

test('partner@1.9.0: orders are exported as a file', async () => {
  const tab = await open('/apps/partner@1.9.0/#/orders?status=SHIPPED');
  await tab.see('.tools button', 'Export 25 orders');
  const folder = await mkdtemp(join(tmpdir(), 'export-'));
  const browser = await tab.page.browser().target().createCDPSession();
  await browser.send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: folder });
  await tab.click('.tools button');
  await expect.poll(() => readdir(folder), { timeout: 5000 }).toEqual(['orders-shipped.csv']);
  const lines = (await readFile(join(folder, 'orders-shipped.csv'), 'utf8')).trim().split('\r\n');
  expect(lines[0]).toBe('order,status,placed_at,user,product,quantity,unit_price,currency');
  expect(lines.length).toBeGreaterThan(25);
  expect(lines.slice(1).every((line) => /^\d+,SHIPPED,/.test(line))).toBe(true);
});

describe.each(FRONTENDS.map(({ app, version }) => `${app}@${version}`))('%s', (id) => {
  test('every answer is to this version, and the footer tells which services gave it', async () => {
    const tab = await open(`/apps/${id}/`);
    await tab.see('footer li');
    expect(await shownLineup(tab)).toEqual(sentLineup(tab));
    for (const { sent, received } of tab.exchanges) {
      expect(sent['x-frontend-version']).toBe(id);
      expect(received['turnout-frontend']).toBe(id);
    }
  });

  test('the page sends the token that the gateway wrote into it', async () => {
    const tab = await open(`/apps/${id}/`);
    const token = await tab.page.$eval('meta[name="turnout-frontend-token"]', (meta) =>
      meta.getAttribute('content'),
    );
    expect(token).toBeTruthy();
    for (const { sent } of tab.exchanges) expect(sent['x-frontend-token']).toBe(token);
  });

  test.each([390, 1280])('nothing is wider than a window of %i pixels', async (width) => {
    const tab = await open(`/apps/${id}/`, { width });
    const wider = await tab.page.evaluate(
      () => document.documentElement.scrollWidth - window.innerWidth,
    );
    expect(wider).toBeLessThanOrEqual(0);
  });
});

test('two tabs with different versions share a cookie and keep their own', async () => {
  const older = await open('/apps/web@2.4.1/');
  const newer = await open('/apps/web@2.5.0/');
  // The newer one was opened last, so the cookie is its own: the older one must not follow it.
  await older.page.bringToFront();
  await older.go(PRODUCT);
  await newer.page.bringToFront();
  await newer.go(PRODUCT);
  for (const [tab, id] of [
    [older, 'web@2.4.1'],
    [newer, 'web@2.5.0'],
  ] as const) {
    const last = tab.exchanges.at(-1);
    expect(last?.operation).toBe('ProductPage');
    expect(last?.received['turnout-frontend']).toBe(id);
    expect(await tab.all('[data-page]')).toEqual([id]);
  }
});

test('the address without a version serves the assigned one, which knows what it is', async () => {
  const tab = await open('/apps/web/');
  const [id] = await tab.all('[data-page]');
  expect(['web@2.4.1', 'web@2.5.0']).toContain(id);
  expect(tab.exchanges.at(-1)?.received['turnout-frontend']).toBe(id);
});

test('who picks a customer that gets another version is led to it', async () => {
  const tab = await open('/apps/web@2.4.1/');
  await tab.click('.who');
  await tab.fill('dialog input[name="customer"]', 'acme');
  await tab.click('dialog .primary');
  await tab.see('.notice', 'Customers of acme get web@2.5.0');
  expect(await tab.page.$('dialog[open]')).toBeNull();
  expect(await tab.page.$eval('.notice a', (link) => link.getAttribute('href'))).toBe(
    '/apps/web@2.5.0/',
  );
  await tab.go(PRODUCT);
  expect(tab.exchanges.at(-1)?.sent['x-turnout-customer']).toBe('acme');
});

test('the assets of a page can be had without it', async () => {
  const page = await fetch(new URL('/apps/web@2.5.0/', GATEWAY));
  const [script] = /\/apps\/web@2\.5\.0\/assets\/[\w.-]+\.js/.exec(await page.text()) ?? [];
  const asset = await fetch(new URL(script ?? '', GATEWAY));
  expect(asset.headers.get('content-type')).toContain('javascript');
});

/** What the footer shows: `orders=2.2.0;candidate`. */
async function shownLineup(tab: Tab): Promise<string[]> {
  return tab.page.$$eval('footer li', (items) =>
    items.map(({ dataset: { service, version, arm } }) => `${service}=${version};${arm}`),
  );
}

/** What the headers of the answers said, the last word on each service. */
function sentLineup(tab: Tab): string[] {
  const entries = tab.exchanges.flatMap(
    ({ received }) => received['turnout-lineup']?.split(', ') ?? [],
  );
  const latest = new Map(entries.map((entry) => [entry.split('=')[0], entry]));
  return [...latest.values()].sort();
}
