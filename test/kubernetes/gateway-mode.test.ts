/**
 * A cluster without sidecars on a real API server, with the processes that run in one: a plain program calls another cluster as kube-proxy
 * would lead it, through the outbound gateway, by HTTP and TCP and by names.
 */

import { Resolver } from 'node:dns/promises';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { firstMessage, framed } from '@hawser/cli/proxy/names/forwarder.ts';
import { PORTS } from '@hawser/model/ports.ts';
import { decode, encode } from 'dns-packet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPodNetwork } from '../../deploy/demo/kubernetes/pod-network.ts';
import { type At, callHttp, callTcp, type Reply } from '../behaviour/kit/clients.ts';
import { APP_PORTS, type EchoApp, startEchoApp } from '../behaviour/kit/echo-app.ts';
import { HawserProcesses, type Running, type RunningCluster } from '../kit/hawser-processes.ts';
import { startKubeApiserver, type TestKubeApiserver } from '../kit/kube-apiserver.ts';
import { BUILD_MS, canRunKubernetes } from '../kit/kube-apiserver-binary.ts';
import { agentKubeconfig, applyDefinitions } from '../kit/kube-definitions.ts';
import { available } from '../kit/requirements.ts';
import { eventually } from '../kit/served.ts';
import { type Places, placeOf, startProgram } from './gateway-mode-program.ts';

const [EAST, WEST] = ['us-east', 'us-west'] as const;
/** A Pod's address has to be one that Kubernetes takes. */
const podOf = (at: number): string => `10.89.40.${at}`;
const OUTBOUND = podOf(50);
/** Of its Envoy. */
const ADMIN = '127.89.40.50';
const RATINGS = '10.89.40.60';
const EAST_GATEWAY = '127.89.40.1';
const WEST_GATEWAY = '127.89.41.1';
const REVIEWS = '127.89.41.11';
const CLIENT = '127.89.41.12';
const HOST = 'reviews.bookinfo.svc.clusterset.local';

const FILES = `apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: bookinfo}
spec: {ports: [{name: http, port: 80, targetPort: ${APP_PORTS.http}}, {name: tcp, port: 3306, targetPort: ${APP_PORTS.tcp}}]}
---
apiVersion: multicluster.x-k8s.io/v1beta1
kind: ServiceExport
metadata: {name: reviews, namespace: bookinfo}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: reviews-1, namespace: bookinfo, labels: {kubernetes.io/service-name: reviews, app: reviews}}
addressType: IPv4
ports: [{name: http, port: ${APP_PORTS.http}}, {name: tcp, port: ${APP_PORTS.tcp}}]
endpoints: [{addresses: [${REVIEWS}]}]
`;

/** A Service of the cluster without sidecars, exported, and its Pod. */
const own = { namespace: 'bookinfo', name: 'ratings' };
const RATINGS_OBJECTS = [
  {
    ...{ apiVersion: 'v1', kind: 'Service', metadata: own },
    spec: { selector: { app: 'ratings' }, ports: [{ name: 'http', port: 80, targetPort: APP_PORTS.http }] },
  },
  {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { ...own, labels: { app: 'ratings' } } },
    spec: { serviceAccountName: 'ratings', containers: [{ name: 'ratings', image: 'example.com/ratings:1' }] },
  },
  {
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4', ports: [{ name: 'http', port: APP_PORTS.http }] },
    metadata: { ...own, labels: { 'kubernetes.io/service-name': 'ratings' } },
    endpoints: [{ addresses: [RATINGS], conditions: { ready: true }, targetRef: { kind: 'Pod', ...own } }],
  },
  { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata: own },
];

const DERIVED = 'hawser-agent-derived-services';

/** The policy of docs/without-sidecars.md, as it is there or with another action or principal. */
const policy = (action = 'ALLOW', account = 'hawser-outbound'): string => {
  const guide = readFileSync(join(import.meta.dirname, '../../docs/without-sidecars.md'), 'utf8');
  const [, text = ''] = /^```yaml\n(apiVersion: security[\s\S]*?)^```$/m.exec(guide) ?? [];
  return text.replace('action: ALLOW', `action: ${action}`).replace('sa/hawser-outbound', `sa/${account}`);
};

describe.skipIf(![canRunKubernetes(), available('root')].every(Boolean))('a cluster without sidecars', () => {
  const processes = new HawserProcesses();
  const stops: (() => unknown)[] = [];
  let kube: TestKubeApiserver;
  let east: RunningCluster;
  let reviews: EchoApp;
  let outbound: Running;

  /** Starts `hawser proxy run --outbound-gateway` with a projected token of an account, as its Pod would have it. */
  const outboundGateway = async (
    account: { readonly namespace: string; readonly name: string },
    more: readonly string[] = [],
  ): Promise<Running> => {
    const file = join(processes.folder, `${account.name}.projected`);
    writeFileSync(file, await kube.serviceAccountToken(account, { audiences: ['hawser'] }));
    const who = ['--cluster', EAST, '--namespace', account.namespace, '--service-account', account.name];
    const where = ['--token-file', file, '--agent', `127.0.0.1:${east.xdsPort}`, ...more];
    return processes.start(['proxy', 'run', '--outbound-gateway', ...who, ...where]);
  };
  /** A Pod of the Deployment, by the last part of its addresses; resolves when it is ready. */
  const replica = async (at: number, more: readonly string[] = []): Promise<Running> => {
    const where = ['--name', `hawser-outbound-${at}`, '--address', podOf(at), '--admin-address', `127.89.40.${at}`];
    const started = await outboundGateway({ namespace: 'hawser-system', name: 'hawser-outbound' }, [...where, ...more]);
    await started.says('ready');
    return started;
  };
  /** Says of its Pods what the controller of EndpointSlices would. */
  const say = async (pods: Readonly<Record<number, 'ready' | 'leaving'>>): Promise<void> => {
    const endpoints = Object.entries(pods).map(([at, state]) => ({
      addresses: [podOf(Number(at))],
      conditions: { ready: state === 'ready', serving: true, terminating: state === 'leaving' },
    }));
    await kube.admin.apply({
      ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4', ports: [{ name: 'dns-tcp', port: PORTS.dns }] },
      metadata: { name: 'hawser-outbound-1', namespace: 'hawser-system', labels: { 'kubernetes.io/service-name': 'hawser-outbound' } },
      endpoints,
    });
  };

  beforeAll(async () => {
    stops.push(await openPodNetwork({ workloads: [{ address: OUTBOUND }] }));
    [kube] = await Promise.all([startKubeApiserver(), processes.startHub()]);
    await applyDefinitions(kube.admin, ['multicluster.x-k8s.io']);
    const kubeconfig = await agentKubeconfig(kube);
    await kube.admin.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'bookinfo' } });
    const source = ['--kubernetes', '--kubeconfig', kubeconfig];
    const gateways = ['--gateway-mode', '--gateway', `${EAST_GATEWAY}:${PORTS.gateway}`];
    // As in a mesh of many services: what is called is fetched.
    processes.agentFlags.set(EAST, [...source, ...gateways, '--send-all-up-to', '0']);
    processes.agentFlags.set(WEST, ['--gateway', `${WEST_GATEWAY}:${PORTS.gateway}`]);
    east = await processes.join(EAST, {});
    const west = await processes.join(WEST, { 'reviews.yaml': FILES });
    const agents = [`127.0.0.1:${west.xdsPort}`];
    reviews = await startEchoApp('reviews', REVIEWS);
    stops.push(() => reviews.stop());
    await processes.gateway(WEST, { address: WEST_GATEWAY, agents });
    await processes.gateway(EAST, { address: EAST_GATEWAY, agents: [`127.0.0.1:${east.xdsPort}`] });
    await processes.proxy(WEST, { serviceAccount: 'client', address: CLIENT, agents });
    for (const object of RATINGS_OBJECTS) await kube.admin.apply(object);
    const ratings = await startEchoApp('ratings', RATINGS);
    stops.push(() => ratings.stop());
    await processes.proxy(WEST, { serviceAccount: 'default', address: REVIEWS, agents });
    await kube.admin.apply({
      ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: { name: DERIVED } },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: DERIVED },
      subjects: [{ kind: 'ServiceAccount', name: 'hawser-agent', namespace: 'hawser-system' }],
    });
    outbound = await replica(50);
    await say({ 50: 'ready' });
  }, BUILD_MS);
  afterAll(async () => {
    await processes.stop();
    await kube?.stop();
    for (const stop of stops.reverse()) await stop();
  });

  const http = { address: OUTBOUND, port: PORTS.outbound };
  /** As programs ask that know of no proxy. */
  const get = (host: string): Promise<number> =>
    new Promise((resolve) => {
      const sent = request({ host: OUTBOUND, port: PORTS.outbound, path: '/', headers: { host }, agent: false }, (response) => {
        response.resume();
        response.on('end', () => resolve(response.statusCode ?? 0));
      });
      sent.on('error', () => resolve(0));
      sent.end();
    });
  /** The ClusterSetIP of the import, once it is a Service's, and where kube-proxy would lead its ports, by their names. */
  const derived = async (): Promise<{ readonly address: string; readonly ports: Places }> => {
    const list = async (api: string, kind: string): Promise<readonly Derived[]> =>
      (await kube.admin.must('GET', `${api}/namespaces/bookinfo/${kind}`))['items'] as readonly Derived[];
    const imported = (await list('/apis/multicluster.x-k8s.io/v1beta1', 'serviceimports')).find(
      ({ metadata }) => metadata.name === 'reviews',
    );
    const ips = imported?.spec?.ips ?? [];
    const service = (await list('/api/v1', 'services')).find(({ spec }) => spec?.clusterIP === ips[0]);
    const slices = (await list('/apis/discovery.k8s.io/v1', 'endpointslices')).filter(
      ({ metadata: { labels } }) => labels?.['kubernetes.io/service-name'] === service?.metadata.name,
    );
    const led = slices.flatMap(({ endpoints = [], ports = [] }) =>
      endpoints
        .filter(({ conditions }) => conditions?.ready !== false)
        .flatMap(({ addresses }) => ports.map(({ name, port }) => ({ name, place: `${addresses[0]}:${port}` }))),
    );
    const byName = Object.entries(Object.groupBy(led, ({ name }) => name));
    return {
      address: ips[0] ?? '',
      ports: service === undefined ? {} : Object.fromEntries(byName.map(([name, all = []]) => [name, all.map(({ place }) => place)])),
    };
  };
  const tcpPlace = async (): Promise<At> => placeOf((await derived()).ports['tcp']?.[0]);
  const tcp = async (): Promise<string[]> => callTcp(await tcpPlace(), 'hello');

  test('the ClusterSetIP is the address of a Service that leads to the outbound gateway, and what its name means, by UDP and by TCP', async () => {
    await eventually(
      async () => Object.keys((await derived()).ports).length === 2,
      () => 'no Service leads to the outbound gateway',
      30_000,
    );
    const { address, ports } = await derived();
    expect([address, ports['http'], ports['tcp']]).toEqual([
      expect.stringMatching(/^10\.96\./),
      [`${OUTBOUND}:${PORTS.outbound}`],
      [expect.stringMatching(new RegExp(`^${OUTBOUND}:1[6-9]\\d{3}$`))],
    ]);
    await eventually(async () => (await byUdp(HOST)).join() === address, 'its name means nothing');
    expect(await byTcp(HOST)).toMatchObject({ rcode: 'NOERROR', answers: [{ type: 'A', data: address }] });
  });

  test('a plain program calls another cluster, by HTTP/1.1, HTTP/2 and TCP, at the port where a ClusterSetIP leads', async () => {
    const isThere = async (): Promise<boolean> =>
      (await (await fetch(`http://${ADMIN}:${PORTS.envoyAdmin}/clusters`)).text()).includes(`outbound|80||${HOST}::`);
    expect(await isThere()).toBe(false);
    let answer: Reply | undefined;
    await eventually(
      async () => {
        answer = await callHttp(http, { host: HOST });
        return answer.status === 200;
      },
      () => `it cannot be called: ${answer?.status} ${answer?.body}`,
    );
    expect(await isThere()).toBe(true);
    for (const http2 of [false, true])
      expect(await callHttp(http, { host: HOST, http2 })).toMatchObject({ status: 200, servedBy: 'reviews' });
    expect(await get(`${HOST}:80`)).toBe(200);
    await eventually(async () => (await tcp()).length > 0, 'nothing comes by TCP');
    expect(await tcp()).toEqual(['reviews', 'hello']);
  });

  test('it calls for nobody what is not of the clusterset, nor a port that no service has', async () => {
    const others = ['kubernetes.default.svc.cluster.local', 'example.com', `${HOST}:81`, '127.0.0.1'];
    expect(await Promise.all(others.map(get))).toEqual(others.map(() => 404));
  });

  test('the other cluster sees its principal: a policy admits it or refuses it, by HTTP and by TCP', async () => {
    const applied = async (text: string): Promise<void> => {
      const { status, stderr } = await processes.run(['apply', '-f', '-', '--wait'], { input: text });
      expect([status, stderr]).toEqual([0, expect.anything()]);
    };
    const seen = async (): Promise<readonly [number, number]> => [await get(HOST), (await tcp()).length];
    const becomes = async (wanted: readonly [number, number]): Promise<void> => {
      let found: readonly [number, number] = [-1, -1];
      await eventually(
        async () => {
          found = await seen();
          return found.join() === wanted.join();
        },
        () => `it is ${found.join()} and not ${wanted.join()}`,
      );
    };
    await applied(policy('DENY'));
    await becomes([403, 0]);
    await applied(policy());
    await becomes([200, 2]);
    await applied(policy('ALLOW', 'other'));
    await becomes([403, 0]);
    expect((await processes.run(['delete', 'authorizationpolicy', 'from-us-east', '-n', 'bookinfo'])).status).toBe(0);
    await becomes([200, 2]);
  });

  test('names of no service do not exist, others are nobody’s business here; by UDP and by TCP', async () => {
    expect(await byUdp('none.bookinfo.svc.clusterset.local')).toEqual(['ENOTFOUND']);
    expect(await byUdp('example.com')).toEqual(['EREFUSED']);
    expect(await byTcp('none.bookinfo.svc.clusterset.local')).toMatchObject({ rcode: 'NXDOMAIN' });
    expect(await byTcp('example.com')).toMatchObject({ rcode: 'REFUSED' });
  });

  test('its own Pods are called without a sidecar, from the other cluster and from its own', async () => {
    const host = 'ratings.bookinfo.svc.clusterset.local';
    for (const at of [{ address: CLIENT, port: PORTS.outbound }, http]) {
      let answer: Reply | undefined;
      await eventually(
        async () => {
          answer = await callHttp(at, { host });
          return answer.servedBy === 'ratings';
        },
        () => `${at.address} cannot call it: ${answer?.status} ${answer?.body}`,
      );
    }
  });

  test('another account is no outbound gateway, whatever its proxy says', async () => {
    await kube.admin.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'other', namespace: 'bookinfo' } });
    const own = ['--name', 'other', '--address', '127.89.40.60'];
    const proxy = await outboundGateway({ namespace: 'bookinfo', name: 'other' }, own);
    // As gRPC carries it.
    await proxy.says('node.metadata.outboundGateway is true, but the token is for bookinfo/other'.replaceAll(' ', '%20'));
    await proxy.end('SIGTERM');
  });

  test('one that is asked to leave ends what its callers have begun, by HTTP and by TCP', async () => {
    const slow = callHttp(http, { host: HOST, reply: { delayMs: 2_500 } });
    const { address, port } = await tcpPlace();
    const connection = connect(port, address);
    const lines = createInterface(connection)[Symbol.asyncIterator]();
    expect(await lines.next()).toMatchObject({ value: 'reviews' });
    const ended = outbound.end('SIGTERM');
    expect(await slow).toMatchObject({ status: 200, servedBy: 'reviews' });
    connection.write('still here\n');
    expect(await lines.next()).toMatchObject({ value: 'still here' });
    connection.destroy();
    await ended;
  });

  test('two replicas are replaced one after the other under load: no GET of a plain program fails, connections of TCP end in order', async () => {
    const drain = ['--drain', '3s'];
    const pods = new Map<number, Running>();
    const roll = async (at: number, old?: number): Promise<void> => {
      pods.set(at, await replica(at, drain));
      const leaving = old === undefined ? undefined : pods.get(old);
      if (old !== undefined) pods.delete(old);
      const ready = Object.fromEntries([...pods.keys()].map((one) => [one, 'ready' as const]));
      await say(old === undefined ? ready : { ...ready, [old]: 'leaving' });
      if (leaving === undefined) return;
      await wait(PRE_STOP_MS);
      await leaving.end('SIGTERM');
      await say(ready);
    };
    await roll(51);
    await roll(52);
    let { ports } = await derived();
    const followed = new AbortController();
    const following = (async () => {
      // As kube-proxy hears of it.
      for (; !followed.signal.aborted; await wait(500)) ({ ports } = await derived());
    })();
    await eventually(() => Promise.resolve(ports['http']?.length === 2 && ports['tcp']?.length === 2), 'no Service leads to both');
    const program = startProgram({ host: HOST, places: () => ports, rate: 50 });
    await wait(1_000);
    await roll(53, 51);
    await roll(54, 52);
    await wait(1_000);
    const { gets, failedGets, ended, broken } = await program.stop();
    followed.abort();
    await following;
    expect([failedGets, broken]).toEqual([[], []]);
    expect(gets).toBeGreaterThan(500);
    expect(ended).toBeGreaterThan(0);
  });
});

/** How long a Pod of `deploy/charts/hawser-agent` goes on before it is told to leave. */
const PRE_STOP_MS = 5_000;

/** What is read of a ServiceImport, of its Service, or of that's EndpointSlice. */
interface Derived {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec?: { readonly clusterIP?: string; readonly ips?: readonly string[] };
  readonly ports?: readonly { readonly name: string; readonly port: number }[];
  readonly endpoints?: readonly { readonly addresses: readonly string[]; readonly conditions?: { readonly ready?: boolean } }[];
}

/** Addresses by UDP, or why there are none. */
async function byUdp(name: string): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: 2_000, tries: 1 });
  resolver.setServers([`${OUTBOUND}:${PORTS.dns}`]);
  return resolver.resolve4(name).catch(({ code }: NodeJS.ErrnoException) => [code ?? '']);
}

/** An answer by TCP. */
function byTcp(name: string): Promise<{ readonly rcode?: string; readonly answers: readonly object[] }> {
  const query = encode({ id: 7, type: 'query', flags: 0x100, questions: [{ name, type: 'A', class: 'IN' }] });
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const socket = connect(PORTS.dns, OUTBOUND, () => socket.write(framed(query)));
    socket.on('error', reject);
    socket.on('data', (part: Buffer) => {
      received = Buffer.concat([received, part]);
      const message = firstMessage(received);
      if (message === undefined) return;
      socket.destroy();
      resolve(decode(Buffer.from(message)));
    });
  });
}
