/** `hawser check --pre` and `hawser cluster join --kubeconfig` with a real hub, a real API server and Helm itself; then the agent as it was installed. */

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { environmentOf, type Outcome, runHere } from '../../services/cli/src/command-fixture.ts';
import { type PodTemplate, podTemplateOf } from '../kit/chart.ts';
import { HawserProcesses } from '../kit/hawser-processes.ts';
import { canRunHelm, helmBinary } from '../kit/helm.ts';
import { installedObject, startInstalledAgent } from '../kit/installed-agent.ts';
import { startKubeApiserver, type TestKubeApiserver } from '../kit/kube-apiserver.ts';
import { BUILD_MS, canRunKubernetes } from '../kit/kube-apiserver-binary.ts';
import { eventually } from '../kit/served.ts';

/** As the Pod's; on loopback xDS is plain, and the admin door is at the same address. */
const POD_IP = '127.88.37.1';
const NAMESPACE = 'hawser-system';
const MAPS = `/api/v1/namespaces/${NAMESPACE}/configmaps`;
const TRUST = 'hawser-agent-trust-bundle';

describe.skipIf(!canRunHelm() || !canRunKubernetes())('joining a Kubernetes cluster', () => {
  const processes = new HawserProcesses();
  const values = join(processes.folder, 'values.yaml');
  let kube: TestKubeApiserver;
  let helm: string;
  let kubeconfig: string;
  const hawser = (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> =>
    runHere(args, { env: { ...environmentOf(join(processes.folder, '.hawser')), HAWSER_HELM_BIN: helm, ...env } });
  const joining = (...flags: string[]): string[] => [
    'cluster',
    'join',
    'us-east',
    '--region',
    'us-east',
    '--kubeconfig',
    kubeconfig,
    ...flags,
  ];
  const installed = (...object: readonly [apiVersion: string, kind: string, name: string]): Promise<KubeObject | undefined> =>
    installedObject(kube, object);
  const tokens = async (): Promise<number> =>
    (JSON.parse((await hawser(['get', 'jointokens', '-o', 'json'])).stdout) as { items: [] }).items.length;

  beforeAll(async () => {
    helm = await helmBinary();
    [kube] = await Promise.all([startKubeApiserver({ users: [{ name: 'nobody' }] }), processes.startHub()]);
    kubeconfig = await kube.kubeconfig(kube.adminToken);
  }, BUILD_MS);
  afterAll(async () => {
    await processes.stop();
    await kube?.stop();
  });

  test('check --pre looks at everything before anything is there', async () => {
    const { status, stdout } = await hawser(['check', '--pre', '--kubeconfig', kubeconfig, '-o', 'json']);
    const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: readonly { level: string; what: string; message: string }[] };
    expect([status, ok]).toEqual([0, true]);
    const named = Object.fromEntries(findings.map(({ what, level }) => [what, level]));
    expect(named).toMatchObject({
      'hub bus': 'ok',
      helm: 'ok',
      'kubernetes version': 'ok',
      'api apps/v1': 'ok',
      rights: 'ok',
      storage: 'warn',
    });
    expect(named).toHaveProperty(['crd serviceexports.multicluster.x-k8s.io'], 'ok');
  });

  test('check --pre names what is missing and the way out, and ends with 1', async () => {
    const weak = await kube.kubeconfig(kube.token('nobody'));
    const { status, stdout } = await hawser(['check', '--pre', '--kubeconfig', weak], { HAWSER_HELM_BIN: '/nowhere/helm' });
    expect(status).toBe(1);
    expect(stdout).toMatch(/^fail {2}helm: \/nowhere\/helm cannot be started.*install Helm 3.*HAWSER_HELM_BIN$/m);
    expect(stdout).toMatch(
      /^fail {2}right statefulsets\.apps: this user may not create, patch, list and delete .*in namespace hawser-system: use a kubeconfig/m,
    );
    expect(stdout).toMatch(/^fail {2}right nodes: this user may not list and watch nodes, which role hawser-agent gives the agent/m);
    expect(stdout).toMatch(/^fail {2}crds: .*forbidden/m);
    expect(stdout).toMatch(/^ok {4}kubernetes version: /m);
  });

  test('--dry-run prints every object and changes nothing; without helm, or without rights, nothing is changed either', async () => {
    const dry = await hawser(joining('--dry-run'));
    const kinds = parseAllDocuments(dry.stdout).map((one) => (one.toJS() as KubeObject).kind);
    expect([dry.status, kinds.slice(0, 2)]).toEqual([0, ['Namespace', 'Secret']]);
    expect(kinds).toEqual(expect.arrayContaining(['CustomResourceDefinition', 'ClusterRole', 'StatefulSet', 'NetworkPolicy']));
    expect(dry.stdout).not.toContain('hawser-outbound\n');
    const deployments = parseAllDocuments((await hawser(joining('--dry-run', '--gateway-mode'))).stdout).flatMap((one) => {
      const { kind, metadata } = one.toJS() as KubeObject;
      return kind === 'Deployment' ? [metadata.name] : [];
    });
    expect(deployments).toEqual(['hawser-outbound']);
    const without = await hawser(joining(), { HAWSER_HELM_BIN: '/nowhere/helm' });
    expect([without.status, without.stderr]).toEqual([1, expect.stringMatching(/install Helm 3 .* or name it with HAWSER_HELM_BIN/)]);
    const wrong = join(processes.folder, 'wrong.yaml');
    writeFileSync(wrong, 'replica: 2\n');
    const refused = await hawser(joining('-f', wrong));
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('replica')]);
    const weak = await kube.kubeconfig(kube.token('nobody'));
    const forbidden = await hawser(['cluster', 'join', 'us-east', '--region', 'us-east', '--kubeconfig', weak]);
    expect([forbidden.status, forbidden.stderr]).toEqual([1, expect.stringMatching(/forbidden.*namespaces/)]);
    expect([await tokens(), await kube.admin.read({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } })]).toEqual([
      0,
      undefined,
    ]);
    for (const flag of ['--wait', '--gateway-mode'])
      expect((await hawser(['cluster', 'join', 'us-east', '--region', 'us-east', flag])).stderr).toContain(
        `${flag} is for installing the agent`,
      );
  });

  test('--wait installs the agent, which joins as it was installed', { timeout: 120_000 }, async () => {
    writeFileSync(values, 'gateway: {enabled: true, addresses: ["127.88.37.2:15443"]}\n');
    const waiting = hawser(joining('-f', values, '--wait', '--timeout', '90s'));
    await eventually(
      async () => (await installed('apps/v1', 'StatefulSet', 'hawser-agent').catch(() => undefined)) !== undefined,
      () => 'nothing was installed',
      60_000,
    );
    await startInstalledAgent(kube, { processes, podIp: POD_IP });
    const { status, stderr } = await waiting;
    expect([status, stderr]).toEqual([0, expect.stringMatching(/objects of hawser-agent are acceptable.*its agent is there and ready/s)]);
  });

  test('the agent keeps what gateways know it by, also while its root is replaced, at once too', async () => {
    const bundle = async (): Promise<string | undefined> =>
      ((await installed('v1', 'ConfigMap', TRUST)) as { readonly data?: Record<string, string> } | undefined)?.data?.['ca.pem'];
    const own = (): string => readFileSync(join(processes.folder, 'identity/ca.pem'), 'utf8');
    const isOwn = async (): Promise<boolean> => (await bundle()) === own();
    await eventually(isOwn, () => `it is not filled`);
    const before = own();
    expect(await hawser(['trust', 'rotate', 'us-east', '--watch', '--timeout', '60s'])).toMatchObject({ status: 0 });
    expect([own() === before, own().includes(before.trim())]).toEqual([false, true]);
    await eventually(isOwn, () => 'the new root is not there');
    expect(await hawser(['trust', 'rotate', 'us-east', '--emergency', '--yes', '--watch', '--timeout', '60s'])).toMatchObject({
      status: 0,
    });
    await eventually(
      async () => (await isOwn()) && !own().includes(before.trim()),
      () => 'the stolen root is there still',
    );
    const account = kube.client(await kube.serviceAccountToken({ namespace: NAMESPACE, name: 'hawser-agent' }));
    const others = await Promise.all([
      ...[
        account.ask('GET', MAPS),
        account.ask('GET', `${MAPS}/other`),
        account.ask('POST', MAPS, {}),
        account.ask('DELETE', `${MAPS}/${TRUST}`),
      ],
    ]);
    expect(others.map(({ code }) => code)).toEqual([403, 403, 403, 403]);
  });

  test('the probes of the chart ask an agent that runs', async () => {
    const template = podTemplateOf((await installed('apps/v1', 'StatefulSet', 'hawser-agent')) as KubeObject);
    const [agent] = (template?.spec.containers ?? []) as readonly (PodTemplate['spec']['containers'][number] & Record<string, Probe>)[];
    const probes = ['startupProbe', 'livenessProbe', 'readinessProbe'].map((name) => agent?.[name]?.exec.command ?? []);
    const ask = ([program = '', ...args]: readonly string[], address: string): number | null =>
      spawnSync(program, args, { env: { ...process.env, ADMIN_ADDRESS: address } }).status;
    expect(probes.map((command) => ask(command, POD_IP))).toEqual([0, 0, 0]);
    expect(
      ask(
        (probes[0] ?? []).map((word) => word.replace('/livez', '/nothing')),
        POD_IP,
      ),
    ).toBe(1);
    expect(ask(probes[0] ?? [], '127.88.37.9')).toBe(1);
  });

  test('doing it again is doing it once: no token, no object that differs', async () => {
    const before = await installed('apps/v1', 'StatefulSet', 'hawser-agent');
    const made = await tokens();
    const { status, stderr } = await hawser(joining('-f', values, '--wait'));
    expect([status, stderr]).toEqual([0, expect.stringMatching(/us-east is a member: its agent keeps its keys/)]);
    expect([await tokens(), await installed('apps/v1', 'StatefulSet', 'hawser-agent')]).toEqual([made, before]);
  });

  test('joining with fewer options removes what is rendered no more; a dry run says so before, and nobody else loses anything', async () => {
    const theirs = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'theirs', namespace: NAMESPACE, labels: { 'hawser.dev/installation': NAMESPACE } },
    };
    await kube.admin.apply(theirs);
    const gateway = (): Promise<KubeObject | undefined> => installed('apps/v1', 'Deployment', 'hawser-agent-gateway');
    const fewer = join(processes.folder, 'fewer.yaml');
    writeFileSync(fewer, 'injection: {enabled: true}\nsendAllUpTo: 50\n');
    const dry = await hawser(joining('-f', fewer, '--dry-run'));
    const says = (change: string): string[] =>
      [...dry.stderr.matchAll(new RegExp(`^would be ${change}: (\\w+)`, 'gm'))].map(([, kind = '']) => kind).sort();
    expect([dry.status, says('removed'), says('changed'), says('created')]).toEqual([
      0,
      ['Deployment', 'NetworkPolicy', 'PodDisruptionBudget', 'Service', 'ServiceAccount'],
      ['NetworkPolicy', 'StatefulSet'],
      ['ClusterRole', 'ClusterRoleBinding', 'ConfigMap', 'MutatingWebhookConfiguration', 'Service'],
    ]);
    expect(await gateway()).toBeDefined();
    const { status, stderr } = await hawser(joining('-f', fewer));
    expect([status, stderr.match(/^removed, /gm)?.length]).toEqual([0, 5]);
    expect([await gateway(), (await installed('v1', 'Secret', 'hawser-join-token'))?.kind]).toEqual([undefined, 'Secret']);
    expect([await kube.admin.read(theirs), await installed('apps/v1', 'StatefulSet', 'hawser-agent')]).not.toContain(undefined);
    expect((await hawser(joining('-f', fewer, '--dry-run'))).stderr).not.toMatch(/would be/);
  });

  test('a second agent that would take the roles of the first is refused', async () => {
    const { status, stderr } = await hawser(joining('--namespace', 'elsewhere'));
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/belongs to the agent in namespace hawser-system.*--namespace hawser-system/),
    ]);
    expect(await tokens()).toBe(1);
  });

  test('uninstall takes away what joining brought, and nothing that cannot be made anew', async () => {
    const uninstall = (...flags: string[]): Promise<Outcome> => hawser(['cluster', 'uninstall', '--kubeconfig', kubeconfig, ...flags]);
    const shown = await uninstall();
    expect([shown.status, await installed('apps/v1', 'StatefulSet', 'hawser-agent')]).toEqual([0, expect.anything()]);
    const done = await uninstall('--yes');
    expect([done.status, done.stdout]).toEqual([0, shown.stdout]);
    expect(done.stderr).toMatch(/PersistentVolumeClaim hawser-system\/hawser-agent-identity, the cluster's keys/);
    const kinds = ['apps/v1 StatefulSet hawser-agent', 'v1 Secret hawser-join-token', 'v1 ServiceAccount hawser-agent'];
    const cluster = [
      'rbac.authorization.k8s.io/v1 ClusterRole hawser-agent',
      'rbac.authorization.k8s.io/v1 ClusterRoleBinding hawser-agent',
    ];
    for (const one of [...kinds, ...cluster]) {
      const [apiVersion = '', kind = '', name = ''] = one.split(' ');
      expect(await installed(apiVersion, kind, name), one).toBeUndefined();
    }
    for (const [kind, name] of [
      ['PersistentVolumeClaim', 'hawser-agent-identity'],
      ['ConfigMap', 'theirs'],
      ['Namespace', NAMESPACE],
    ] as const)
      expect(await installed('v1', kind, name), name).toBeDefined();
    expect((await uninstall('--yes')).stdout).toBe('');
  });

  test('an agent that does not come is said, and ends with 4', async () => {
    const flags = ['--region', 'eu-west', '--kubeconfig', kubeconfig, '--namespace', 'elsewhere', '--wait', '--timeout', '1s'];
    const { status, stderr } = await hawser(['cluster', 'join', 'eu-west', ...flags]);
    expect([status, stderr]).toEqual([4, expect.stringMatching(/eu-west: not there after 1 s; see kubectl describe pod/)]);
  });

  interface Probe {
    readonly exec: { readonly command: readonly string[] };
  }
});
