/** The hub's configuration: flags over `HAWSER_*` over defaults, checked once, then frozen. */
import { resolve } from 'node:path';
import { PORTS } from '@hawser/model/ports.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import { requireLoopback } from '@hawser/runtime/plain-listener.ts';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';

const Port = Type.Integer({ minimum: 0, maximum: 65535 });

/** Every setting of the hub. */
export const HubConfig = Type.Object(
  {
    /** Absolute path of the state folder. */
    stateDir: Type.String({ minLength: 1 }),
    /** DSN of an external PostgreSQL; without it the hub starts its own. */
    databaseUrl: Type.Optional(Type.String({ pattern: '^postgres(ql)?://' })),
    /** URL of an external NATS; without it the hub starts its own. */
    natsUrl: Type.Optional(Type.String({ pattern: '^(nats|tls)://' })),
    /** Address the API binds. */
    address: Type.String({ minLength: 1 }),
    port: Port,
    postgresPort: Port,
    natsPort: Port,
    /** How agents reach this hub; goes into join tokens. */
    publicUrl: Type.String({ pattern: '^https?://[^/]+$' }),
  },
  { additionalProperties: false },
);
export type HubConfig = Readonly<Static<typeof HubConfig>>;

/** Settings as flags give them: camel case, all text. */
export type HubFlags = Readonly<Record<string, string | undefined>>;

const SETTINGS: Readonly<Record<keyof HubConfig, string>> = {
  stateDir: 'HAWSER_STATE_DIR',
  databaseUrl: 'HAWSER_DATABASE_URL',
  natsUrl: 'HAWSER_NATS_URL',
  address: 'HAWSER_HUB_ADDRESS',
  port: 'HAWSER_HUB_PORT',
  postgresPort: 'HAWSER_POSTGRES_PORT',
  natsPort: 'HAWSER_NATS_PORT',
  publicUrl: 'HAWSER_HUB_PUBLIC_URL',
};
/** Read by other parts of the product; everything else that begins with `HAWSER_HUB_` is a mistake. */
const PORT_SETTINGS: ReadonlySet<string> = new Set(['port', 'postgresPort', 'natsPort']);
const validator = Compile(HubConfig);

/** Reads the configuration; throws `config-invalid` naming the flag or variable. */
export function loadHubConfig(flags: HubFlags, env: NodeJS.ProcessEnv = process.env): HubConfig {
  refuseUnknown(flags, env);
  const found: Record<string, string | number> = { stateDir: '.hawser', address: '127.0.0.1', port: PORTS.hub };
  found['postgresPort'] = PORTS.postgres;
  found['natsPort'] = PORTS.nats;
  for (const [key, variable] of Object.entries(SETTINGS)) {
    const text = flags[key] ?? env[variable];
    if (text !== undefined && text !== '') found[key] = PORT_SETTINGS.has(key) ? Number(text) : text;
  }
  found['stateDir'] = resolve(String(found['stateDir']));
  found['publicUrl'] = String(found['publicUrl'] ?? `http://${urlHost(String(found['address']))}:${found['port']}`).replace(/\/+$/, '');
  if (!validator.Check(found)) throw invalid(found);
  requireLoopback(found.address, '--address (HAWSER_HUB_ADDRESS)', env);
  return Object.freeze(found);
}

function refuseUnknown(flags: HubFlags, env: NodeJS.ProcessEnv): void {
  const flag = Object.keys(flags).find((key) => !Object.hasOwn(SETTINGS, key));
  if (flag !== undefined) throw new AppError('config-invalid', `--${kebab(flag)} is not a setting of the hub`);
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
  return new AppError('config-invalid', `--${kebab(key)} (${variable}) is ${JSON.stringify(found[key])}: ${first?.message ?? 'invalid'}`);
}

function kebab(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function urlHost(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
