import { readdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { FRONTENDS } from '../scripts/frontends.mjs';

const ROOT = new URL('../../', import.meta.url);

test('every version that is published is built from here, and the other way round', async () => {
  const apps = [...new Set(FRONTENDS.map(({ app }) => app))];
  const folders = apps.map(async (app) => {
    const entries = await readdir(new URL(app, ROOT), { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => `${app}@${name}`);
  });
  const published = (await Promise.all(folders)).flat();
  const built = FRONTENDS.map(({ app, version }) => `${app}@${version}`);
  expect(built.sort()).toEqual(published.sort());
});

test.each(FRONTENDS)('$app@$version has a manifest in its own name', async ({ app, version }) => {
  const manifest = await readFile(new URL(`${app}/${version}/manifest.yaml`, ROOT), 'utf8');
  expect(manifest).toMatch(new RegExp(`^app: ${app}$`, 'm'));
  expect(manifest).toMatch(new RegExp(`^version: ${version}$`, 'm'));
});
