/** PostgreSQL and NATS for a hub: those it is pointed at, or its own. */
import { join } from 'node:path';
import { type RevokedUser, withRevocations } from '@hawser/bus/nats-accounts.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { writeDurably } from '@hawser/runtime/durable-file.ts';
import type { ServerCertificate } from '@hawser/runtime/live-certificate.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { RunGroup } from '@hawser/runtime/run-group.ts';
import type { HubKeys } from './bus/hub-keys.ts';
import { embeddedNatsConfig, natsServerName } from './bus/nats-access.ts';
import { type NatsServer, startNatsServer } from './bus/nats-server.ts';
import { type HubConfig, isWildcard } from './config.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from './postgres/embedded-postgres.ts';
import type { HubDoors } from './serving/hub-doors.ts';

/** Where the servers are, and those that the hub brought. */
export interface Servers {
  readonly dsn: string;
  readonly natsUrls: readonly string[];
  /** As agents reach NATS. */
  readonly agentNatsUrls: readonly string[];
  readonly postgres: EmbeddedPostgres | undefined;
  readonly nats: NatsServer | undefined;
  /** Has the hub's own NATS refuse these users; an external one gets them from `hawser hub nats-config`. */
  revoke(revoked: readonly RevokedUser[]): Promise<void>;
}

const LOOPBACK = '127.0.0.1';

/** Starts what is not given, both at once; the group stops them last. */
export async function startServers(
  config: HubConfig,
  keys: HubKeys,
  run: { readonly group: RunGroup; readonly log: Logger; readonly doors?: Pick<HubDoors, 'nats'> },
): Promise<Servers> {
  const [postgres, nats] = await Promise.allSettled([ownPostgres(config, run), ownNats(config, keys, run)]);
  if (postgres.status === 'rejected') throw postgres.reason;
  if (nats.status === 'rejected') throw nats.reason;
  const natsUrls = config.natsUrl?.split(',') ?? (nats.value === undefined ? [] : [nats.value.server.url]);
  return {
    dsn: config.databaseUrl ?? postgres.value?.dsn ?? '',
    natsUrls,
    agentNatsUrls: nats.value !== undefined && isWildcard(config.natsAddress) ? [publicNatsUrl(config, nats.value.server.url)] : natsUrls,
    postgres: postgres.value,
    nats: nats.value?.server,
    revoke: async (revoked) => nats.value?.revoke(revoked),
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
  { group, log, doors }: { group: RunGroup; log: Logger; doors?: Pick<HubDoors, 'nats'> },
): Promise<{ readonly server: NatsServer; revoke(revoked: readonly RevokedUser[]): Promise<void> } | undefined> {
  if (config.natsUrl !== undefined) return undefined;
  const { stateDir, natsPort: port, natsAddress } = config;
  const certificate = doors?.nats;
  const tls = certificate === undefined ? undefined : await natsCertificateFiles(stateDir, certificate.current);
  const place = { host: natsAddress, port, stateDir, tls, serverName: natsServerName(operator) };
  const text = embeddedNatsConfig(operator, place);
  const host = isWildcard(natsAddress) ? LOOPBACK : natsAddress;
  const { serverName } = place;
  const nats = await startNatsServer({ stateDir, host, port, serverName, config: text, tls: tls !== undefined, log });
  certificate?.onChange((renewed) => {
    natsCertificateFiles(stateDir, renewed)
      .then(() => nats.reload())
      .catch((error: unknown) => log.error({ error: messageOf(error) }, 'NATS did not get its new certificate'));
  });
  if (tls !== undefined) await nats.reload(); // an adopted one has an older certificate
  await stopLater(group, 'nats', () => nats.stop());
  return {
    server: nats,
    revoke: async (revoked) => nats.configure(embeddedNatsConfig(await withRevocations(operator, revoked), place)),
  };
}

/** One file for both, so that the server never reads halves that do not fit. */
async function natsCertificateFiles(stateDir: string, { cert, key }: ServerCertificate): Promise<{ certFile: string; keyFile: string }> {
  const file = join(stateDir, 'hub', 'nats', 'tls.pem');
  await writeDurably(file, cert + key);
  return { certFile: file, keyFile: file };
}

/** The hub's own NATS by the host of the hub's public URL. */
function publicNatsUrl({ publicUrl, natsPort }: HubConfig, url: string): string {
  return `${new URL(url).protocol}//${new URL(publicUrl).hostname}:${natsPort}`;
}

/** A server that came up after stopping began is stopped at once: nobody else would. */
async function stopLater(group: RunGroup, name: string, stop: () => Promise<void>): Promise<void> {
  if (!group.signal.aborted) return group.onStop(name, stop);
  await stop();
  throw new AppError('stopped', 'the hub was stopped while it started');
}
