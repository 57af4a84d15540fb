/** A shipped version of an app, as the gateway knows it. */
export interface Frontend {
  readonly app: string;
  readonly version: string;
}

export function frontendId({ app, version }: Frontend): string {
  return `${app}@${version}`;
}

/** Reads `web@2.5.0`; undefined for anything else. */
export function parseFrontendId(text: string): Frontend | undefined {
  const at = text.lastIndexOf('@');
  const [app, version] = [text.slice(0, at), text.slice(at + 1)];
  return at > 0 && /^\d+\.\d+\.\d+/.test(version) ? { app, version } : undefined;
}

/** The frontend that is served under a path such as `/apps/web@2.5.0/`. */
export function frontendAt(path: string): Frontend {
  const frontend = parseFrontendId(path.split('/').at(-2) ?? '');
  if (!frontend) throw new Error(`${path} names no version of an app`);
  return frontend;
}

/**
 * The proof that this very page was served by the gateway. The gateway writes it into the page, so it
 * is the page's own: a cookie is shared by all tabs, and the last one opened would win.
 */
export function readToken(page: Document): string | undefined {
  const meta = page.querySelector<HTMLMetaElement>('meta[name="turnout-frontend-token"]');
  return meta?.content.trim() || undefined;
}

/** Where the app is served in the version that is assigned to whoever asks. */
export function assignedPath(app: string): string {
  return `/apps/${app}/`;
}

/** Where one version of the app is served, whoever asks. */
export function versionPath(frontend: Frontend): string {
  return `/apps/${frontendId(frontend)}/`;
}
