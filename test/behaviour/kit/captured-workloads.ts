/** Two clusters on real Envoys, and two workloads in network namespaces of their own whose traffic is captured by `hawser proxy run --capture`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Mesh } from '../../datapath/kit/mesh.ts';
import { createTrustDomain } from '../../datapath/kit/pki.ts';
import { until } from '../../datapath/kit/until.ts';
import { APP_PORTS, startEchoApp } from './echo-app.ts';
import { type Namespace, Network, type Ran } from './namespaces.ts';
import { startOutside } from './outside.ts';

const MAIN = join(import.meta.dirname, '../../../services/cli/src/main.ts');
/** The machine that they are on: the agent and what is outside of the mesh are there. */
export const HOST = '10.78.0.1';
const [EAST_GATEWAY, WEST_GATEWAY] = ['10.78.1.1', '10.78.2.1'];
/** The service `reviews` of `west`. */
export const MESH_HOST = 'reviews.bookinfo.svc.clusterset.local';
/** Who serves it. */
export const WEST_SERVERS = ['10.78.2.21', '10.78.2.22'] as const;
/** Of the workloads. */
export const RESOLV_CONF = `nameserver ${HOST}\nsearch bookinfo.svc.cluster.local svc.cluster.local\noptions ndots:5 timeout:3 attempts:1\n`;
/** Its ports, and where its servers listen. */
export const PORTS = [
  { name: 'http', port: 80, protocol: 'http' as const },
  { name: 'tcp', port: 5000, protocol: 'tcp' as const },
  { name: 'tls', port: 443, protocol: 'tcp' as const, application: 'tls' },
  { port: 7000, protocol: 'http' as const, application: 'auto' },
  { port: 7001, protocol: 'http' as const, application: 'auto' },
];
export const TARGETS = { '80': APP_PORTS.http, '5000': APP_PORTS.tcp, '443': APP_PORTS.tls, '7000': APP_PORTS.http, '7001': APP_PORTS.tcp };

/** A running setup. */
export interface CapturedWorkloads {
  readonly network: Network;
  readonly mesh: Mesh;
  /** Calls. */
  readonly client: Namespace;
  /** Serves `local` of `east`, at port 9080. */
  readonly server: Namespace;
  stop(): Promise<void>;
}

/** The command line's own program. */
export function hawser(...args: readonly string[]): string[] {
  return [process.execPath, MAIN, ...args];
}

/** Calls a URL there, as a program that knows of no proxy. */
export function curlIn(at: Namespace, url: string, ...more: readonly string[]): Promise<Ran> {
  return at.run(['curl', '-sS', '--max-time', '10', ...more, url]);
}

/** Starts everything; resolves when the client reaches both services. */
export async function startCapturedWorkloads(): Promise<CapturedWorkloads> {
  const folder = mkdtempSync(join(tmpdir(), 'hawser-capture-'));
  const network = await Network.create([HOST, EAST_GATEWAY, WEST_GATEWAY, ...WEST_SERVERS]);
  const clusters = [
    { name: 'east', gateways: [`${EAST_GATEWAY}:15443`] },
    { name: 'west', gateways: [`${WEST_GATEWAY}:15443`] },
  ];
  // Nothing is sent unasked: first requests and connections wait for their upstreams.
  const mesh = await Mesh.start(clusters, HOST, { sendsAllUpTo: 0 });
  const identity = await (await createTrustDomain('echo')).issue('spiffe://echo/app');
  const apps = await Promise.all(WEST_SERVERS.map((address) => startEchoApp(`west-${address.split('.')[3]}`, address, identity)));
  mesh.service('bookinfo/reviews', 'west', {
    ports: PORTS,
    endpoints: WEST_SERVERS.map((address, index) => ({ address, targetPorts: TARGETS, labels: { version: `v${index + 1}` } })),
  });
  await Promise.all([
    mesh.gateway('west', WEST_GATEWAY),
    ...WEST_SERVERS.map((address) => mesh.sidecar('west', address, 'bookinfo/reviews')),
  ]);
  const stopOutside = await startOutside(HOST);
  const client = await network.namespace('c', '10.78.1.11', RESOLV_CONF);
  const server = await network.namespace('s', '10.78.1.12', RESOLV_CONF);
  mesh.service('bookinfo/local', 'east', {
    exported: false,
    ports: [{ name: 'http', port: 80, protocol: 'http' }],
    endpoints: [{ address: server.address, targetPorts: { '80': 9080 }, labels: { app: 'local' } }],
  });
  server.start([process.execPath, '-e', `require('http').createServer((q, r) => r.end('local\\n')).listen(9080, '${server.address}')`]);
  const logs: (() => string)[] = [];
  for (const [at, account] of [
    [client, 'productpage'],
    [server, 'local'],
  ] as const) {
    const { code, out } = await at.run(hawser('proxy', 'capture', '--install', '--proxy-user', '0'), 'root');
    if (code !== 0) throw new Error(out);
    logs.push(startSidecar(at, account, { mesh, folder }));
  }
  let last = '';
  await until(
    async () => {
      const urls = [`http://${MESH_HOST}/`, 'http://local.bookinfo.svc.cluster.local/'];
      last = (await Promise.all(urls.map((url) => curlIn(client, url)))).map(({ out }) => out).join();
      return last.includes('west-') && last.includes('local\n');
    },
    () => `the client does not reach the mesh: ${last} ${mesh.nacks.join()} ${logs.map((log) => log()).join('\n')}`,
  );
  return {
    ...{ network, mesh, client, server },
    stop: async () => {
      await mesh.stop();
      await network.remove();
      await Promise.all([stopOutside(), ...apps.map((app) => app.stop())]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function startSidecar(at: Namespace, account: string, { mesh, folder }: { readonly mesh: Mesh; readonly folder: string }): () => string {
  const tokenFile = join(folder, `${account}.token`);
  const claims = { cluster: 'east', namespace: 'bookinfo', serviceAccount: account };
  writeFileSync(tokenFile, Buffer.from(JSON.stringify(claims)).toString('base64'), { mode: 0o600 });
  const who = ['--cluster', 'east', '--name', account, '--namespace', 'bookinfo', '--service-account', account, '--address', at.address];
  const where = ['--agent', `${HOST}:${mesh.adsPort('east')}`, '--token-file', tokenFile, '--state-dir', folder];
  return at.start(hawser('proxy', 'run', '--capture', ...who, ...where), { HAWSER_ALLOW_PLAINTEXT: '1' });
}
