import puppeteer, { type Browser, type HTTPRequest, type Page } from 'puppeteer-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { GATEWAY } from './gateway';

let browser: Browser;
/** What went wrong in the pages of a test without being asked for. */
let complaints: string[] = [];

/** Starts a browser for the tests of a file, and lets none of their pages complain. */
export function withBrowser(): void {
  beforeAll(async () => {
    browser = await puppeteer.launch({
      executablePath: process.env.TURNOUT_TEST_CHROMIUM ?? '/usr/bin/chromium',
      // The sandbox needs privileges that containers lack; only pages of our own are opened.
      args: ['--no-sandbox', '--disable-dev-shm-usage'],
    });
  });
  afterEach(async () => {
    for (const page of await browser.pages()) await page.close();
    const found = complaints;
    complaints = [];
    expect(found, 'the pages complain of nothing').toEqual([]);
  });
  afterAll(() => browser.close());
}

interface Exchange {
  readonly operation: string;
  readonly sent: Readonly<Record<string, string>>;
  readonly received: Readonly<Record<string, string>>;
}

/** A tab, and every GraphQL operation that its page sent. */
export interface Tab {
  readonly page: Page;
  readonly exchanges: readonly Exchange[];
  /** Waits for an element that has this text somewhere. */
  see(selector: string, text?: string | RegExp): Promise<string>;
  /** The texts of all elements that match now. */
  all(selector: string): Promise<string[]>;
  click(selector: string): Promise<void>;
  fill(selector: string, text: string): Promise<void>;
  go(hash: string): Promise<void>;
}

/** Answers an operation in the gateway's place; undefined lets the gateway answer. */
type Answer = (operation: string, request: HTTPRequest) => Promise<Reply | 'fail' | undefined>;
interface Reply {
  readonly body: unknown;
}

interface Options {
  readonly user?: string;
  readonly width?: number;
  readonly answer?: Answer;
}

export async function open(path: string, options: Options = {}): Promise<Tab> {
  const { user = '42', width = 1280, answer } = options;
  const page = await browser.newPage();
  await page.setViewport({ width, height: 900, isMobile: width < 600, hasTouch: width < 600 });
  const session = JSON.stringify({ user, customer: '' });
  await page.evaluateOnNewDocument((kept) => {
    if (!sessionStorage.getItem('sidings.session')) sessionStorage.setItem('sidings.session', kept);
  }, session);
  if (answer) await intercept(page, answer);
  watch(page, answer !== undefined);
  const exchanges = record(page);
  await page.goto(new URL(path, GATEWAY).href, { waitUntil: 'networkidle0' });
  return tab(page, exchanges);
}

function tab(page: Page, exchanges: Exchange[]): Tab {
  return {
    page,
    exchanges,
    async see(selector, text = '') {
      const [source, flags] =
        text instanceof RegExp ? [text.source, text.flags] : [quote(text), ''];
      const found = await page
        .waitForFunction(
          (wanted, pattern, mode) => {
            const elements = [...document.querySelectorAll<HTMLElement>(wanted)];
            const fits = new RegExp(pattern, mode);
            return elements.map((one) => one.innerText).find((shown) => fits.test(shown));
          },
          { timeout: 15_000 },
          selector,
          source,
          flags,
        )
        .catch(async () => {
          const shown = await page.$eval('body', (body) => body.innerText);
          throw new Error(`no ${selector} with ${text} on ${page.url()}, which shows:\n${shown}`);
        });
      return String(await found.jsonValue());
    },
    all: (selector) =>
      page.$$eval(selector, (found) => found.map((one) => (one as HTMLElement).innerText)),
    // The element itself, as a keyboard does it: the bar at the bottom may lie over its middle.
    click: (selector) => page.$eval(selector, (element) => (element as HTMLElement).click()),
    async fill(selector, text) {
      await page.$eval(selector, (element) => {
        (element as HTMLInputElement).value = '';
      });
      await page.type(selector, text);
    },
    async go(hash) {
      await page.evaluate((to) => {
        window.location.hash = to;
      }, hash);
      await page.waitForNetworkIdle({ idleTime: 200 });
    },
  };
}

/** Whatever a page asks of anybody but the gateway, and whatever it logs, is a complaint. */
function watch(page: Page, expectsFailures: boolean): void {
  page.on('pageerror', (error) => complaints.push(`error: ${error}`));
  page.on('console', (message) => {
    const refused = message.text().startsWith('Failed to load resource');
    if (message.type() === 'error' && !(expectsFailures && refused)) {
      complaints.push(`console: ${message.text()} ${message.location().url ?? ''}`);
    }
  });
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol !== 'blob:' && origin !== GATEWAY.origin) complaints.push(`asks ${request.url()}`);
  });
}

function record(page: Page): Exchange[] {
  const exchanges: Exchange[] = [];
  page.on('response', (response) => {
    const request = response.request();
    if (!isOperation(request)) return;
    exchanges.push({
      operation: operationOf(request),
      sent: request.headers(),
      received: response.headers(),
    });
  });
  return exchanges;
}

async function intercept(page: Page, answer: Answer): Promise<void> {
  await page.setRequestInterception(true);
  page.on('request', async (request) => {
    const reply = isOperation(request) ? await answer(operationOf(request), request) : undefined;
    if (reply === undefined) return request.continue();
    if (reply === 'fail') return request.abort('connectionrefused');
    const body = JSON.stringify(reply.body);
    return request.respond({ status: 200, contentType: 'application/json', body });
  });
}

/** What the gateway itself answers to a request that was intercepted. */
export async function ask(request: HTTPRequest): Promise<{ data: Record<string, unknown> }> {
  const { headers, body } = { headers: request.headers(), body: request.postData() ?? '' };
  const response = await fetch(new URL('/graphql', GATEWAY), { method: 'POST', headers, body });
  return (await response.json()) as { data: Record<string, unknown> };
}

function isOperation(request: HTTPRequest): boolean {
  return new URL(request.url()).pathname === '/graphql' && request.method() === 'POST';
}

function operationOf(request: HTTPRequest): string {
  return JSON.parse(request.postData() ?? '{}').operationName ?? '';
}

function quote(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
