/** Out of gateway mode, and out of a cluster, with a real hub, a real API server and Helm itself, while the agent of before still runs: as its Pod does until it has ended. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { environmentOf, type Outcome, runHere } from '../../services/cli/src/command-fixture.ts';
import { serviceFile } from '../kit/federation.ts';
import { HawserProcesses, type Running } from '../kit/hawser-processes.ts';
import { canRunHelm, helmBinary } from '../kit/helm.ts';
import { startInstalledAgent } from '../kit/installed-agent.ts';
import { startKubeApiserver, type TestKubeApiserver } from '../kit/kube-apiserver.ts';
import { BUILD_MS, canRunKubernetes } from '../kit/kube-apiserver-binary.ts';
import { eventually } from '../kit/served.ts';

const POD_IP = '127.88.38.1';
const SHOP = 'shop';
const MCS = 'multicluster.x-k8s.io/v1beta1';
/** Of these labels, and made by nobody of ours. */
const THEIRS: readonly KubeObject[] = [
  {
    ...{ apiVersion: 'v1', kind: 'Service', spec: { ports: [{ port: 80 }] } },
    metadata: { name: 'theirs', namespace: SHOP, labels: { 'app.kubernetes.io/managed-by': 'hawser' } },
  },
  {
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4', endpoints: [], ports: [] },
    metadata: { name: 'theirs', namespace: SHOP, labels: { 'endpointslice.kubernetes.io/managed-by': 'hawser.dev' } },
  },
  {
    ...{ apiVersion: MCS, kind: 'ServiceImport', spec: { type: 'Headless', ports: [{ port: 80 }] } },
    metadata: { name: 'theirs', namespace: SHOP },
  },
];

/** Of an agent that Helm installed, under a name of its own. */
const ANOTHER: KubeObject = {
  ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding' },
  metadata: { name: 'canary', labels: { 'app.kubernetes.io/name': 'hawser-agent' } },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'canary' },
};

describe.skipIf(!canRunHelm() || !canRunKubernetes())('leaving', () => {
  const processes = new HawserProcesses();
  let kube: TestKubeApiserver;
  let helm: string;
  let kubeconfig: string;
  let agent: Running;
  const hawser = (...args: string[]): Promise<Outcome> =>
    runHere([...args, '--kubeconfig', kubeconfig], {
      env: { ...environmentOf(join(processes.folder, '.hawser')), HAWSER_HELM_BIN: helm },
    });
  const joining = (...flags: string[]): Promise<Outcome> => hawser('cluster', 'join', 'us-east', '--region', 'us-east', ...flags);
  const startAgent = async (): Promise<void> => {
    agent = await startInstalledAgent(kube, { processes, podIp: POD_IP, said: 'agent is up' });
  };
  const listed = async (api: string, plural: string): Promise<readonly KubeObject[]> =>
    (await kube.admin.must<{ readonly items: readonly KubeObject[] }>('GET', `${api}/namespaces/${SHOP}/${plural}`)).items;
  /** Names of what is in the namespace, but for what is not the agent's. */
  const made = async (): Promise<readonly string[]> => {
    const all = await Promise.all([
      listed('/api/v1', 'services'),
      listed('/apis/discovery.k8s.io/v1', 'endpointslices'),
      listed(`/apis/${MCS}`, 'serviceimports'),
    ]);
    const kinds = ['Service', 'EndpointSlice', 'ServiceImport'];
    return all.flatMap((items, index) =>
      items.flatMap(({ metadata: { name } }) => (name === 'theirs' ? [] : [`${kinds[index]} ${SHOP}/${name}`])),
    );
  };
  /** What was made once it is as many objects. */
  const becomes = async (count: number): Promise<readonly string[]> => {
    let found: readonly string[] = [];
    await eventually(
      async () => {
        found = await made();
        return found.length === count;
      },
      () => `there is ${found.join()}`,
      30_000,
    );
    return found;
  };
  const ip = async (): Promise<unknown> => {
    const found = await kube.admin.read({ apiVersion: MCS, kind: 'ServiceImport', metadata: { name: 'reviews', namespace: SHOP } });
    return (found?.['spec'] as { readonly ips?: readonly string[] } | undefined)?.ips?.[0];
  };
  const theirs = async (): Promise<readonly unknown[]> =>
    Promise.all(THEIRS.map(async (one) => (await kube.admin.read(one))?.metadata.uid ?? 'gone'));

  beforeAll(async () => {
    helm = await helmBinary();
    [kube] = await Promise.all([startKubeApiserver(), processes.startHub()]);
    kubeconfig = await kube.kubeconfig(kube.adminToken);
    await kube.admin.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: SHOP } });
    const { status, stderr } = await joining('--gateway-mode');
    expect([status, stderr]).toEqual([0, expect.stringContaining('objects applied')]);
    for (const object of THEIRS) await kube.admin.apply(object);
    await kube.admin.apply({
      ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4', ports: [{ name: 'http', port: 15001 }] },
      metadata: { name: 'hawser-outbound-1', namespace: 'hawser-system', labels: { 'kubernetes.io/service-name': 'hawser-outbound' } },
      endpoints: [{ addresses: ['10.2.9.1'], conditions: { ready: true, serving: true, terminating: false } }],
    });
    await startAgent();
    await processes.join('us-west', { 'reviews.yaml': serviceFile('reviews', ['127.88.38.11'], SHOP) });
  }, BUILD_MS);
  afterAll(async () => {
    await processes.stop();
    await kube?.stop();
  });

  test('without --gateway-mode, what the agent made for it goes with its right to, and an agent that runs on makes none again', async () => {
    const before = await becomes(3);
    const [known, address] = [await theirs(), await ip()];
    expect(address).toMatch(/^10\./);
    const dry = await joining('--dry-run');
    const derived = before.filter((name) => !name.startsWith('ServiceImport'));
    expect(dry.stderr.match(/(?<=^would be removed: ).* shop\/.*$/gm)).toEqual(derived);
    expect(await made()).toEqual(before);
    const { status, stderr } = await joining();
    expect([status, stderr.match(/(?<=^removed, as it is asked for no more: ).* shop\/.*$/gm)]).toEqual([0, derived]);
    expect(await made()).toEqual([`ServiceImport ${SHOP}/reviews`]);
    await agent.end('SIGTERM');
    await startAgent();
    await eventually(
      async () => String(await ip()).startsWith('240.'),
      () => 'the import has no virtual address',
      30_000,
    );
    expect([await made(), await theirs()]).toEqual([[`ServiceImport ${SHOP}/reviews`], known]);
    expect((await joining('--dry-run')).stderr).not.toMatch(/would be/);
  });

  test('uninstall takes imports and what stands behind them away, kept by a policy or not, and nothing of anybody else', {
    timeout: 120_000,
  }, async () => {
    const values = join(processes.folder, 'kept.yaml');
    writeFileSync(values, 'gatewayMode: {enabled: true}\nimportEndpointSlices: true\ndenyImportWrites: {enabled: true}\n');
    expect((await joining('-f', values)).status).toBe(0);
    await agent.end('SIGTERM');
    await startAgent();
    const [before, known] = [await becomes(3), await theirs()];
    const imported = { apiVersion: MCS, kind: 'ServiceImport', metadata: { name: 'reviews', namespace: SHOP } };
    await eventually(
      async () => (await kube.admin.ask('DELETE', `${await kube.admin.pathOf(imported)}?dryRun=All`)).code === 403,
      () => 'the policy refuses nobody',
      20_000,
    );
    await kube.admin.apply(ANOTHER);
    expect((await hawser('cluster', 'uninstall')).stdout).not.toContain(` ${SHOP}/`);
    await kube.admin.remove(ANOTHER);
    const shown = await hawser('cluster', 'uninstall');
    expect(shown.stdout.split('\n').filter((line) => line.includes(` ${SHOP}/`))).toEqual(before);
    expect(await made()).toEqual(before);
    const done = await hawser('cluster', 'uninstall', '--yes');
    expect([done.status, done.stdout]).toEqual([0, shown.stdout]);
    expect([await made(), await theirs()]).toEqual([[], known]);
  });
});
