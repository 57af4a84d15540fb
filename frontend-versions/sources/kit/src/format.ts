/** An amount of money, as services send it: whole units as text, the rest as billionths. */
export interface Money {
  readonly currencyCode: string;
  readonly units: string;
  readonly nanos: number;
}

const LOCALE = 'en-IE';
const DATE = new Intl.DateTimeFormat(LOCALE, { dateStyle: 'medium' });
const PLURAL = new Intl.PluralRules(LOCALE);

export function formatMoney({ currencyCode, units, nanos }: Money): string {
  const amount = Number(units) + nanos / 1e9;
  return new Intl.NumberFormat(LOCALE, {
    style: 'currency',
    currency: currencyCode || 'EUR',
  }).format(amount);
}

/** An amount for a spreadsheet: `41.45`. */
export function plainMoney({ units, nanos }: Money): string {
  return (Number(units) + nanos / 1e9).toFixed(2);
}

export function formatDate(timestamp: string): string {
  return DATE.format(new Date(timestamp));
}

/** A duration such as `432000s` in days, rounded up; undefined when it is none. */
export function daysOf(duration: string): number | undefined {
  const seconds = /^(\d+(?:\.\d+)?)s$/.exec(duration)?.[1];
  return seconds === undefined ? undefined : Math.ceil(Number(seconds) / 86_400);
}

export function countOf(count: number, one: string, other: string): string {
  return `${count.toLocaleString(LOCALE)} ${PLURAL.select(count) === 'one' ? one : other}`;
}

/** `SOLD_OUT` as "sold out". */
export function wordsOf(name: string): string {
  return name.toLowerCase().replaceAll('_', ' ');
}
