// Builds the page of each frontend. With `--check` nothing is written: it ends with 1 when a committed
// page is not what the sources give.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';
import { FRONTENDS } from './frontends.mjs';
import { configOf } from './vite.mjs';

const check = process.argv.includes('--check');
let stale = 0;

for (const frontend of FRONTENDS) {
  const name = `${frontend.app}@${frontend.version}`;
  const page = fileURLToPath(frontend.page);
  const target = check ? await mkdtemp(join(tmpdir(), 'page-')) : page;
  await build(configOf(frontend, target));
  if (check) {
    const differing = differences(await filesOf(page), await filesOf(target));
    stale += differing.length;
    for (const file of differing) console.error(`${name}: ${file} differs from the sources`);
    await rm(target, { recursive: true });
  } else {
    console.log(`${name}: ${sizes(await filesOf(page))}`);
  }
}

if (stale > 0) {
  console.error('Run `cargo xtask frontends`, and commit what it changes.');
  process.exitCode = 1;
}

/**
 * All files of a folder, by their path in it.
 *
 * @param {string} folder
 * @returns {Promise<Map<string, Buffer>>}
 */
async function filesOf(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  const contents = await Promise.all(paths.map((path) => readFile(path)));
  return new Map(contents.map((content, at) => [relative(folder, paths[at] ?? ''), content]));
}

/**
 * @param {Map<string, Buffer>} committed
 * @param {Map<string, Buffer>} built
 */
function differences(committed, built) {
  const names = new Set([...committed.keys(), ...built.keys()]);
  return [...names].filter((name) => {
    const [one, other] = [committed.get(name), built.get(name)];
    return !one || !other || !one.equals(other);
  });
}

/** @param {Map<string, Buffer>} files */
function sizes(files) {
  const all = [...files].map(([name, bytes]) => {
    const kilobytes = gzipSync(bytes).length / 1000;
    return `${name} ${kilobytes.toFixed(1)} kB`;
  });
  return `${all.join(', ')} (gzip)`;
}
