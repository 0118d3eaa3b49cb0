/** Sidecars by the webhook of an agent, on a real API server, with exactly the roles that are delivered. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Injection, startInjection } from '@hawser/agent/inject/start-injection.ts';
import type { ClusterAuthority } from '@hawser/agent/trust/authority.ts';
import { openAuthority } from '@hawser/agent/trust/open-authority.ts';
import { injectObject } from '@hawser/cli/inject/inject-objects.ts';
import { injectionSettings } from '@hawser/model/injection/injection-settings.ts';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { createRegistry } from '@hawser/runtime/metrics.ts';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deliverInjection } from '../kit/delivered-injection.ts';
import { startKubeApiserver, type TestKubeApiserver } from '../kit/kube-apiserver.ts';
import { BUILD_MS, canRunKubernetes } from '../kit/kube-apiserver-binary.ts';
import type { KubeAnswer } from '../kit/kube-client.ts';
import { agentKubeconfig } from '../kit/kube-definitions.ts';
import { freePort } from '../kit/ports.ts';
import { eventually } from '../kit/served.ts';

const CONFIGURATION = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/hawser-injection';
const SETTINGS = { image: 'hawser-proxy:local', agent: 'hawser-agent.hawser-system.svc:15010', ignoredNamespaces: ['hawser-system'] };
/** What the Pod Security Standard `restricted` wants of an application. */
const RESTRICTED = {
  ...{ runAsNonRoot: true, runAsUser: 1000, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  seccompProfile: { type: 'RuntimeDefault' },
};

interface Entry {
  readonly name: string;
  readonly clientConfig: { readonly caBundle?: string };
  readonly failurePolicy: string;
}

describe.skipIf(!canRunKubernetes())('injection', () => {
  let kube: TestKubeApiserver;
  let folder: string;
  let kubeconfig: string;
  let authority: ClusterAuthority;
  let injection: Injection | undefined;
  const warnings = new Map<string, readonly string[]>();

  const start = async (): Promise<void> => {
    injection = await startInjection({
      file: join(folder, 'injection.json'),
      place: { kind: 'kubernetes', kubeconfig, context: undefined, secretNamespaces: [], edgeAccounts: [] },
      ...{ cluster: 'us-east', authority, registry: createRegistry(), log: pino({ level: 'silent' }), everyMs: 200 },
      warnings: { standing: (place, messages) => void warnings.set(place, messages) },
    });
  };
  const namespace = (name: string, labels: Record<string, string>): Promise<KubeObject> =>
    kube.admin.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
  const create = (where: string, more: { metadata?: object; spec?: object } = {}, query = '?dryRun=All'): Promise<KubeAnswer> =>
    kube.admin.ask('POST', `/api/v1/namespaces/${where}/pods${query}`, {
      ...{ apiVersion: 'v1', kind: 'Pod' },
      metadata: { name: 'web', ...more.metadata },
      spec: { serviceAccountName: 'web', containers: [{ name: 'web', image: 'web:1', securityContext: RESTRICTED }], ...more.spec },
    });
  const added = ({ body }: KubeAnswer): string[] =>
    ((body as { spec?: { initContainers?: { name: string }[] } }).spec?.initContainers ?? []).map(({ name }) => name);
  const entries = async (): Promise<readonly Entry[]> =>
    (await kube.admin.must<KubeObject & { webhooks: Entry[] }>('GET', CONFIGURATION)).webhooks;
  /** A configuration is heard of by the server's own watch, a moment later. */
  const injects = async (): Promise<void> => {
    let last: KubeAnswer | undefined;
    const isInjected = async (): Promise<boolean> => {
      last = await create('shop', { metadata: { name: 'probe' } });
      return added(last).length > 0;
    };
    await eventually(isInjected, () => `no Pod is given a sidecar: ${JSON.stringify([last, ...warnings])}`);
  };

  beforeAll(async () => {
    kube = await startKubeApiserver();
    folder = await mkdtemp(join(tmpdir(), 'hawser-injection-'));
    kubeconfig = await agentKubeconfig(kube);
    authority = await openAuthority(folder, 'us-east.hawser');
    await writeFile(join(folder, 'injection.json'), JSON.stringify(await deliverInjection(kube.admin, await freePort())));
    await namespace('shop', { 'hawser.dev/inject': 'enabled' });
    await start();
    await injects();
  }, BUILD_MS);
  afterAll(async () => {
    await injection?.stop();
    await kube?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('a Pod of a labelled namespace has its sidecar before anything else of it', async () => {
    const { body } = await create('shop', { metadata: { labels: { app: 'web' } } });
    const { spec, metadata } = body as { spec: Record<string, unknown>; metadata: { labels: Record<string, string> } };
    expect(spec['initContainers']).toMatchObject([
      { name: 'hawser-capture', securityContext: { capabilities: { add: ['NET_ADMIN', 'NET_RAW'], drop: ['ALL'] } } },
      { name: 'hawser-proxy', restartPolicy: 'Always', startupProbe: { httpGet: { path: '/healthz/ready', port: 15021 } } },
    ]);
    expect(spec['containers']).toMatchObject([{ name: 'web', image: 'web:1' }]);
    expect(metadata.labels).toEqual({ app: 'web', 'hawser.dev/sidecar': expect.stringMatching(/^default\.[0-9a-f]{10}$/) });
  });

  test('who asks for none has none', async () => {
    await namespace('plain', {});
    await namespace('canary', { 'hawser.dev/inject': 'enabled', 'hawser.dev/rev': 'canary' });
    await namespace('default-rev', { 'hawser.dev/inject': 'enabled', 'hawser.dev/rev': 'default' });
    await namespace('kube-system', { 'hawser.dev/inject': 'enabled' });
    await namespace('hawser-system', { 'hawser.dev/inject': 'enabled' });
    const out = { 'hawser.dev/inject': 'false' };
    const asked = {
      ...{ plain: create('plain'), canary: create('canary'), 'kube-system': create('kube-system'), own: create('hawser-system') },
      ...{ label: create('shop', { metadata: { labels: out } }), annotation: create('shop', { metadata: { annotations: out } }) },
      ...{ host: create('shop', { spec: { hostNetwork: true } }), revision: create('default-rev') },
    };
    const found = await Promise.all(
      Object.entries(asked).map(async ([name, answer]) => [name, (await answer).code, added(await answer).length]),
    );
    expect(found).toEqual(Object.keys(asked).map((name) => [name, 201, name === 'revision' ? 2 : 0]));
  });

  const ODD: Readonly<Record<string, { metadata?: object; spec?: object }>> = {
    'made by a generated name': { metadata: { name: undefined, generateName: 'web-' } },
    'of a Job': { spec: { restartPolicy: 'Never', activeDeadlineSeconds: 60 } },
    'of a megabyte': { spec: { containers: [{ name: 'web', image: 'web:1', args: Array(1_000).fill('x'.repeat(1_000)) }] } },
    'with resources of its own': {
      spec: { resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { cpu: '20m', memory: '64Mi' } } },
    },
    'of other users': { spec: { hostUsers: false, securityContext: { runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000 } } },
    'with sidecars and gates of its own': {
      spec: {
        initContainers: [{ name: 'logs', image: 'logs:1', restartPolicy: 'Always' }],
        ...{ schedulingGates: [{ name: 'example.com/wait' }], readinessGates: [{ conditionType: 'example.com/ready' }] },
      },
    },
    'that ends at once': { spec: { terminationGracePeriodSeconds: 0, automountServiceAccountToken: false, enableServiceLinks: false } },
    'for Linux': { spec: { os: { name: 'linux' }, nodeSelector: { 'kubernetes.io/os': 'linux' } } },
  };
  test.each(Object.entries(ODD))('a Pod %s has its sidecar, and the API server takes it', async (_what, more) => {
    const answer = await create('shop', more);
    expect([answer.code, added(answer).slice(0, 2)], JSON.stringify(answer.body).slice(0, 2_000)).toEqual([
      201,
      ['hawser-capture', 'hawser-proxy'],
    ]);
  });

  test('a Pod that is there is not touched: neither by a change, nor by a container for debugging', async () => {
    await create('shop', { metadata: { name: 'kept', annotations: { 'hawser.dev/inject': 'false' } } }, '');
    await create('shop', { metadata: { name: 'injected' } }, '');
    const path = (name: string): string => `/api/v1/namespaces/shop/pods/${name}`;
    for (const [name, count] of [
      ['kept', 0],
      ['injected', 2],
    ] as const) {
      const changed = await kube.admin.ask('PATCH', path(name), { metadata: { annotations: { 'hawser.dev/inject': null, note: 'x' } } });
      expect([changed.code, added(changed).length]).toEqual([200, count]);
      const debug = { spec: { ephemeralContainers: [{ name: 'debug', image: 'debug:1' }] } };
      expect(await kube.admin.ask('PATCH', `${path(name)}/ephemeralcontainers`, debug)).toMatchObject({ code: 200 });
      await kube.admin.must('DELETE', path(name));
    }
  });

  test('capture is for privileged namespaces alone; without it the sidecar is `restricted`', async () => {
    const enforced = (level: string) => ({ 'hawser.dev/inject': 'enabled', 'pod-security.kubernetes.io/enforce': level });
    await namespace('baseline', enforced('baseline'));
    await namespace('restricted', enforced('restricted'));
    for (const level of ['baseline', 'restricted'])
      expect(await create(level)).toMatchObject({ code: 403, body: { message: expect.stringMatching(/hawser-capture.*NET_ADMIN/) } });
    const calm = await create('restricted', { metadata: { annotations: { 'hawser.dev/capture': 'false' } } });
    expect([calm.code, added(calm)]).toEqual([201, ['hawser-proxy']]);
  });

  test('what kube-inject makes of everything that makes Pods is accepted', async () => {
    const settings = injectionSettings(SETTINGS, { cluster: 'us-east', agentCa: authority.doorBundle, door: '' });
    const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'web:1' }] } };
    const selector = { matchLabels: { app: 'web' } };
    const ending = { ...template, spec: { ...template.spec, restartPolicy: 'Never' } };
    const objects = [
      { apiVersion: 'apps/v1', kind: 'Deployment', spec: { selector, template } },
      { apiVersion: 'apps/v1', kind: 'StatefulSet', spec: { selector, template, serviceName: 'web' } },
      { apiVersion: 'apps/v1', kind: 'DaemonSet', spec: { selector, template } },
      { apiVersion: 'batch/v1', kind: 'Job', spec: { template: ending } },
      { apiVersion: 'batch/v1', kind: 'CronJob', spec: { schedule: '0 0 * * *', jobTemplate: { spec: { template: ending } } } },
    ].map((object) => ({ ...object, metadata: { name: 'web', namespace: 'shop' } }));
    for (const written of objects) {
      const { object, notes } = injectObject(written, settings);
      const made = await kube.admin.apply(object as KubeObject, { dryRun: true });
      expect([notes, JSON.stringify(made.spec).includes('"restartPolicy":"Always"')]).toEqual([
        [`${written.kind} shop/web: has a sidecar now`],
        true,
      ]);
    }
  });

  test('an emptied CA is filled again', async () => {
    const emptied = (await entries()).map((one) => ({ ...one, clientConfig: { ...one.clientConfig, caBundle: null } }));
    await kube.admin.must('PATCH', CONFIGURATION, { webhooks: emptied });
    const isFilled = async (): Promise<boolean> => (await entries()).every(({ clientConfig }) => clientConfig.caBundle !== undefined);
    await eventually(isFilled, () => `the CA is not there: ${JSON.stringify([...warnings])}`);
    const [first] = await entries();
    expect(Buffer.from(first?.clientConfig.caBundle ?? '', 'base64').toString()).toBe(authority.doorBundle);
  });

  test('the role is for this configuration alone', async () => {
    const agent = kube.client(await kube.serviceAccountToken({ namespace: 'hawser-system', name: 'hawser-agent' }));
    const other = CONFIGURATION.replace('hawser-injection', 'other');
    const codes = await Promise.all([
      ...[agent.ask('GET', CONFIGURATION), agent.ask('GET', other), agent.ask('PATCH', other, {}), agent.ask('DELETE', CONFIGURATION)],
      ...[agent.ask('GET', CONFIGURATION.replace(/\/hawser-injection$/, '')), agent.ask('POST', '/api/v1/namespaces/shop/pods', {})],
    ]);
    expect(codes.map(({ code }) => code)).toEqual([200, 403, 403, 403, 403, 403]);
  });

  test('without an agent Pods start without a sidecar, and are named when it is back; with Fail they do not start', async () => {
    await injection?.stop();
    const left = await create('shop', {}, '');
    expect([left.code, added(left)]).toEqual([201, []]);
    const failing = (await entries()).map((one) => ({ ...one, failurePolicy: 'Fail' }));
    await kube.admin.must('PATCH', CONFIGURATION, { webhooks: failing });
    await eventually(async () => (await create('shop', { metadata: { name: 'second' } })).code === 500, 'Pods start all the same');
    await start();
    await injects();
    await eventually(
      () =>
        warnings.get('injection')?.[0]?.startsWith('namespace shop: 1 Pod without a sidecar (web): kubectl -n shop rollout restart') ===
        true,
      () => `it is not named: ${JSON.stringify([...warnings])}`,
    );
    await kube.admin.ask('DELETE', '/api/v1/namespaces/shop/pods/web?gracePeriodSeconds=0');
    await eventually(() => warnings.get('injection')?.length === 0, 'it is named for ever');
    expect(added(await create('shop', {}, ''))).toEqual(['hawser-capture', 'hawser-proxy']);
    await eventually(() => warnings.get('injection')?.length === 0, 'a Pod that has its sidecar is named');
  });
});
