/** One address for several hubs: a TCP proxy that goes round those that are ready, as a load balancer does. */
import { request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort } from './ports.ts';

/** A running front door. */
export interface FrontDoor {
  readonly url: string;
  stop(): Promise<void>;
}

const LOOK_MS = 100;
/** A hub without an answer for this long stands still; its connections are cut. */
const SILENT_MS = 2_000;

interface Backend {
  readonly port: number;
  ready: boolean;
  readonly clients: Set<Socket>;
}

/** Opens it in front of these ports of 127.0.0.1, of which none need be open yet. */
export async function openFrontDoor(ports: readonly number[]): Promise<FrontDoor> {
  const backends: Backend[] = ports.map((port) => ({ port, ready: false, clients: new Set() }));
  const closing = new AbortController();
  let turn = 0;
  const server = createServer((client) => {
    client.on('error', () => undefined);
    turn += 1;
    const inTurn = backends.map((_, index) => backends[(turn + index) % backends.length]);
    lead(
      client,
      inTurn.filter((backend) => backend?.ready === true),
    );
  });
  const port = await freePort();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  const looking = backends.map((backend) => follow(backend, closing.signal));
  return {
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      closing.abort();
      for (const { clients } of backends) for (const client of clients) client.destroy();
      await new Promise((resolve) => server.close(resolve));
      await Promise.all(looking);
    },
  };
}

/** Joins a client with the first backend that takes the connection; without one it is refused. */
function lead(client: Socket, [backend, ...others]: readonly (Backend | undefined)[]): void {
  if (backend === undefined) return void client.resetAndDestroy();
  const upstream = connect({ host: '127.0.0.1', port: backend.port });
  upstream.once('error', () => lead(client, others));
  upstream.once('connect', () => {
    upstream.removeAllListeners('error').on('error', () => client.destroy());
    backend.clients.add(client);
    client.once('close', () => {
      backend.clients.delete(client);
      upstream.destroy();
    });
    upstream.once('close', () => client.destroySoon());
    client.pipe(upstream);
    upstream.pipe(client);
  });
}

async function follow(backend: Backend, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const status = await readiness(backend.port);
    backend.ready = status === 200;
    if (status === undefined) for (const client of backend.clients) client.destroy();
    await wait(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Status of `/readyz`: 0 where nobody listens, undefined where nobody answers. */
function readiness(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, path: '/readyz', agent: false, timeout: SILENT_MS }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on('timeout', () => {
      resolve(undefined);
      asked.destroy();
    });
    asked.on('error', () => resolve(0));
    asked.end();
  });
}
