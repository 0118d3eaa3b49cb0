/** NATS decentralized authentication (nats-concepts, "Decentralized JWT Authentication"): operator → account → users. */
import { encodeAccount, encodeOperator, encodeUser } from '@nats-io/jwt';
import { createAccount, createOperator as createOperatorKey, createUser, fromSeed, type KeyPair } from '@nats-io/nkeys';
import type { BusCredentials } from './bus.ts';
import { clusterPermissions, hubPermissions, type NatsPermissions } from './nats-permissions.ts';

/** An operator with one account for Hawser, made once and kept: seeds are secrets (0600), JWTs are not. */
export interface NatsOperator {
  readonly operatorSeed: string;
  readonly accountSeed: string;
  readonly operatorJwt: string;
  readonly accountJwt: string;
  readonly systemAccountJwt: string;
}

/** Where a server listens and stores. `syncAlways` (the default) has it fsync before it acknowledges. */
export interface NatsServerSettings {
  readonly host: string;
  readonly port: number;
  readonly storeDir: string;
  readonly serverName?: string;
  readonly syncAlways?: boolean;
  /** Makes it one of a NATS cluster: where the others reach it, and where it reaches them (`nats-route://HOST:PORT`). */
  readonly cluster?: { readonly port: number; readonly routes: readonly string[] } | undefined;
  /** Files (PEM) with which clients are served by TLS alone, 1.2 or newer; read again on SIGHUP. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string } | undefined;
}

const UNLIMITED = -1;
/** All of them: given only some, the JWT library leaves the others at 0, which forbids. */
const ACCOUNT_LIMITS = {
  ...{ subs: UNLIMITED, data: UNLIMITED, payload: UNLIMITED, conn: UNLIMITED, leaf: 0, imports: 0, exports: 0, wildcards: true },
  ...{ mem_storage: UNLIMITED, disk_storage: UNLIMITED, streams: UNLIMITED, consumer: UNLIMITED },
};
/** How long an answer to a request may be published, nanoseconds. */
const RESPONSE_TTL = 15_000_000_000;

/** Makes an operator, Hawser's account with JetStream, and a system account of which nobody keeps the key. */
export async function createOperator(name = 'hawser'): Promise<NatsOperator> {
  const operator = createOperatorKey();
  const account = createAccount();
  const system = createAccount();
  return {
    operatorSeed: seedOf(operator),
    accountSeed: seedOf(account),
    operatorJwt: await encodeOperator(name, operator, { system_account: system.getPublicKey() }),
    accountJwt: await encodeAccount(name, account, { limits: ACCOUNT_LIMITS }, { signer: operator }),
    systemAccountJwt: await encodeAccount('SYS', system, {}, { signer: operator }),
  };
}

/** Text of a nats-server configuration that trusts the operator and knows its accounts; the same arguments give the same text. */
export function serverConfig(operator: NatsOperator, settings: NatsServerSettings): string {
  const { host, port, storeDir, serverName, syncAlways = true, tls, cluster } = settings;
  const system = subjectOf(operator.systemAccountJwt);
  return [
    `listen: ${JSON.stringify(`${host}:${port}`)}`,
    ...(serverName === undefined ? [] : [`server_name: ${JSON.stringify(serverName)}`]),
    'max_payload: 1048576',
    'ping_interval: "10s"',
    'ping_max: 2',
    'write_deadline: "10s"',
    ...(tls === undefined ? [] : tlsBlock(tls)),
    ...(cluster === undefined ? [] : clusterBlock(host, cluster)),
    `operator: ${operator.operatorJwt}`,
    `system_account: ${system}`,
    'resolver: MEMORY',
    'resolver_preload {',
    `  ${subjectOf(operator.accountJwt)}: ${operator.accountJwt}`,
    `  ${system}: ${operator.systemAccountJwt}`,
    '}',
    'jetstream {',
    `  store_dir: ${JSON.stringify(storeDir)}`,
    // Room for both streams. By default it is what is free on the disk at the start, and a disk nearly full would have no streams at all.
    '  max_file_store: 5GB',
    ...(syncAlways ? ['  sync_interval: always'] : []),
    '}',
    '',
  ].join('\n');
}

function tlsBlock({ certFile, keyFile }: { readonly certFile: string; readonly keyFile: string }): string[] {
  const files = [`  cert_file: ${JSON.stringify(certFile)}`, `  key_file: ${JSON.stringify(keyFile)}`];
  return ['tls {', ...files, '  min_version: "1.2"', '  timeout: 5', '}'];
}

function clusterBlock(host: string, { port, routes }: NonNullable<NatsServerSettings['cluster']>): string[] {
  return ['cluster {', '  name: hawser', `  listen: ${JSON.stringify(`${host}:${port}`)}`, `  routes: ${JSON.stringify(routes)}`, '}'];
}

/** A user of NATS whose credentials issued up to a moment (Unix seconds) are void. */
export interface RevokedUser {
  readonly natsUser: string;
  readonly until: number;
}

/** The operator with an account that refuses these users: a server that reloads it drops their connections (NATS account JWT, `revocations`). */
export async function withRevocations(operator: NatsOperator, revoked: readonly RevokedUser[]): Promise<NatsOperator> {
  if (revoked.length === 0) return operator;
  const account = fromSeed(Buffer.from(operator.accountSeed));
  const signer = fromSeed(Buffer.from(operator.operatorSeed));
  const revocations = Object.fromEntries(revoked.map(({ natsUser, until }) => [natsUser, until]));
  return { ...operator, accountJwt: await encodeAccount('hawser', account, { limits: ACCOUNT_LIMITS, revocations }, { signer }) };
}

/** Public key of Hawser's account: it stays when the account's JWT is made anew. */
export function natsAccountKey(operator: Pick<NatsOperator, 'accountJwt'>): string {
  return subjectOf(operator.accountJwt);
}

/** A new user key: give the public one to whoever makes its JWT, keep the seed. */
export function createUserKey(): { readonly publicKey: string; readonly seed: string } {
  const user = createUser();
  return { publicKey: user.getPublicKey(), seed: seedOf(user) };
}

/** JWT of a cluster's agent: subjects of that cluster alone, until `expiresAt`. */
export function clusterUserJwt(
  operator: Pick<NatsOperator, 'accountSeed'>,
  user: { readonly cluster: string; readonly userPublicKey: string; readonly expiresAt: Date },
): Promise<string> {
  const { cluster, userPublicKey, expiresAt } = user;
  return userJwt(operator, { name: `agent ${cluster}`, userPublicKey, permissions: clusterPermissions(cluster), expiresAt });
}

/** Credentials of the hub's own user, new at each call. */
export async function hubCredentials(operator: Pick<NatsOperator, 'accountSeed'>): Promise<BusCredentials> {
  const { publicKey, seed } = createUserKey();
  return { jwt: await hubUserJwt(operator, publicKey), seed };
}

/** JWT of the hub's user; without `expiresAt` it does not expire. */
export function hubUserJwt(operator: Pick<NatsOperator, 'accountSeed'>, userPublicKey: string, expiresAt?: Date): Promise<string> {
  return userJwt(operator, { name: 'hub', userPublicKey, permissions: hubPermissions(), expiresAt });
}

interface UserSpec {
  readonly name: string;
  readonly userPublicKey: string;
  readonly permissions: NatsPermissions;
  readonly expiresAt: Date | undefined;
}

function userJwt(operator: Pick<NatsOperator, 'accountSeed'>, spec: UserSpec): Promise<string> {
  const { name, userPublicKey, permissions, expiresAt } = spec;
  const claims = {
    pub: { allow: [...permissions.publish] },
    sub: { allow: [...permissions.subscribe] },
    resp: { max: 1, ttl: RESPONSE_TTL },
    subs: 10_000,
    data: UNLIMITED,
    payload: UNLIMITED,
  };
  const expiry = expiresAt === undefined ? {} : { exp: Math.floor(expiresAt.getTime() / 1000) };
  return encodeUser(name, userPublicKey, fromSeed(Buffer.from(operator.accountSeed)), claims, expiry);
}

function seedOf(key: KeyPair): string {
  return Buffer.from(key.getSeed()).toString('ascii');
}

/** Who a JWT is about; it is our own, so nothing is verified. */
function subjectOf(jwt: string): string {
  const claims: unknown = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString('utf8'));
  if (typeof claims === 'object' && claims !== null && 'sub' in claims && typeof claims.sub === 'string') return claims.sub;
  throw new Error('the JWT has no subject');
}
