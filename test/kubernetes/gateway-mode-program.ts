/** A program that knows of no proxy, and calls a service at its ClusterSetIP all the time: what becomes of its calls. */
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import type { At } from '../behaviour/kit/clients.ts';

/** `IP:PORT` to which kube-proxy may lead a new connection, by the port's name. */
export type Places = Readonly<Record<string, readonly string[]>>;

/** What it saw. */
export interface Seen {
  readonly gets: number;
  /** Each with the reason. */
  readonly failedGets: readonly string[];
  /** Connections of TCP that the other side has ended in order, and those that broke. */
  readonly ended: number;
  readonly broken: readonly string[];
}

/** Starts it: of GETs a second, `rate` open a connection each, and as many use some that are kept; it keeps some connections of TCP, too. */
export function startProgram({ host, places, rate }: { readonly host: string; readonly places: () => Places; readonly rate: number }): {
  stop(): Promise<Seen>;
} {
  const over = new AbortController();
  const seen = { gets: 0, failedGets: [] as string[], ended: 0, broken: [] as string[] };
  // As kube-proxy does: any of those that are ready, for the life of the connection.
  const open = (name: string): Socket => {
    const { address, port } = placeOf(oneOf(places()[name] ?? []));
    return connect(port, address);
  };
  const kept = Object.assign(new Agent({ keepAlive: true, maxSockets: 4 }), { createConnection: () => open('http') });
  const fresh = Object.assign(new Agent({ keepAlive: false }), { createConnection: () => open('http') });
  const get = async (agent: Agent, name: string): Promise<void> => {
    const failure = await got(agent, host);
    seen.gets += 1;
    if (failure !== undefined) seen.failedGets.push(`${name}: ${failure}`);
  };
  const pending = new Set<Promise<void>>();
  const timer = setInterval(() => {
    for (const [name, agent] of Object.entries({ fresh, kept })) {
      const one = get(agent, name).finally(() => pending.delete(one));
      pending.add(one);
    }
  }, 1_000 / rate);
  const talking = Array.from({ length: 4 }, async () => {
    while (!over.signal.aborted) {
      const end = await talk(open('tcp'), over.signal);
      if (over.signal.aborted) return;
      if (end === 'ended') seen.ended += 1;
      else seen.broken.push(end);
    }
  });
  return {
    stop: async () => {
      clearInterval(timer);
      over.abort();
      await Promise.all([...pending, ...talking]);
      kept.destroy();
      return seen;
    },
  };
}

/** Why a GET failed; undefined where it did not. */
function got(agent: Agent, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const sent = request({ agent, host: 'service', path: '/', headers: { host }, timeout: 10_000 }, (response) => {
      response.resume();
      response.on('error', ({ message }) => resolve(message));
      response.on('end', () => resolve(response.statusCode === 200 ? undefined : `${response.statusCode}`));
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer in time')));
    sent.on('error', ({ message }) => resolve(message));
    sent.end();
  });
}

/** Says a line again and again, until the other side ends the connection, or it breaks. */
async function talk(socket: Socket, signal: AbortSignal): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  socket.on('error', ({ message }) => resolve(message));
  socket.on('end', () => resolve('ended'));
  socket.resume();
  const stop = (): void => resolve('stopped');
  signal.addEventListener('abort', stop);
  const timer = setInterval(() => socket.write('still here\n'), 100);
  const end = await promise;
  clearInterval(timer);
  signal.removeEventListener('abort', stop);
  socket.destroy();
  // Where nobody takes it, the next one is tried a little later.
  await wait(20);
  return end;
}

function oneOf(places: readonly string[]): string {
  return places[Math.floor(Math.random() * places.length)] ?? '127.0.0.1:1';
}

/** Splits `IP:PORT`. */
export function placeOf(text = ''): At {
  const [address = '', port = '0'] = text.split(':');
  return { address, port: Number(port) };
}
