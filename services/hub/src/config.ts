/** The hub's configuration: flags over `HAWSER_*` over defaults, checked once, then frozen. */
import { join, resolve } from 'node:path';
import { PORTS } from '@hawser/model/ports.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import { flagName } from '@hawser/runtime/flag-name.ts';
import { isLoopback, plaintextAllowed, requireLoopback } from '@hawser/runtime/plain-listener.ts';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';

const Port = Type.Integer({ minimum: 0, maximum: 65535 });

/** Every setting of the hub. */
export const HubConfig = Type.Object(
  {
    /** Absolute path of the state folder. */
    stateDir: Type.String({ minLength: 1 }),
    /** Folder of the keys that all replicas of a hub share. */
    keysDir: Type.String({ minLength: 1 }),
    /** DSN of an external PostgreSQL; without it the hub starts its own. */
    databaseUrl: Type.Optional(Type.String({ pattern: '^postgres(ql)?://' })),
    /** URLs of an external NATS, separated by commas; without them the hub starts its own. */
    natsUrl: Type.Optional(Type.String({ pattern: '^(nats|tls)://[^,]+(,(nats|tls)://[^,]+)*$' })),
    /** Copies of what NATS stores; without it 3 where NATS is a cluster, else 1. */
    natsReplicas: Type.Optional(Type.Integer({ minimum: 1, maximum: 5 })),
    /** PEM file of the CA of an external NATS; without it the system's roots decide. */
    natsCaFile: Type.Optional(Type.String({ minLength: 1 })),
    /** Address that the hub's own NATS binds. */
    natsAddress: Type.String({ minLength: 1 }),
    /** Address the API binds. */
    address: Type.String({ minLength: 1 }),
    port: Port,
    postgresPort: Port,
    natsPort: Port,
    /** How agents reach this hub; goes into join tokens. */
    publicUrl: Type.String({ pattern: '^https?://[^/]+$' }),
    /** `auto`: beyond loopback, where plain text was not allowed; `on`: on loopback as well; `off`: never. */
    tls: Type.Union([Type.Literal('auto'), Type.Literal('on'), Type.Literal('off')]),
    /** PEM files of the API's certificate chain and key; without them the hub's own serving authority issues both. */
    tlsCert: Type.Optional(Type.String({ minLength: 1 })),
    tlsKey: Type.Optional(Type.String({ minLength: 1 })),
    /** PEM file of the CA that signed what agents see at the public URL: join tokens pin it. */
    tlsCa: Type.Optional(Type.String({ minLength: 1 })),
    /** Whether bundle endpoints of external trust domains may be at addresses that are not of the public Internet; off unless given. */
    privateBundleEndpoints: Type.Optional(Type.Union([Type.Literal('on'), Type.Literal('off')])),
    /** Whether http checks of policies may ask at addresses that are not of the public Internet; off unless given. */
    privateCheckEndpoints: Type.Optional(Type.Union([Type.Literal('on'), Type.Literal('off')])),
    /** YAML file of the servers outside that the hub asks and tells: Prometheus, webhooks. */
    integrations: Type.Optional(Type.String({ minLength: 1 })),
    /** Writes younger than this are kept in the history (default 90)… */
    historyKeepDays: Type.Optional(Type.Integer({ minimum: 1 })),
    /** …unless there are more than this (default 100,000). */
    historyKeepRevisions: Type.Optional(Type.Integer({ minimum: 1000 })),
    /** How long the audit is kept (default 365). */
    auditKeepDays: Type.Optional(Type.Integer({ minimum: 1 })),
    /** How long measured traffic is kept by the minute (default 7). */
    trafficKeepDays: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  { additionalProperties: false },
);
export type HubConfig = Readonly<Static<typeof HubConfig>>;

/** Settings as flags give them: camel case, all text. */
export type HubFlags = Readonly<Record<string, string | undefined>>;

const SETTINGS: Readonly<Record<keyof HubConfig, string>> = {
  stateDir: 'HAWSER_STATE_DIR',
  keysDir: 'HAWSER_HUB_KEYS_DIR',
  databaseUrl: 'HAWSER_DATABASE_URL',
  natsUrl: 'HAWSER_NATS_URL',
  natsReplicas: 'HAWSER_NATS_REPLICAS',
  address: 'HAWSER_HUB_ADDRESS',
  port: 'HAWSER_HUB_PORT',
  postgresPort: 'HAWSER_POSTGRES_PORT',
  natsPort: 'HAWSER_NATS_PORT',
  publicUrl: 'HAWSER_HUB_PUBLIC_URL',
  natsCaFile: 'HAWSER_NATS_CA_FILE',
  natsAddress: 'HAWSER_NATS_ADDRESS',
  tls: 'HAWSER_HUB_TLS',
  tlsCert: 'HAWSER_HUB_TLS_CERT',
  tlsKey: 'HAWSER_HUB_TLS_KEY',
  tlsCa: 'HAWSER_HUB_TLS_CA',
  privateBundleEndpoints: 'HAWSER_HUB_PRIVATE_BUNDLE_ENDPOINTS',
  privateCheckEndpoints: 'HAWSER_HUB_PRIVATE_CHECK_ENDPOINTS',
  integrations: 'HAWSER_HUB_INTEGRATIONS',
  historyKeepDays: 'HAWSER_HUB_HISTORY_KEEP_DAYS',
  historyKeepRevisions: 'HAWSER_HUB_HISTORY_KEEP_REVISIONS',
  auditKeepDays: 'HAWSER_HUB_AUDIT_KEEP_DAYS',
  trafficKeepDays: 'HAWSER_HUB_TRAFFIC_KEEP_DAYS',
};
/** Read by other parts of the product; everything else that begins with `HAWSER_HUB_` is a mistake. */
const KEEP = ['historyKeepDays', 'historyKeepRevisions', 'auditKeepDays', 'trafficKeepDays'];
const NUMBERS: ReadonlySet<string> = new Set(['port', 'postgresPort', 'natsPort', 'natsReplicas', ...KEEP]);
const validator = Compile(HubConfig);

/** Reads the configuration; throws `config-invalid` naming the flag or variable. */
export function loadHubConfig(flags: HubFlags, env: NodeJS.ProcessEnv = process.env): HubConfig {
  refuseUnknown(flags, env);
  const found: Record<string, string | number> = { stateDir: '.hawser', address: '127.0.0.1', port: PORTS.hub };
  found['natsAddress'] = '127.0.0.1';
  found['tls'] = 'auto';
  found['postgresPort'] = PORTS.postgres;
  found['natsPort'] = PORTS.nats;
  for (const [key, variable] of Object.entries(SETTINGS)) {
    const text = flags[key] ?? env[variable];
    if (text !== undefined && text !== '') found[key] = NUMBERS.has(key) ? Number(text) : text;
  }
  found['stateDir'] = resolve(String(found['stateDir']));
  found['keysDir'] = resolve(String(found['keysDir'] ?? join(found['stateDir'], 'hub', 'keys')));
  if (found['tls'] === 'auto' && plaintextAllowed(env)) found['tls'] = 'off';
  const scheme = apiSpeaksTls(found as ApiDoor) ? 'https' : 'http';
  found['publicUrl'] = String(found['publicUrl'] ?? `${scheme}://${urlHost(String(found['address']))}:${found['port']}`).replace(
    /\/+$/,
    '',
  );
  if (!validator.Check(found)) throw invalid(found);
  checkDoors(found, flags['publicUrl'] ?? env[SETTINGS.publicUrl], env);
  return Object.freeze(found);
}

type ApiDoor = Pick<HubConfig, 'tls' | 'tlsCert' | 'address'>;

/** Whether the API speaks TLS. */
export function apiSpeaksTls({ tls, tlsCert, address }: ApiDoor): boolean {
  return tlsCert !== undefined || tls === 'on' || (tls === 'auto' && !isLoopback(address));
}

/** Whether the hub's own NATS speaks TLS. */
export function natsSpeaksTls({ tls, natsAddress }: Pick<HubConfig, 'tls' | 'natsAddress'>): boolean {
  return tls === 'on' || (tls === 'auto' && !isLoopback(natsAddress));
}

/** The wildcard addresses are no address at which anybody could be reached. */
export function isWildcard(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

/** Nothing that carries a secret leaves this machine in plain text without the operator's word. */
function checkDoors(config: HubConfig, publicUrl: string | undefined, env: NodeJS.ProcessEnv): void {
  if ((config.tlsCert === undefined) !== (config.tlsKey === undefined))
    throw new AppError('config-invalid', '--tls-cert and --tls-key belong together: give both or none');
  if ((isWildcard(config.address) || isWildcard(config.natsAddress)) && publicUrl === undefined)
    throw new AppError(
      'config-invalid',
      'the hub is to listen on every address, so it cannot know by which one agents reach it: give --public-url (HAWSER_HUB_PUBLIC_URL)',
    );
  if (!apiSpeaksTls(config)) requireLoopback(config.address, '--address (HAWSER_HUB_ADDRESS)', { env });
  if (!natsSpeaksTls(config)) requireLoopback(config.natsAddress, '--nats-address (HAWSER_NATS_ADDRESS)', { env });
  const { protocol, hostname } = new URL(config.publicUrl);
  if (protocol === 'http:' && apiSpeaksTls(config))
    throw new AppError('config-invalid', `--public-url (HAWSER_HUB_PUBLIC_URL) is ${config.publicUrl}, but the API speaks TLS: say https`);
  if (protocol === 'http:') requireLoopback(hostname, '--public-url (HAWSER_HUB_PUBLIC_URL)', { env, wayOut: 'use https' });
  for (const url of config.natsUrl?.split(',') ?? [])
    if (url.startsWith('nats:')) requireLoopback(new URL(url).hostname, '--nats-url (HAWSER_NATS_URL)', { env, wayOut: 'use tls://' });
  if (config.databaseUrl !== undefined) checkDatabaseUrl(config.databaseUrl, env);
}

/** `pg` encrypts only when the DSN says so; `verify-full` also checks with whom. */
function checkDatabaseUrl(dsn: string, env: NodeJS.ProcessEnv): void {
  const url = URL.parse(dsn);
  const host = url?.searchParams.get('host') ?? url?.hostname ?? '';
  const encrypted = ['require', 'verify-ca', 'verify-full'].includes(url?.searchParams.get('sslmode') ?? '');
  if (encrypted || host === '' || host.startsWith('/') || host.startsWith('%2F')) return;
  const wayOut = 'add sslmode=verify-full (and sslrootcert=FILE for a CA of your own) to it';
  requireLoopback(host, 'the host of --database-url (HAWSER_DATABASE_URL)', { env, wayOut });
}

function refuseUnknown(flags: HubFlags, env: NodeJS.ProcessEnv): void {
  const flag = Object.keys(flags).find((key) => !Object.hasOwn(SETTINGS, key));
  if (flag !== undefined) throw new AppError('config-invalid', `${flagName(flag)} is not a setting of the hub`);
  const known = new Set(Object.values(SETTINGS));
  const variable = Object.keys(env).find((name) => name.startsWith('HAWSER_HUB_') && !known.has(name));
  if (variable !== undefined) {
    throw new AppError('config-invalid', `${variable} is not a setting of the hub; it knows ${[...known].join(', ')}`);
  }
}

function invalid(found: Record<string, unknown>): AppError {
  const first = validator.Errors(found)[0];
  const key = first?.instancePath.slice(1) ?? '';
  const variable = Object.hasOwn(SETTINGS, key) ? SETTINGS[key as keyof HubConfig] : key;
  return new AppError('config-invalid', `${flagName(key)} (${variable}) is ${JSON.stringify(found[key])}: ${first?.message ?? 'invalid'}`);
}

function urlHost(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
