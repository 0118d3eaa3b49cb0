/** Requests that go several ways in turn, at a steady pace: what the machine or this client does meanwhile falls on all ways alike. */
import { Agent, request } from 'node:http';
import { atPace } from './pace.ts';

/** Where a request goes to. */
export interface Way {
  readonly host: string;
  readonly port: number;
  readonly path?: string;
  /** The `Host` header; `host` unless given. */
  readonly authority?: string;
}

/** How many requests go each way. */
export interface Turns {
  /** On each way. */
  readonly perSecond: number;
  readonly seconds: number;
  /** Requests on each way before the first that counts: connections, and the compilers of client and server, warm up. */
  readonly warmUp: number;
}

/** Milliseconds of each request, by the name of its way; sent whatever the answers. Throws when one fails. */
export async function timesInTurns<Name extends string>(
  ways: Readonly<Record<Name, Way>>,
  { perSecond, seconds, warmUp }: Turns,
): Promise<Record<Name, readonly number[]>> {
  const named = Object.entries(ways) as [Name, Way][];
  const calls = named.map(([, way]) => caller(way));
  for (let index = 0; index < warmUp; index += 1) await Promise.all(calls.map(({ call }) => call()));
  const pending: Promise<number>[][] = calls.map(() => []);
  const all = calls.length;
  await atPace({ count: all * perSecond * seconds, perSecond: all * perSecond }, (index) => {
    const [one, sent] = [calls[index % all], pending[index % all]];
    if (one !== undefined) sent?.push(one.call());
  });
  const took = await Promise.all(pending.map((sent) => Promise.all(sent)));
  for (const { agent } of calls) agent.destroy();
  return Object.fromEntries(named.map(([name], index) => [name, took[index] ?? []])) as unknown as Record<Name, readonly number[]>;
}

function caller({ host, port, path = '/', authority = host }: Way): { readonly agent: Agent; call(): Promise<number> } {
  const agent = new Agent({ keepAlive: true, maxSockets: 50 });
  const call = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const began = performance.now();
      const sent = request({ host, port, path, agent, headers: { host: authority }, timeout: 5_000 }, (response) => {
        response.resume();
        response.on('end', () => resolve(performance.now() - began));
      });
      sent.on('timeout', () => sent.destroy(new Error('no answer in time')));
      sent.on('error', reject);
      sent.end();
    });
  return { agent, call };
}

/** The value below which this share (0 to 1) of them is. */
export function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;
}
