/**
 * A cluster without sidecars on a real API server, with the processes that run in one: a plain program calls another cluster as kube-proxy
 * would lead it, through the outbound gateway, by HTTP and TCP and by names.
 */

import { Resolver } from 'node:dns/promises';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { firstMessage, framed } from '@hawser/cli/proxy/names/forwarder.ts';
import { PORTS } from '@hawser/model/ports.ts';
import { decode, encode } from 'dns-packet';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openPodNetwork } from '../../deploy/demo/kubernetes/pod-network.ts';
import { callHttp, callTcp, type Reply } from '../behaviour/kit/clients.ts';
import { APP_PORTS, type EchoApp, startEchoApp } from '../behaviour/kit/echo-app.ts';
import { HawserProcesses, type Running, type RunningCluster } from '../kit/hawser-processes.ts';
import { startKubeApiserver, type TestKubeApiserver } from '../kit/kube-apiserver.ts';
import { BUILD_MS, canRunKubernetes } from '../kit/kube-apiserver-binary.ts';
import { agentKubeconfig, applyDefinitions } from '../kit/kube-definitions.ts';
import { available } from '../kit/requirements.ts';
import { eventually } from '../kit/served.ts';

const [EAST, WEST] = ['us-east', 'us-west'] as const;
/** A Pod's address has to be one that Kubernetes takes. */
const OUTBOUND = '10.89.40.50';
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

  /** Starts `hawser proxy run --outbound-gateway` with a projected token of an account, as its Pod would have it. */
  const outboundGateway = async (
    account: { readonly namespace: string; readonly name: string },
    more: readonly string[] = [],
  ): Promise<Running> => {
    const file = join(processes.folder, `${account.name}.projected`);
    writeFileSync(file, await kube.serviceAccountToken(account, { audiences: ['hawser'] }));
    const who = ['--cluster', EAST, '--namespace', account.namespace, '--service-account', account.name, '--name', account.name];
    const where = ['--token-file', file, '--agent', `127.0.0.1:${east.xdsPort}`, ...more];
    return processes.start(['proxy', 'run', '--outbound-gateway', ...who, ...where]);
  };

  beforeAll(async () => {
    stops.push(await openPodNetwork({ workloads: [{ address: OUTBOUND }] }));
    [kube] = await Promise.all([startKubeApiserver(), processes.startHub()]);
    await applyDefinitions(kube.admin, ['multicluster.x-k8s.io']);
    const kubeconfig = await agentKubeconfig(kube);
    await kube.admin.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'bookinfo' } });
    processes.agentFlags.set(EAST, [
      '--kubernetes',
      '--kubeconfig',
      kubeconfig,
      '--gateway-mode',
      '--gateway',
      `${EAST_GATEWAY}:${PORTS.gateway}`,
    ]);
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
    const own = ['--address', OUTBOUND, '--admin-address', '127.89.40.50'];
    const proxy = await outboundGateway({ namespace: 'hawser-system', name: 'hawser-outbound' }, own);
    await proxy.says('ready');
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
  /** Where the outbound gateway takes connections to a port of TCP. */
  const tcpPort = async (port: number): Promise<number> => {
    const text = await (await fetch(`http://127.89.40.50:${PORTS.envoyAdmin}/listeners?format=json`)).text();
    const { listener_statuses: listeners = [] } = JSON.parse(text) as {
      listener_statuses?: { name: string; local_address: { socket_address: { port_value: number } } }[];
    };
    return listeners.find(({ name }) => name === `outbound_tcp|${port}|${HOST}`)?.local_address.socket_address.port_value ?? 0;
  };
  const tcp = async (): Promise<string[]> => callTcp({ address: OUTBOUND, port: await tcpPort(3306) }, 'hello');

  test('a plain program calls another cluster, by HTTP/1.1, HTTP/2 and TCP, at the port where a ClusterSetIP leads', async () => {
    let answer: Reply | undefined;
    await eventually(
      async () => {
        answer = await callHttp(http, { host: HOST });
        return answer.status === 200;
      },
      () => `it cannot be called: ${answer?.status} ${answer?.body}`,
    );

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
    await expect(resolver().resolve4('none.bookinfo.svc.clusterset.local')).rejects.toThrow(/ENOTFOUND/);
    await expect(resolver().resolve4('example.com')).rejects.toThrow(/EREFUSED/);
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
    const own = ['--address', '127.89.40.60'];
    const proxy = await outboundGateway({ namespace: 'bookinfo', name: 'other' }, own);
    // As gRPC carries it.
    await proxy.says('node.metadata.outboundGateway is true, but the token is for bookinfo/other'.replaceAll(' ', '%20'));
    await proxy.end('SIGTERM');
  });
});

/** Asks by UDP, once. */
function resolver(): Resolver {
  const made = new Resolver({ timeout: 2_000, tries: 1 });
  made.setServers([`${OUTBOUND}:${PORTS.dns}`]);
  return made;
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
