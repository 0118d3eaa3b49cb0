/**
 * A cluster of the demo as Kubernetes has it: a real kube-apiserver with its etcd, what a user would apply to it, and what nobody else
 * does here: the scheduler's Pods, the kubelet's probes and projected tokens, and the endpoint controller's slices.
 *
 *     node deploy/demo/kubernetes/main.ts --cluster us-west --loopback-base 127.77 --state-dir DIR
 */

import { copyFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import { startKubeApiserver, type TestKubeApiserver } from '../../../test/kit/kube-apiserver.ts';
import { agentKubeconfig, applyDefinitions } from '../../../test/kit/kube-definitions.ts';
import { clusterFiles } from '../specs.ts';
import { APP_PORT, type DemoCluster, demoClusters, KUBELET_PORT, NAMESPACE, type Workload } from '../topology.ts';
import { answersOk } from '../wait.ts';
import { clusterObjects, endpointSlices, podOf } from './cluster-objects.ts';

/** How often the kubelet asks an application how it is. */
const PROBE_MS = 250;
/** Tokens live as long as a kubelet's do, and are replaced long before. */
const TOKEN_S = 3_600;
const TOKEN_EVERY_MS = 600_000;

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { cluster: text, 'loopback-base': text, 'state-dir': text } });
  const { cluster: name = '', 'loopback-base': base = '', 'state-dir': stateDir = '' } = values;
  const cluster = demoClusters(base, { kubernetes: [name], stateDir }).find((one) => one.name === name);
  if (cluster?.kubeconfig === undefined) throw new Error(`--cluster ${name}: the demo has no such cluster`);
  const kube = await startKubeApiserver();
  const ending = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => ending.abort());
  try {
    await fill(kube, cluster);
    await writeTokens(kube, cluster, stateDir);
    copyFileSync(await agentKubeconfig(kube), cluster.kubeconfig);
    const server = createServer((_request, response) => response.end('ok')).listen(KUBELET_PORT, cluster.address);
    const tokens = setInterval(() => void writeTokens(kube, cluster, stateDir).catch(complain), TOKEN_EVERY_MS);
    await probe(kube, cluster, ending.signal);
    clearInterval(tokens);
    server.close();
  } finally {
    await kube.stop();
  }
}

async function fill({ admin }: TestKubeApiserver, cluster: DemoCluster): Promise<void> {
  await applyDefinitions(admin, ['multicluster.x-k8s.io']);
  const pods = cluster.workloads.map((workload) => podOf(cluster, workload));
  for (const object of [...clusterObjects(cluster), ...pods, ...endpointSlices(cluster, new Set())]) await admin.apply(object);
}

/** The token that a Pod's projected volume would hold, for the audience of Hawser and bound to the Pod (TokenRequest). */
async function writeTokens(kube: TestKubeApiserver, cluster: DemoCluster, stateDir: string): Promise<void> {
  const { tokenOf } = clusterFiles(stateDir, cluster.name);
  for (const { name, service } of cluster.workloads) {
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: NAMESPACE } };
    const uid = (await kube.admin.read(pod))?.metadata.uid;
    const spec = { audiences: ['hawser'], expirationSeconds: TOKEN_S, boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid } };
    const token = await kube.serviceAccountToken({ namespace: NAMESPACE, name: service }, spec);
    const [path, next] = [tokenOf(name), `${tokenOf(name)}.next`];
    writeFileSync(next, `${token}\n`, { mode: 0o600 });
    renameSync(next, path);
  }
}

/** Kubelet and endpoint controller: a slice follows its applications, until the end is asked for. */
async function probe({ admin }: TestKubeApiserver, cluster: DemoCluster, signal: AbortSignal): Promise<void> {
  let told = new Map(endpointSlices(cluster, new Set()).map((slice) => [slice.metadata.name, JSON.stringify(slice)]));
  while (!signal.aborted) {
    const answers = await Promise.all(cluster.workloads.map(async (workload) => ((await isReady(workload)) ? [workload.name] : [])));
    const slices = endpointSlices(cluster, new Set(answers.flat()));
    const changed = slices.filter((slice) => told.get(slice.metadata.name) !== JSON.stringify(slice));
    const written = await Promise.all(changed.map((slice) => write(slice)));
    told = new Map([...told, ...written.flat().map((slice) => [slice.metadata.name, JSON.stringify(slice)] as const)]);
    await sleep(PROBE_MS, signal);
  }

  /** Nothing where it could not be written: it is tried again. */
  async function write(slice: KubeObject): Promise<KubeObject[]> {
    try {
      await admin.apply(slice);
      return [slice];
    } catch (error) {
      complain(error);
      return [];
    }
  }
}

async function isReady({ address, service }: Workload): Promise<boolean> {
  if (service === 'client') return false;
  return (await answersOk(`http://${address}:${APP_PORT}/healthz`).catch(() => undefined)) === true;
}

function complain(error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
}

await main();
process.exit();
