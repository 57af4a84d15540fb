/** A GraphQL error as it comes over the wire. */
export interface Fault {
  readonly message: string;
  readonly path?: ReadonlyArray<string | number> | undefined;
  readonly extensions?: Readonly<Record<string, unknown>> | undefined;
}

/** What an answer says of the page that asked. */
export type Notice =
  | { readonly kind: 'none' }
  /** It still works, but another version should be loaded. */
  | { readonly kind: 'update'; readonly target: string | undefined }
  /** No service answers this version any more. */
  | { readonly kind: 'retired' };

export function readNotice(answer: {
  readonly extensions?: unknown;
  readonly errors?: readonly Fault[] | undefined;
}): Notice {
  if (answer.errors?.some((fault) => fault.extensions?.code === 'FRONTEND_RETIRED')) {
    return { kind: 'retired' };
  }
  const frontend = field(answer.extensions, 'frontend');
  if (field(frontend, 'status') !== 'update_required') return { kind: 'none' };
  const target = field(frontend, 'target');
  return { kind: 'update', target: typeof target === 'string' ? target : undefined };
}

/** One fault in words: what is missing, and whose doing it was. */
export function explain({ message, path, extensions }: Fault): string {
  const where = path?.filter((step) => typeof step === 'string').join('.');
  const service = [extensions?.service, extensions?.serviceVersion].filter(Boolean).join(' ');
  const who = service ? ` (${service})` : '';
  return where ? `${where}: ${message}${who}` : `${message}${who}`;
}

/** An error that is no answer at all, as a fault. */
export function unanswered(error: Error): Fault {
  // What `fetch` throws when nobody could be reached, in the words of each browser.
  const unreachable = error instanceof TypeError;
  return { message: unreachable ? 'The server could not be reached.' : error.message };
}

export function hasCode(faults: readonly Fault[], code: string): boolean {
  return faults.some((fault) => fault.extensions?.code === code);
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
