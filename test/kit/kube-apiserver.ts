/**
 * A real API server of Kubernetes for a test file, with an etcd of its own: everything but controllers, scheduler and kubelets, whose
 * objects (EndpointSlices, Nodes, Pods, tokens) tests write themselves. It can be killed, frozen, compacted and brought back.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createPublicKey, randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endServer } from './end-server.ts';
import { startEtcd, type TestEtcd } from './etcd.ts';
import { forge, forgeRoot, keyPem, newKeys, P256 } from './forge.ts';
import { kubeApiserverBinary } from './kube-apiserver-binary.ts';
import { KubeClient } from './kube-client.ts';
import { freePort } from './ports.ts';
import { eventually } from './served.ts';
import { frozen } from './stand-still.ts';

/** Somebody whom the server knows by a token; what they may do is for RBAC to say. */
export interface KubeUser {
  readonly name: string;
  readonly groups?: readonly string[];
}

/** What is unlike the rest; nothing need be. */
export interface KubeApiserverOptions {
  /** Besides `admin`, who is in `system:masters`. */
  readonly users?: readonly KubeUser[];
  /** CIDRs of ClusterIPs, two for dual stack. Default: `10.96.0.0/16`. */
  readonly serviceCidrs?: string;
  /** More flags of kube-apiserver, without dashes; they win over ours. */
  readonly flags?: Readonly<Record<string, string>>;
}

/** A running cluster of one API server. */
export interface TestKubeApiserver {
  readonly url: string;
  /** PEM of who signed its certificate. */
  readonly ca: string;
  readonly adminToken: string;
  /** The administrator's client. */
  readonly admin: KubeClient;
  readonly etcd: TestEtcd;
  readonly pid: number;
  /** The token of a user; of a service account with `serviceAccountToken`. */
  token(user: string): string;
  /** A client that bears a token. */
  client(token: string): KubeClient;
  /** Path of a kubeconfig file that bears a token; a user's or a service account's. */
  kubeconfig(token: string): Promise<string>;
  /** A token of a service account by TokenRequest; the account is made if need be, in a namespace that is there. */
  serviceAccountToken(account: { readonly namespace: string; readonly name: string }, spec?: object): Promise<string>;
  /** Ends it as a crash does; port and data stay. */
  kill(): Promise<void>;
  /** Starts it again, after `kill` if it still runs; its watch cache begins anew. */
  restart(): Promise<void>;
  /** Stands still, as a machine that hangs does, while `during` runs. */
  freeze(during: () => Promise<void>): Promise<void>;
  /**
   * Makes all earlier resource versions too old: etcd forgets them, and the server, whose watch cache still has them, is started anew.
   * Lists and watches from one of them then answer 410 Gone.
   */
  compact(): Promise<void>;
  /** Ends both processes and removes their files. */
  stop(): Promise<void>;
}

/** Audience of tokens that say none. */
export const SERVICE_ACCOUNT_ISSUER = 'https://kubernetes.default.svc.cluster.local';
const START_MS = 120_000;

/** Nobody here makes default accounts, classes, quotas or volumes. */
const ABSENT_ADMISSION = [
  ...['ServiceAccount', 'DefaultStorageClass', 'StorageObjectInUseProtection', 'PersistentVolumeClaimResize', 'DefaultIngressClass'],
  ...['LimitRanger', 'ResourceQuota', 'Priority', 'RuntimeClass', 'TaintNodesByCondition', 'DefaultTolerationSeconds'],
  ...['CertificateApproval', 'CertificateSigning', 'CertificateSubjectRestriction', 'ClusterTrustBundleAttest'],
];

/** Served by nobody: each costs memory and a watch of etcd. */
const ABSENT_APIS = ['resource.k8s.io/v1', 'storage.k8s.io/v1', 'flowcontrol.apiserver.k8s.io/v1', 'node.k8s.io/v1', 'events.k8s.io/v1'];

const FLAGS = {
  'authorization-mode': 'RBAC',
  'service-account-issuer': SERVICE_ACCOUNT_ISSUER,
  'service-cluster-ip-range': '10.96.0.0/16',
  'endpoint-reconciler-type': 'none',
  'allow-privileged': 'true',
  'enable-priority-and-fairness': 'false',
  'disable-admission-plugins': ABSENT_ADMISSION.join(','),
  'runtime-config': ABSENT_APIS.map((api) => `${api}=false`).join(','),
  profiling: 'false',
};

/** Starts both; ready within seconds once the program is built, which takes minutes (`kubeApiserverBinary`). */
export async function startKubeApiserver(options: KubeApiserverOptions = {}): Promise<TestKubeApiserver> {
  const program = await kubeApiserverBinary();
  const [folder, etcd, port] = await Promise.all([mkdtemp(join(tmpdir(), 'hawser-kube-')), startEtcd(), freePort()]);
  const url = `https://127.0.0.1:${port}`;
  const users = [{ name: 'admin', groups: ['system:masters'] }, ...(options.users ?? [])];
  const tokens = new Map(users.map(({ name }) => [name, randomBytes(16).toString('hex')]));
  const token = (user: string): string => tokens.get(user) ?? fail(`${user} is not among the users of this API server`);
  const ca = await writeFiles(
    folder,
    users.map(({ name, groups = [] }) => `${token(name)},${name},${name},"${groups.join(',')}"`),
  );
  const client = (bearer: string): KubeClient => new KubeClient({ url, ca, token: bearer });
  const admin = client(token('admin'));
  const flags = { ...flagsOf(folder, port), 'etcd-servers': etcd.url, ...serviceCidrs(options), ...options.flags };
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
  const start = (): Promise<ChildProcess> => startServer(program, args, admin);
  const remove = async (): Promise<void> => {
    await etcd.stop();
    await rm(folder, { recursive: true, force: true });
  };
  let child = await start().catch(async (error: unknown) => {
    await remove();
    throw error;
  });
  const kill = (): Promise<void> => endServer(child, 'SIGKILL');
  const restart = async (): Promise<void> => {
    await kill();
    child = await start();
  };
  return {
    ...{ url, ca, adminToken: token('admin'), admin, etcd, token, client, kill, restart },
    get pid() {
      return child.pid ?? 0;
    },
    kubeconfig: async (bearer) => {
      const path = join(folder, `kubeconfig-${randomBytes(4).toString('hex')}.json`);
      await writeFile(path, kubeconfig({ url, ca, token: bearer }), { mode: 0o600 });
      return path;
    },
    serviceAccountToken: (account, spec = {}) => serviceAccountToken(admin, account, spec),
    freeze: (during) => frozen(child, during),
    compact: async () => {
      await etcd.compact();
      await restart();
    },
    stop: async () => {
      await kill();
      await remove();
    },
  };
}

function serviceCidrs({ serviceCidrs: cidrs }: KubeApiserverOptions): Record<string, string> {
  return cidrs === undefined ? {} : { 'service-cluster-ip-range': cidrs };
}

function flagsOf(folder: string, port: number): Record<string, string> {
  const file = (name: string): string => join(folder, name);
  return {
    ...FLAGS,
    ...{ 'bind-address': '127.0.0.1', 'advertise-address': '127.0.0.1', 'secure-port': String(port), 'cert-dir': folder },
    ...{ 'tls-cert-file': file('server.pem'), 'tls-private-key-file': file('server.key'), 'token-auth-file': file('tokens.csv') },
    ...{ 'service-account-key-file': file('accounts.pub'), 'service-account-signing-key-file': file('accounts.key') },
  };
}

/** Certificate, tokens and the key of service accounts; returns the certificate of the authority. */
async function writeFiles(folder: string, tokens: readonly string[]): Promise<string> {
  const root = await forgeRoot('kubernetes');
  const names = [{ type: 'ip', value: '127.0.0.1' } as const, { type: 'dns', value: 'kubernetes.default.svc' } as const];
  const accounts = await keyPem(await newKeys(P256));
  const server = await forge(root, { names, until: 24 });
  const files = {
    'server.pem': server.certificate,
    'server.key': server.key,
    'tokens.csv': `${tokens.join('\n')}\n`,
    'accounts.key': accounts,
    'accounts.pub': createPublicKey(accounts).export({ type: 'spki', format: 'pem' }).toString(),
  };
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text, { mode: 0o600 })));
  return `${root.certificate.toString('pem')}\n`;
}

/** Resolves when the server says that it is ready (`/readyz`: RBAC's own roles are there too). */
async function startServer(program: string, args: readonly string[], admin: KubeClient): Promise<ChildProcess> {
  // Memory is dearer than time where several run beside everything else.
  const env = { ...process.env, GOGC: '50' };
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env });
  let said = '';
  child.stderr.on('data', (text: Buffer) => {
    said = (said + text.toString()).slice(-4_000);
  });
  const isReady = async (): Promise<boolean> => {
    if (child.exitCode !== null) throw new Error(`kube-apiserver ended: ${said}`);
    return (await admin.ask('GET', '/readyz').catch(() => undefined))?.code === 200;
  };
  await eventually(isReady, () => `kube-apiserver is not ready: ${said}`, START_MS).catch(async (error: unknown) => {
    await endServer(child, 'SIGKILL');
    throw error;
  });
  return child;
}

async function serviceAccountToken(admin: KubeClient, account: { namespace: string; name: string }, spec: object): Promise<string> {
  await admin.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: account });
  const path = `/api/v1/namespaces/${account.namespace}/serviceaccounts/${account.name}/token`;
  const { status } = await admin.must<{ status: { token: string } }>('POST', path, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec,
  });
  return status.token;
}

/** A kubeconfig of one cluster and one user (client-go, clientcmd/api/v1); JSON is YAML. */
function kubeconfig({ url, ca, token }: { url: string; ca: string; token: string }): string {
  return JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'test' },
    clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority-data': Buffer.from(ca).toString('base64') } }],
    users: [{ name: 'test', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
  });
}

function fail(message: string): never {
  throw new Error(message);
}
