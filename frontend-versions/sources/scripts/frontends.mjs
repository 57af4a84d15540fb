/** @typedef {(typeof FRONTENDS)[number]} Frontend */

/** The frontends that are built from here: one workspace each, named after it. */
export const FRONTENDS = [
  { app: 'web', version: '2.4.1' },
  { app: 'web', version: '2.5.0' },
  { app: 'partner', version: '1.9.0' },
].map(({ app, version }) => ({
  app,
  version,
  root: new URL(`../${app}-${version}/`, import.meta.url),
  operations: new URL(`../../${app}/${version}/operations/`, import.meta.url),
  page: new URL(`../../${app}/${version}/page/`, import.meta.url),
}));
