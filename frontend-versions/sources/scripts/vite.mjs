import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';

const LICENSES = 'licenses.md';

/**
 * Some packages end the lines of their licence by CR LF; everything committed here ends them by LF.
 *
 * @type {import('vite').Plugin}
 */
const plainLines = {
  name: 'plain-lines',
  generateBundle: {
    order: 'post',
    handler(_options, bundle) {
      const file = bundle[LICENSES];
      if (file?.type === 'asset') file.source = String(file.source).replaceAll('\r\n', '\n');
    },
  },
};

/**
 * How a frontend's page is built. Every file but `index.html` has its content in its name and lies under
 * the version's own path, so it may be kept for ever; nothing is inlined, so the strictest content
 * security policy fits.
 *
 * @param {import('./frontends.mjs').Frontend} frontend
 * @param {string} [outDir] where the page goes; of no use to a development server
 * @returns {import('vite').InlineConfig}
 */
export function configOf({ app, version, root }, outDir) {
  return {
    configFile: false,
    root: fileURLToPath(root),
    base: `/apps/${app}@${version}/`,
    logLevel: 'warn',
    plugins: [react(), plainLines],
    build: {
      ...(outDir && { outDir }),
      emptyOutDir: true,
      assetsInlineLimit: 0,
      // The licences of what is in the page ask to go with it.
      license: { fileName: LICENSES },
      modulePreload: { polyfill: false },
      target: 'es2022',
      cssTarget: ['chrome111', 'firefox114', 'safari16.4'],
    },
    server: { proxy: { '/graphql': process.env.TURNOUT_URL ?? 'http://127.0.0.1:4000' } },
  };
}
