/** Who may use NATS: configuration of the server, and credentials of clusters and of the hub. */
import { join } from 'node:path';
import {
  clusterUserJwt,
  type NatsOperator,
  type NatsServerSettings,
  type RevokedUser,
  serverConfig,
  withRevocations,
} from '@hawser/bus/nats-accounts.ts';
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import type { IssueNatsCredentials } from '../hub-core.ts';
import { loadHubKeys } from './hub-keys.ts';

/** Agents renew at a third of it, so an outage of 20 days and more is survived. */
const CREDENTIALS_LIFE_MS = 30 * 24 * 3_600_000;

/** Issues credentials of 30 days for agents; `urls` is where agents find NATS, `ca` the PEM of its CA. */
export function natsCredentialsIssuer(
  operator: NatsOperator,
  { urls, ca }: { readonly urls: readonly string[]; readonly ca?: string | undefined },
  now: () => number = Date.now,
): IssueNatsCredentials {
  return async ({ cluster, natsUser }) => {
    const expiresAt = new Date(now() + CREDENTIALS_LIFE_MS);
    const jwt = await clusterUserJwt(operator, { cluster, userPublicKey: natsUser, expiresAt });
    return { jwt, expiresAt: expiresAt.toISOString(), urls, ca };
  };
}

/** The name by which the hub recognises the server of its own state folder. */
export function natsServerName(operator: NatsOperator): string {
  return `hawser-${sha256(operator.accountJwt).slice(0, 12)}`;
}

/** Configuration of the server that the hub brings itself. */
export function embeddedNatsConfig(
  operator: NatsOperator,
  place: Pick<NatsServerSettings, 'host' | 'port' | 'tls' | 'serverName'> & { readonly stateDir: string },
): string {
  const { host, port, stateDir, tls, serverName = natsServerName(operator) } = place;
  const config = serverConfig(operator, {
    host,
    port,
    storeDir: join(stateDir, 'hub', 'nats', 'data'),
    serverName,
    tls,
  });
  return `${config}logfile_size_limit: 16777216\nlogfile_max_num: 3\n`;
}

/** Configuration for a nats-server that somebody else runs: put it in that server's place, adapt address and `store_dir`. `tls` are files on its machine. */
export async function externalNatsConfig(
  keysDir: string,
  { tls, revoked = [] }: { readonly tls?: NatsServerSettings['tls']; readonly revoked?: readonly RevokedUser[] } = {},
): Promise<string> {
  const operator = await withRevocations((await loadHubKeys(keysDir)).operator, revoked);
  return `${NOTE}${serverConfig(operator, { host: '0.0.0.0', port: 4222, storeDir: '/var/lib/nats', tls })}`;
}

const NOTE = `# nats-server configuration for a Hawser hub: it trusts the hub's operator key, and holds no secret.
# Adapt listen and store_dir, then run the hub with --nats-url. Where NATS is not on the hub's machine, it needs TLS: make a certificate with
#   hawser hub certificate --name HOST --out DIR
# print this again with --tls-cert FILE --tls-key FILE (their places on that machine), and run the hub with
#   --nats-url tls://HOST:4222 --nats-ca-file DIR/ca.crt
# Three servers, so that one may be lost: give each a server_name and a cluster block (name, listen, routes; with tls of its own), and the
# hub all their URLs, separated by commas. It then keeps three copies of everything (--nats-replicas).
# When a cluster was removed, print this again with --database-url and reload the server (SIGHUP): it drops that cluster's connection.
`;
