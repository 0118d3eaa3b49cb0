/** What a cluster has one of, and releases of the agent's chart share: seen on a real API server, with two of them. */
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rendered } from '../kit/chart.ts';
import { canRunHelm, helmBinary } from '../kit/helm.ts';
import { startKubeApiserver, type TestKubeApiserver } from '../kit/kube-apiserver.ts';
import { BUILD_MS, canRunKubernetes } from '../kit/kube-apiserver-binary.ts';
import type { KubeClient } from '../kit/kube-client.ts';
import { applyDefinitions } from '../kit/kube-definitions.ts';
import { eventually } from '../kit/served.ts';

const AGENT = 'hawser-agent';
/** The namespace of each release, and its name. */
const RELEASES = [
  ['hawser-system', 'hawser-agent'],
  ['hawser-agent-canary', 'canary-agent'],
] as const;
const WEBHOOKS = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations';
const IMPORTS = '/apis/multicluster.x-k8s.io/v1beta1/namespaces/shop/serviceimports';

describe.skipIf(!canRunHelm() || !canRunKubernetes())('two releases of the agent in one cluster', () => {
  let kube: TestKubeApiserver;
  const account = async (namespace: string, name: string): Promise<KubeClient> =>
    kube.client(await kube.serviceAccountToken({ namespace, name }));
  const anImport = (name: string, labels = {}): object => ({
    ...{ apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceImport', metadata: { name, labels } },
    spec: { type: 'Headless', ports: [{ port: 80 }] },
  });

  beforeAll(async () => {
    await helmBinary();
    kube = await startKubeApiserver();
    await applyDefinitions(kube.admin, ['multicluster.x-k8s.io']);
    for (const name of [...RELEASES.map(([namespace]) => namespace), 'shop'])
      await kube.admin.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  }, BUILD_MS);
  afterAll(() => kube?.stop());

  test('a user is refused to write the imports of either agent, and each agent writes', async () => {
    const otherAccounts = RELEASES.map((names) => names.join('/'));
    for (const [namespace, fullnameOverride] of RELEASES)
      for (const object of await rendered(AGENT, { fullnameOverride, denyImportWrites: { enabled: true, otherAccounts } }, namespace))
        if (/^(ServiceAccount|ClusterRole|ClusterRoleBinding|ValidatingAdmissionPolicy.*)$/.test(object.kind))
          await kube.admin.apply(object);
    const ours = { 'app.kubernetes.io/managed-by': 'hawser' };
    const codes = async (client: KubeClient, name: string): Promise<number[]> => {
      const made = await client.ask('POST', IMPORTS, anImport(name, ours));
      const edited = await client.ask('PATCH', `${IMPORTS}/${name}`, { metadata: { annotations: { by: name } } });
      return [made.code, edited.code, (await client.ask('DELETE', `${IMPORTS}/${name}`)).code];
    };
    // The server takes policies up within moments, one after the other.
    await eventually(
      async () => (await kube.admin.ask('POST', `${IMPORTS}?dryRun=All`, anImport('tried', ours))).code === 403,
      'nobody is refused',
    );
    expect(await codes(kube.admin, 'users')).toEqual([403, 404, 404]);
    for (const [namespace, name] of RELEASES) expect(await codes(await account(namespace, name), name)).toEqual([201, 200, 200]);
    expect((await kube.admin.ask('POST', IMPORTS, anImport('theirs'))).code).toBe(201);
  });

  test('each has a webhook of its own revision, which the other agent can neither read nor change', async () => {
    const revisions = ['default', 'canary'] as const;
    const rights: number[][] = [];
    for (const [index, [namespace, fullnameOverride]] of RELEASES.entries()) {
      const values = { fullnameOverride, injection: { enabled: true, revision: revisions[index] } };
      for (const object of await rendered(AGENT, values, namespace))
        if (/^(ServiceAccount|ConfigMap|Service|ClusterRole|ClusterRoleBinding|MutatingWebhook.*)$/.test(object.kind))
          await kube.admin.apply(object);
    }
    const { items } = await kube.admin.must<{ items: readonly Configuration[] }>('GET', WEBHOOKS);
    const found = items.map(({ metadata, webhooks }) => [
      metadata.name,
      webhooks.map(({ namespaceSelector, clientConfig: { service } }) => [
        namespaceSelector.matchExpressions.find(({ key }) => key === 'hawser.dev/rev')?.values ?? 'none named',
        `${service.name}.${service.namespace}`,
      ]),
    ]);
    expect(Object.fromEntries(found)).toEqual({
      'hawser-injection': [
        ['none named', 'hawser-injection.hawser-system'],
        [['default'], 'hawser-injection.hawser-system'],
      ],
      'hawser-injection-canary': [[['canary'], 'hawser-injection-canary.hawser-agent-canary']],
    });
    for (const [namespace, name] of RELEASES) {
      const agent = await account(namespace, name);
      const asked = ['hawser-injection', 'hawser-injection-canary'].map((one) => agent.ask('PATCH', `${WEBHOOKS}/${one}`, {}));
      rights.push((await Promise.all(asked)).map(({ code }) => code));
    }
    expect(rights).toEqual([
      [200, 403],
      [403, 200],
    ]);
  });
});

interface Configuration extends KubeObject {
  readonly webhooks: readonly {
    readonly clientConfig: { readonly service: { readonly name: string; readonly namespace: string } };
    readonly namespaceSelector: { readonly matchExpressions: readonly { readonly key: string; readonly values?: readonly string[] }[] };
  }[];
}
