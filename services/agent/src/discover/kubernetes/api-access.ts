/**
 * Where an API server is and what proves who asks: a Pod's own service account, or a kubeconfig. What needs a program or a browser
 * to make a credential is refused: an agent runs unattended.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { isLoopback } from '@hawser/runtime/plain-listener.ts';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { parse } from 'yaml';

/** What a connection to the API server is made with. */
export interface ApiAccess {
  readonly server: URL;
  readonly ca: string | undefined;
  readonly clientCertificate: string | undefined;
  readonly clientKey: string | undefined;
  /** Name that the server's certificate bears, where it is not that of the URL. */
  readonly serverName: string | undefined;
  readonly insecure: boolean;
  /** The bearer token of this moment; undefined where a certificate proves it all. Files are read anew every minute, as tokens rotate, and once the last one `isRefused`. */
  bearer(isRefused?: boolean): string | undefined;
}

const ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';
const REREAD_MS = 60_000;

/** Access from inside of the cluster. */
export function inClusterAccess(env: NodeJS.ProcessEnv = process.env, folder: string = ACCOUNT_FOLDER): ApiAccess {
  const [host, port] = [env['KUBERNETES_SERVICE_HOST'], env['KUBERNETES_SERVICE_PORT']];
  if (host === undefined || port === undefined)
    throw new AppError(
      'config-invalid',
      '--kubernetes: this is no Pod (KUBERNETES_SERVICE_HOST is not set): name a file with --kubeconfig',
    );
  return {
    server: new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`),
    ca: readText(`${folder}/ca.crt`, 'the service account'),
    ...{ clientCertificate: undefined, clientKey: undefined, serverName: undefined, insecure: false },
    bearer: tokenFile(`${folder}/token`),
  };
}

const text = Type.Optional(Type.String());
const Entry = Type.Object({ name: Type.String() });
const ClusterEntry = Type.Object({
  server: Type.String(),
  'certificate-authority': text,
  'certificate-authority-data': text,
  'tls-server-name': text,
  'insecure-skip-tls-verify': Type.Optional(Type.Boolean()),
  'proxy-url': text,
});
const UserEntry = Type.Object({
  token: text,
  tokenFile: text,
  'client-certificate': text,
  'client-certificate-data': text,
  'client-key': text,
  'client-key-data': text,
});
const Kubeconfig = Type.Object({
  'current-context': text,
  contexts: Type.Array(Type.Intersect([Entry, Type.Object({ context: Type.Object({ cluster: Type.String(), user: Type.String() }) })])),
  clusters: Type.Array(Type.Intersect([Entry, Type.Object({ cluster: ClusterEntry })])),
  users: Type.Array(Type.Intersect([Entry, Type.Object({ user: UserEntry })])),
});
type Kubeconfig = Static<typeof Kubeconfig>;
const kubeconfigShape = Compile(Kubeconfig);

/** What a program made that a kubeconfig names (`users[].user.exec`): a token, or a certificate and its key in PEM. */
export interface MadeCredential {
  readonly token: string | undefined;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
}

/** Runs such a program; throws when it makes nothing. */
export type MakeCredential = (exec: unknown, kubeconfig: string) => MadeCredential;

/**
 * Access by a kubeconfig file; throws `config-invalid` that names what in it is not usable. Programs that make credentials are refused
 * unless `make` runs them, where somebody sits who may be asked.
 */
export function kubeconfigAccess(path: string, context: string | undefined, make?: MakeCredential): ApiAccess {
  const { cluster, user } = chosen(path, context, make);
  const folder = dirname(path);
  const material = (file: string | undefined, encoded: string | undefined): string | undefined => {
    if (encoded !== undefined) return Buffer.from(encoded, 'base64').toString('utf8');
    return file === undefined ? undefined : readText(resolve(folder, file), path);
  };
  const server = serverOf(path, cluster.server);
  const token = user.token === undefined ? undefined : () => user.token;
  return {
    server,
    ca: material(cluster['certificate-authority'], cluster['certificate-authority-data']),
    clientCertificate: material(user['client-certificate'], user['client-certificate-data']),
    clientKey: material(user['client-key'], user['client-key-data']),
    serverName: cluster['tls-server-name'],
    insecure: cluster['insecure-skip-tls-verify'] === true,
    bearer: token ?? (user.tokenFile === undefined ? () => undefined : tokenFile(resolve(folder, user.tokenFile))),
  };
}

function chosen(
  path: string,
  wanted: string | undefined,
  make: MakeCredential | undefined,
): { cluster: Static<typeof ClusterEntry>; user: Static<typeof UserEntry> } {
  const config = parsed(path);
  const name = wanted ?? config['current-context'];
  const context = config.contexts.find((one) => one.name === name)?.context;
  if (context === undefined)
    throw unusable(path, name ? `it has no context ${JSON.stringify(name)}` : 'it has no current-context: name one with --context');
  const cluster = config.clusters.find((one) => one.name === context.cluster)?.cluster;
  const user = config.users.find((one) => one.name === context.user)?.user;
  if (cluster === undefined || user === undefined)
    throw unusable(path, `context ${JSON.stringify(name)} names a cluster or user that is not there`);
  if (cluster['proxy-url'] !== undefined) throw unusable(path, 'proxy-url is not supported');
  if (make !== undefined && Object.hasOwn(user, 'exec')) return { cluster, user: madeUser(make((user as { exec?: unknown }).exec, path)) };
  const refused = ['exec', 'auth-provider', 'username'].find((field) => Object.hasOwn(user, field));
  if (refused !== undefined)
    throw unusable(path, `users[].user.${refused} is not supported: give the agent a token, a tokenFile or a client certificate`);
  return { cluster, user };
}

function madeUser({ token, certificate, key }: MadeCredential): Static<typeof UserEntry> {
  const encoded = (pem: string): string => Buffer.from(pem).toString('base64');
  return {
    ...(token === undefined ? {} : { token }),
    ...(certificate === undefined ? {} : { 'client-certificate-data': encoded(certificate) }),
    ...(key === undefined ? {} : { 'client-key-data': encoded(key) }),
  };
}

function parsed(path: string): Kubeconfig {
  let content: unknown;
  try {
    content = parse(readText(path, '--kubeconfig'));
  } catch (error) {
    throw error instanceof AppError ? error : unusable(path, messageOf(error));
  }
  if (kubeconfigShape.Check(content)) return content;
  const [error] = kubeconfigShape.Errors(content);
  throw unusable(path, `${(error?.instancePath ?? '').slice(1).replaceAll('/', '.')}: ${error?.message ?? 'is no kubeconfig'}`);
}

/** A token must not cross a network in the clear. */
function serverOf(path: string, text: string): URL {
  const url = URL.parse(text);
  if (url === null || !['https:', 'http:'].includes(url.protocol))
    throw unusable(path, `server ${JSON.stringify(text)} is no URL of an API server`);
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) throw unusable(path, `server ${text}: plain HTTP is for loopback alone`);
  return url;
}

function unusable(path: string, message: string): AppError {
  return new AppError('config-invalid', `--kubeconfig ${path}: ${message}`);
}

function tokenFile(path: string): ApiAccess['bearer'] {
  let known: { readonly token: string; readonly at: number } | undefined;
  return (isRefused = false) => {
    if (known !== undefined && !isRefused && performance.now() - known.at < REREAD_MS) return known.token;
    try {
      known = { token: readText(path, 'the token of the API server'), at: performance.now() };
    } catch (error) {
      // What was read last may still be good: the API server decides.
      if (known === undefined) throw error;
    }
    return known.token;
  };
}

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new AppError('config-invalid', `${what}: ${messageOf(error)}`, { cause: error });
  }
}
