/** Connections of an application to its sidecar that stay open for as long as nobody breaks them, a request on each several times a second. */
import { Agent, request } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { PORTS } from '@hawser/model/ports.ts';
import { hostOf } from '../../deploy/demo/topology.ts';
import type { Federation } from './federation.ts';
import { ask } from './kept-alive.ts';

const CONNECTIONS = 20;
const EVERY_MS = 200;
const TIMEOUT_MS = 5_000;

/** Whose, and to what. */
export interface Held {
  /** Cluster of the client. */
  readonly from: string;
  readonly service: string;
}

/** What became of them. */
export interface HeldEnd {
  readonly connections: number;
  /** Those that were closed by another, to the sidecar or beyond it. */
  readonly broken: number;
}

/** Opens them; `stop` closes them and says how many had been broken before. */
export async function holdConnections(federation: Federation, held: Held): Promise<{ stop(): Promise<HeldEnd> }> {
  const aborter = new AbortController();
  const { signal } = aborter;
  let broken = 0;
  const onBroken = (): void => {
    if (!signal.aborted) broken += 1;
  };
  const target = { host: federation.fleet.workload(held.from, 'client-v1').address, service: held.service };
  const before = await brokenBeyond(federation, held);
  const holding = Array.from({ length: CONNECTIONS }, () => hold(target, signal, onBroken));
  return {
    stop: async () => {
      const beyond = (await brokenBeyond(federation, held)) - before;
      aborter.abort();
      await Promise.all(holding);
      return { connections: CONNECTIONS, broken: broken + beyond };
    },
  };
}

interface Target {
  readonly host: string;
  readonly service: string;
}

/** One after the other, on one connection while that lives. */
async function hold(target: Target, signal: AbortSignal, onBroken: () => void): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const known = new WeakSet<Socket>();
  const onSocket = (socket: Socket): void => {
    if (known.has(socket)) return;
    known.add(socket);
    socket.once('close', onBroken);
  };
  while (!signal.aborted) {
    await once(target, agent, onSocket);
    await wait(EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
  agent.destroy();
}

/** What is answered is not looked at: the load clients do that. */
function once({ host, service }: Target, agent: Agent, onSocket: (socket: Socket) => void): Promise<void> {
  return new Promise((resolve) => {
    const options = { host, port: PORTS.outbound, path: '/ping', headers: { host: hostOf(service) }, agent, timeout: TIMEOUT_MS };
    const outgoing = request(options, (response) => {
      response.on('end', resolve).on('error', () => resolve());
      response.resume();
    });
    outgoing.on('socket', onSocket).on('error', () => resolve());
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.end();
  });
}

/** Connections of the client's Envoy to the service that the other side closed, or that it closed itself under a request, since it started. */
async function brokenBeyond({ fleet }: Federation, { from, service }: Held): Promise<number> {
  const { address } = fleet.workload(from, 'client-v1');
  const filter = `^cluster.outbound.80..${hostOf(service)}.upstream_cx_destroy_(remote|local_with_active_rq)$`;
  const text = await ask({ url: `http://${address}:${PORTS.envoyAdmin}/stats?filter=${encodeURIComponent(filter)}` });
  const counts = [...text.matchAll(/: (\d+)/g)].map(([, count]) => Number(count));
  if (counts.length === 0) throw new Error(`the Envoy of the client in ${from} counts no connections to ${service}`);
  return counts.reduce((sum, count) => sum + count, 0);
}
