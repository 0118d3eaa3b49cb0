/** Waiting for something outside to be so: by asking it, with a limit, and with a reason when the limit is reached. */
import { request } from 'node:http';
import { sleep } from '@hawser/runtime/backoff.ts';

/** How long to wait, how often to ask, and what else ends the wait. */
export interface WaitOptions {
  readonly timeoutMs: number;
  readonly everyMs?: number;
  /** Asked with every try: a reason to give up at once. */
  readonly hopeless?: () => string | undefined;
}

/** Resolves with the first answer that is not undefined; throws after the limit, with what was waited for. */
export async function waitFor<T>(what: string, ask: () => Promise<T | undefined>, options: WaitOptions): Promise<T> {
  const end = performance.now() + options.timeoutMs;
  let last = '';
  while (performance.now() < end) {
    const reason = options.hopeless?.();
    if (reason !== undefined) throw new Error(`${what}: ${reason}`);
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    await sleep(options.everyMs ?? 50);
  }
  throw new Error(`${what}: not within ${options.timeoutMs / 1_000} s${last === '' ? '' : ` (${last})`}`);
}

/** An answer over HTTP. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** One GET on a connection of its own. `host` overrides the Host header. Throws when there is no answer within `timeoutMs`. */
export function get(
  url: string,
  { host, timeoutMs = 2_000, token }: { host?: string; timeoutMs?: number; token?: string } = {},
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const headers = { ...(host === undefined ? {} : { host }), ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
    const outgoing = request(url, { agent: false, headers, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (body += part));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** True once a GET answers 200. */
export async function answersOk(url: string): Promise<true | undefined> {
  return (await get(url)).status === 200 ? true : undefined;
}
