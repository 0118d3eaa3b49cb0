/** PostgreSQL and NATS for a hub: those it is pointed at, or its own. */
import { AppError } from '@hawser/runtime/app-error.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { RunGroup } from '@hawser/runtime/run-group.ts';
import type { HubKeys } from './bus/hub-keys.ts';
import { embeddedNatsConfig, natsServerName } from './bus/nats-access.ts';
import { type NatsServer, startNatsServer } from './bus/nats-server.ts';
import type { HubConfig } from './config.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './postgres/embedded-postgres.ts';

/** Where the servers are, and those that the hub brought. */
export interface Servers {
  readonly dsn: string;
  readonly natsUrls: readonly string[];
  readonly postgres: EmbeddedPostgres | undefined;
  readonly nats: NatsServer | undefined;
}

const LOOPBACK = '127.0.0.1';

/** Starts what is not given, both at once; the group stops them last. */
export async function startServers(
  config: HubConfig,
  keys: HubKeys,
  run: { readonly group: RunGroup; readonly log: Logger },
): Promise<Servers> {
  const [postgres, nats] = await Promise.allSettled([ownPostgres(config, run), ownNats(config, keys, run)]);
  if (postgres.status === 'rejected') throw postgres.reason;
  if (nats.status === 'rejected') throw nats.reason;
  return {
    dsn: config.databaseUrl ?? postgres.value?.dsn ?? '',
    natsUrls: config.natsUrl?.split(',') ?? (nats.value === undefined ? [] : [nats.value.url]),
    postgres: postgres.value,
    nats: nats.value,
  };
}

async function ownPostgres(config: HubConfig, { group, log }: { group: RunGroup; log: Logger }): Promise<EmbeddedPostgres | undefined> {
  if (config.databaseUrl !== undefined) return undefined;
  const postgres = await startEmbeddedPostgres({ stateDir: config.stateDir, port: config.postgresPort, log });
  await stopLater(group, 'postgres', () => postgres.stop());
  return postgres;
}

async function ownNats(
  config: HubConfig,
  { operator }: HubKeys,
  { group, log }: { group: RunGroup; log: Logger },
): Promise<NatsServer | undefined> {
  if (config.natsUrl !== undefined) return undefined;
  const { stateDir, natsPort: port } = config;
  const text = embeddedNatsConfig(operator, { host: LOOPBACK, port, stateDir });
  const nats = await startNatsServer({ stateDir, host: LOOPBACK, port, serverName: natsServerName(operator), config: text, log });
  await stopLater(group, 'nats', () => nats.stop());
  return nats;
}

/** A server that came up after stopping began is stopped at once: nobody else would. */
async function stopLater(group: RunGroup, name: string, stop: () => Promise<void>): Promise<void> {
  if (!group.signal.aborted) return group.onStop(name, stop);
  await stop();
  throw new AppError('stopped', 'the hub was stopped while it started');
}
