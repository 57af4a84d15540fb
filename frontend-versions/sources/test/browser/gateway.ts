/** The gateway that serves the pages. */
export const GATEWAY = gateway(process.env.TURNOUT_URL);

function gateway(url: string | undefined): URL {
  if (!url) throw new Error('TURNOUT_URL names no gateway, such as http://127.0.0.1:4000');
  return new URL(url);
}
