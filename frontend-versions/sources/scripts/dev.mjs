// Serves one frontend from its sources: `npm run dev web@2.5.0`. GraphQL goes to the gateway at
// TURNOUT_URL, http://127.0.0.1:4000 when left out.
import { createServer } from 'vite';
import { FRONTENDS } from './frontends.mjs';
import { configOf } from './vite.mjs';

const wanted = process.argv[2] ?? 'web@2.5.0';
const frontend = FRONTENDS.find(({ app, version }) => `${app}@${version}` === wanted);
if (!frontend) {
  const known = FRONTENDS.map(({ app, version }) => `${app}@${version}`).join(', ');
  console.error(`There is no ${wanted}, but ${known}.`);
  process.exit(2);
}
const server = await createServer(configOf(frontend));
await server.listen();
server.printUrls();
