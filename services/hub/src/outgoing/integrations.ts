/**
 * Servers outside that the hub asks or tells, by name: whoever runs the hub says where they are and how they are believed, whoever
 * writes policies only names them, so that no policy sends the hub, or a secret of it, anywhere (decision 29).
 */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { DnsLabel } from '@hawser/model/kind-specs.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { requireLoopback } from '@hawser/runtime/plain-listener.ts';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { parse } from 'yaml';

const strict = { additionalProperties: false } as const;
const Path = Type.Optional(Type.String({ minLength: 1 }));
const Server = { name: DnsLabel, url: Type.String({ pattern: '^https?://[^/?#@]+(/[^?#]*)?$', maxLength: 2048 }), caFile: Path };

const Prometheus = Type.Object({ ...Server, bearerTokenFile: Path }, strict);
const Webhook = Type.Object(
  {
    ...Server,
    // Addresses of chat systems carry their key in the query.
    url: Type.String({ pattern: '^https?://[^/?#@]+([/?][^#]*)?$', maxLength: 2048 }),
    secretFile: Path,
    secretEnv: Type.Optional(Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]*$' })),
    kinds: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })),
    phases: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })),
  },
  strict,
);
const IntegrationsFile = Type.Object(
  { prometheus: Type.Optional(Type.Array(Prometheus)), webhooks: Type.Optional(Type.Array(Webhook, { maxItems: 20 })) },
  strict,
);

/** A Prometheus server. Paths are absolute; what is in the files is read when it is needed, so that it may change. */
export type PrometheusServer = Readonly<Static<typeof Prometheus>>;
/** Where notifications go: of these kinds and phases, or of all. */
export type WebhookSink = Readonly<Static<typeof Webhook>>;

/** All of them. */
export interface Integrations {
  readonly prometheus: ReadonlyMap<string, PrometheusServer>;
  readonly webhooks: readonly WebhookSink[];
}

/** Nobody outside. */
export const NO_INTEGRATIONS: Integrations = { prometheus: new Map(), webhooks: [] };
const validator = Compile(IntegrationsFile);

/** Reads the file of `--integrations`; throws `config-invalid` naming the place. */
export async function loadIntegrations(file: string | undefined): Promise<Integrations> {
  if (file === undefined) return NO_INTEGRATIONS;
  const found = await readYaml(file);
  if (!validator.Check(found)) {
    const [first] = validator.Errors(found);
    const what = first?.message === 'schema is false' ? 'is not a field here' : (first?.message ?? 'is not as it should be');
    throw wrong(file, `${first?.instancePath ?? ''} ${what}`);
  }
  const { prometheus = [], webhooks = [] } = found;
  for (const [list, servers] of Object.entries({ prometheus, webhooks })) checkServers(file, list, servers);
  const both = webhooks.find(({ secretFile, secretEnv }) => secretFile !== undefined && secretEnv !== undefined);
  if (both !== undefined) throw wrong(file, `the webhook ${both.name} has secretFile and secretEnv: give one`);
  const here = (path: string | undefined) => (path === undefined ? undefined : resolve(dirname(file), path));
  const withPaths = <T extends object>(server: T): T =>
    Object.fromEntries(Object.entries(server).map(([key, value]) => [key, key.endsWith('File') ? here(value) : value])) as T;
  return { prometheus: new Map(prometheus.map((server) => [server.name, withPaths(server)])), webhooks: webhooks.map(withPaths) };
}

async function readYaml(file: string): Promise<unknown> {
  try {
    return parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw wrong(file, messageOf(error).split('\n')[0] ?? '');
  }
}

function checkServers(file: string, list: string, servers: readonly { readonly name: string; readonly url: string }[]): void {
  const names = servers.map(({ name }) => name);
  for (const [index, { name, url }] of servers.entries()) {
    if (names.indexOf(name) !== index) throw wrong(file, `${list} has ${name} twice`);
    const parsed = URL.parse(url);
    if (parsed === null) throw wrong(file, `the url of ${name} in ${list} is no URL`);
    if (parsed.protocol === 'http:') requireLoopback(parsed.hostname, `the url of ${name} in ${list} of ${file}`, { wayOut: 'use https' });
  }
}

function wrong(file: string, what: string): AppError {
  return new AppError('config-invalid', `--integrations (HAWSER_HUB_INTEGRATIONS) is ${file}: ${what}`);
}

/** The first line of a file that holds a secret; throws `Error` without it. */
export async function secretIn(file: string): Promise<string> {
  const [line = ''] = (await readFile(file, 'utf8')).split(/\r?\n/);
  if (line.trim() === '') throw new Error(`${file} is empty`);
  return line.trim();
}
