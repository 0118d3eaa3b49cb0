/** A NATS cluster of three real servers in operator mode, of which any can be killed and brought back. */
import type { ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type NatsOperator, serverConfig } from '@hawser/bus/nats-accounts.ts';
import { endServer } from './end-server.ts';
import { startServer } from './nats.ts';
import { freePort } from './ports.ts';

const SERVERS = 3;

/** Running servers. */
export interface NatsCluster {
  /** One of each server, in their order. */
  readonly urls: readonly string[];
  /** Ends a server as a crash does; its port and store stay. */
  kill9(server: number): Promise<void>;
  /** Ends a server as an operator does. */
  terminate(server: number): Promise<void>;
  /** Starts a server that was ended. */
  restart(server: number): Promise<void>;
  /** Sends a signal to a server. */
  signal(server: number, signal: NodeJS.Signals): void;
  stop(): Promise<void>;
}

/** Starts three servers that trust this operator, each with fsync of every message, as in production. */
export async function startNatsCluster(operator: NatsOperator): Promise<NatsCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'hawser-test-nats-cluster-'));
  const ports: number[] = [];
  const routePorts: number[] = [];
  for (let server = 0; server < SERVERS; server += 1) {
    ports.push(await freePort());
    routePorts.push(await freePort());
  }
  const routes = routePorts.map((port) => `nats-route://127.0.0.1:${port}`);
  const configs = await Promise.all(
    ports.map(async (port, server) => {
      const storeDir = join(folder, `store-${server}`);
      await mkdir(storeDir);
      const cluster = { port: routePorts[server] ?? 0, routes };
      const config = join(folder, `nats-${server}.conf`);
      await writeFile(config, serverConfig(operator, { host: '127.0.0.1', port, storeDir, serverName: `nats-${server}`, cluster }));
      return config;
    }),
  );
  const start = (server: number): Promise<ChildProcess> => startServer(configs[server] ?? '', ports[server] ?? 0);
  const children = await Promise.all(ports.map((_, server) => start(server)));
  const child = (server: number): ChildProcess => {
    const found = children[server];
    if (found === undefined) throw new Error(`no server ${server}`);
    return found;
  };
  return {
    urls: ports.map((port) => `nats://127.0.0.1:${port}`),
    kill9: (server) => endServer(child(server), 'SIGKILL'),
    terminate: (server) => endServer(child(server), 'SIGTERM'),
    restart: async (server) => {
      children[server] = await start(server);
    },
    signal: (server, signal) => void child(server).kill(signal),
    stop: async () => {
      await Promise.all(children.map((one) => endServer(one, 'SIGKILL')));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
