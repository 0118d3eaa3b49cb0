/**
 * An EndpointSlice changes on the API server of one cluster → a real Envoy of another has it; faults of the API server; and what a cluster of 2,000 Services with
 * 10,000 Pods costs its agent: memory, and time from its start to the first complete snapshot, without a saved state.
 */

import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { PORTS } from '@hawser/model/ports.ts';
import { type FigureBook, percentile } from '../../deploy/demo/figures.ts';
import { createNarrator } from '../../deploy/demo/narrator.ts';
import { NAMESPACE } from '../../deploy/demo/topology.ts';
import { startKubeApiserver } from '../kit/kube-apiserver.ts';
import { canRunKubernetes } from '../kit/kube-apiserver-binary.ts';
import type { KubeClient } from '../kit/kube-client.ts';
import { agentKubeconfig, applyDefinitions } from '../kit/kube-definitions.ts';
import type { Bench } from './bench.ts';
import { type Federation, inFederation } from './federation.ts';
import { FAULTS_BARS, faults } from './kubernetes-faults.ts';
import { seen } from './propagation.ts';
import { rssMiB } from './xds-rig.ts';

const CALLERS = 'us-east';
const CLUSTER = 'us-west';
const SERVICES = 2_000;
const PODS = 5;
/** An added and a removed endpoint each. */
const ROUNDS = 60;
const STARTS = 3;
/** Requests to the API server at a time, while it is filled. */
const AT_ONCE = 32;

/** The benchmark. */
export const kubernetes: Bench = {
  name: 'kubernetes',
  title: `an EndpointSlice changes → another cluster's Envoy has it; an agent with ${SERVICES} Services and ${SERVICES * PODS} endpoints`,
  bars: {
    p50_ms: { max: 30, samples: 100 },
    p99_ms: { max: 150, samples: 100 },
    agent_rss_mib: { max: 250, samples: ROUNDS },
    first_snapshot_s: { max: 5, samples: STARTS },
    ...FAULTS_BARS,
  },
  run: async (book) => {
    if (!canRunKubernetes()) throw new Error('this benchmark needs an etcd on the PATH, and Go 1.26 to build kube-apiserver');
    const kube = await startKubeApiserver();
    try {
      await applyDefinitions(kube.admin, ['multicluster.x-k8s.io']);
      await fill(kube.admin);
      const kubeconfigs = { [CLUSTER]: await agentKubeconfig(kube) };
      await inFederation({ plan: { [CALLERS]: ['client-v1'], [CLUSTER]: [] }, kubeconfigs }, async (federation) => {
        await changes(federation, kube.admin, book);
        await starts(federation, book);
      });
      await faults(kube, book, createNarrator(process.stderr));
    } finally {
      await kube.stop();
    }
  },
};

/** Namespaces, Nodes, Services with their Pods and EndpointSlices; one of them is exported. */
async function fill(admin: KubeClient): Promise<void> {
  await made(
    admin,
    [NAMESPACE, 'shop'].map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } })),
  );
  const nodes = Array.from({ length: 10 }, (_, index) => `node-${index}`);
  const zoneOf = (index: number): string => `${CLUSTER}-${'abc'[index % 3]}`;
  await made(
    admin,
    nodes.map((name, index) => ({
      ...{ apiVersion: 'v1', kind: 'Node' },
      metadata: { name, labels: { 'topology.kubernetes.io/region': CLUSTER, 'topology.kubernetes.io/zone': zoneOf(index) } },
    })),
  );
  const places = Array.from({ length: SERVICES }, (_, index) =>
    index === 0 ? { namespace: NAMESPACE, name: 'details', index } : { namespace: 'shop', name: `service-${index}`, index },
  );
  await made(admin, places.map(service));
  await made(
    admin,
    places.flatMap((place) => Array.from({ length: PODS + (place.index === 0 ? 1 : 0) }, (_, number) => pod(place, number))),
  );
  await made(
    admin,
    places.map((place) => slice(place, PODS)),
  );
  const metadata = { namespace: NAMESPACE, name: 'details' };
  await made(admin, [{ apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata }]);
}

interface Place {
  readonly namespace: string;
  readonly name: string;
  readonly index: number;
}

function service({ namespace, name }: Place): KubeObject {
  const spec = { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 9080, protocol: 'TCP' }] };
  return { apiVersion: 'v1', kind: 'Service', metadata: { namespace, name }, spec };
}

function pod({ namespace, name }: Place, number: number): KubeObject {
  const spec = { nodeName: `node-${number}`, serviceAccountName: name, containers: [{ name: 'app', image: 'example.com/app:1' }] };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name: `${name}-${number}`, labels: { app: name, version: 'v1' } }, spec };
}

/** Of the first Pods of a Service. */
function slice({ namespace, name, index }: Place, pods: number): KubeObject {
  return {
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
    metadata: { namespace, name: `${name}-1`, labels: { 'kubernetes.io/service-name': name } },
    ports: [{ name: 'http', port: 9080, protocol: 'TCP' }],
    endpoints: Array.from({ length: pods }, (_, number) => ({
      ...{ addresses: [addressOf(index, number)], conditions: { ready: true, serving: true, terminating: false } },
      ...{ nodeName: `node-${number}`, targetRef: { kind: 'Pod', namespace, name: `${name}-${number}` } },
    })),
  };
}

function addressOf(index: number, number: number): string {
  return `10.${20 + Math.floor(index / 250)}.${index % 250}.${10 + number}`;
}

/** Creates them, several at a time. */
async function made(admin: KubeClient, objects: readonly KubeObject[]): Promise<void> {
  const waiting = objects.values();
  const work = async (): Promise<void> => {
    for (const object of waiting) await admin.must('POST', (await admin.pathOf(object)).replace(/\/[^/]+$/, ''), object);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

async function changes({ fleet, say }: Federation, admin: KubeClient, book: FigureBook): Promise<void> {
  const details = { namespace: NAMESPACE, name: 'details', index: 0 };
  const [always, added] = [addressOf(0, 0), addressOf(0, PODS)];
  const [few, more] = [slice(details, PODS), slice(details, PODS + 1)];
  const path = await admin.pathOf(few);
  const dump = `http://${fleet.workload(CALLERS, 'client-v1').address}:${PORTS.envoyAdmin}/config_dump?include_eds&resource=dynamic_endpoint_configs&name_regex=.*details.*`;
  const agent = fleet.named(`${CLUSTER}-agent`)[0]?.record.pid ?? 0;
  const samples: { change: 'add' | 'remove'; ms: number; rssMiB: number }[] = [];
  await seen(dump, always, true);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const change of ['add', 'remove'] as const) {
      const started = performance.now();
      await admin.must('PUT', path, change === 'add' ? more : few);
      await seen(dump, added, change === 'add');
      samples.push({ change, ms: performance.now() - started, rssMiB: rssMiB(agent) });
      await wait(100 + Math.random() * 100); // changes do not come in step with anything
    }
  }
  const times = samples.map(({ ms }) => ms);
  say.done(`${times.length} changes: ${[50, 90, 99, 100].map((p) => `p${p} ${percentile(times, p).toFixed(1)} ms`).join(', ')}`);
  for (const p of [50, 99])
    book.note(`p${p}_ms`, { value: percentile(times, p), unit: 'ms', samples: times.length }, p === 50 ? samples : []);
  book.note('agent_rss_mib', { value: Math.max(...samples.map((one) => one.rssMiB)), unit: 'MiB', samples: samples.length });
}

/** Agents that know who they are, and nothing else. */
async function starts({ fleet, options, say }: Federation, book: FigureBook): Promise<void> {
  const agent = fleet.named(`${CLUSTER}-agent`);
  const folder = join(options.stateDir, 'agents', CLUSTER);
  const seconds: number[] = [];
  for (let round = 0; round < STARTS; round += 1) {
    await fleet.processes.kill(...agent);
    for (const name of readdirSync(folder)) if (name.startsWith('last-known-good')) rmSync(join(folder, name));
    const started = performance.now();
    await fleet.restart(agent);
    seconds.push((performance.now() - started) / 1_000);
  }
  say.done(`ready after ${seconds.map((one) => one.toFixed(1)).join(', ')} s`);
  book.note(
    'first_snapshot_s',
    { value: Math.max(...seconds), unit: 's', samples: seconds.length },
    seconds.map((one) => ({ seconds: one })),
  );
}
