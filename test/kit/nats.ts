/** A real nats-server in operator mode for a test file, which can be killed, wiped and brought back. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bus, type BusCredentials, connectBus } from '@hawser/bus/bus.ts';
import {
  clusterUserJwt,
  createOperator,
  createUserKey,
  hubCredentials,
  type NatsOperator,
  serverConfig,
} from '@hawser/bus/nats-accounts.ts';
import { natsServerBinary } from '@hawser/runtime/binaries.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { inboxPrefix } from '@hawser/wire/subjects.ts';
import { encodeUser } from '@nats-io/jwt';
import { fromSeed } from '@nats-io/nkeys';
import pino from 'pino';
import { endServer } from './end-server.ts';
import { freePort } from './ports.ts';
import { frozen } from './stand-still.ts';

/** A running server and the keys to it. */
export interface TestNats {
  readonly url: string;
  readonly operator: NatsOperator;
  readonly storeDir: string;
  /** A connected bus of the hub's user. Closed with the server. */
  hubBus(): Promise<Bus>;
  /** A connected bus of a cluster's user. Closed with the server. */
  clusterBus(cluster: string): Promise<Bus>;
  /** Credentials of a cluster's user, good for an hour. */
  credentials(cluster: string): Promise<BusCredentials>;
  /** A connected bus of an account user without limits: what an attacker who holds the server could do. */
  adminBus(): Promise<Bus>;
  /** Ends the process as a crash does; its port and store stay. */
  kill9(): Promise<void>;
  /** Starts it again, after `kill9` if it still runs; `wipe` loses the store first. */
  restart(options?: { readonly wipe?: boolean }): Promise<void>;
  /** Stops the process with SIGSTOP while `during` runs. */
  freeze(during: () => Promise<void>): Promise<void>;
  /** Closes the buses, ends the server and removes its files. */
  stop(): Promise<void>;
}

const START_DEADLINE_MS = 30_000;
const GREETING_MS = 2_000;

/** Starts a server on a free port of 127.0.0.1 with fsync of every message, as in production; `given` says whom it trusts. */
export async function startNats(log: Logger = pino({ level: 'silent' }), given?: NatsOperator): Promise<TestNats> {
  const folder = await mkdtemp(join(tmpdir(), 'hawser-test-nats-'));
  const operator = given ?? (await createOperator());
  const port = await freePort();
  const storeDir = join(folder, 'store');
  const config = join(folder, 'nats.conf');
  const url = `nats://127.0.0.1:${port}`;
  await writeFile(config, serverConfig(operator, { host: '127.0.0.1', port, storeDir }));
  const buses: Bus[] = [];
  const opened = async (bus: Bus): Promise<Bus> => {
    buses.push(bus);
    await bus.ready();
    return bus;
  };
  const credentials = async (cluster: string): Promise<BusCredentials> => {
    const { publicKey, seed } = createUserKey();
    const expiresAt = new Date(Date.now() + 3_600_000);
    return { jwt: await clusterUserJwt(operator, { cluster, userPublicKey: publicKey, expiresAt }), seed };
  };
  let child = await startServer(config, port);
  const kill9 = (): Promise<void> => endServer(child, 'SIGKILL');
  return {
    url,
    operator,
    storeDir,
    hubBus: async () => opened(await connectBus({ urls: [url], name: 'hub', credentials: await hubCredentials(operator), log })),
    clusterBus: async (cluster) => {
      const given = await credentials(cluster);
      return opened(await connectBus({ urls: [url], name: cluster, credentials: given, inboxPrefix: inboxPrefix(cluster), log }));
    },
    credentials,
    adminBus: async () => {
      const { publicKey, seed } = createUserKey();
      const jwt = await encodeUser('admin', publicKey, fromSeed(Buffer.from(operator.accountSeed)), { subs: -1, data: -1, payload: -1 });
      return opened(await connectBus({ urls: [url], name: 'admin', credentials: { jwt, seed }, log }));
    },
    kill9,
    restart: async (options = {}) => {
      await kill9();
      if (options.wipe === true) await rm(storeDir, { recursive: true, force: true });
      child = await startServer(config, port);
    },
    freeze: (during) => frozen(child, during),
    stop: async () => {
      await Promise.all(buses.map((bus) => bus.close()));
      await endServer(child, 'SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Starts a nats-server and waits until it greets. */
export async function startServer(config: string, port: number): Promise<ChildProcess> {
  await mkdir(join(config, '..', 'store'), { recursive: true });
  const child = spawn(natsServerBinary(), ['-c', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-4_000);
  });
  for (const deadline = Date.now() + START_DEADLINE_MS; Date.now() < deadline; ) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`nats-server ended: ${log}`);
    if (await answers(port)) return child;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  child.kill('SIGKILL');
  throw new Error(`nats-server did not answer: ${log}`);
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('data', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
    // One that accepts and says nothing, or goes without a word, is not up yet.
    socket.once('close', () => resolve(false));
    socket.setTimeout(GREETING_MS, () => socket.destroy());
  });
}
