import { setTimeout as sleep } from 'node:timers/promises';
import { FRONTENDS } from '../../scripts/frontends.mjs';
import { GATEWAY } from './gateway';

const WAIT_MS = 60_000;

/** Waits until the gateway serves every page: a frontend is published when its pins have versions. */
export default async function ready(): Promise<void> {
  const late = performance.now() + WAIT_MS;
  for (const { app, version } of FRONTENDS) {
    const page = new URL(`/apps/${app}@${version}/`, GATEWAY);
    let told = await answer(page);
    while (told !== '200') {
      if (performance.now() > late) throw new Error(`${page} is not served: ${told}`);
      await sleep(250);
      told = await answer(page);
    }
    console.log(`${page} is served`);
  }
}

async function answer(page: URL): Promise<string> {
  return fetch(page).then(
    (response) => String(response.status),
    (error: Error) => `${error.message}, ${error.cause}`,
  );
}
