/** The agent's source on a real API server, with exactly the role that is delivered. */
import { kubeconfigAccess } from '@hawser/agent/discover/kubernetes/api-access.ts';
import { ApiClient } from '@hawser/agent/discover/kubernetes/api-client.ts';
import { kubernetesRegistry } from '@hawser/agent/discover/kubernetes/kubernetes-registry.ts';
import { LocalSource } from '@hawser/agent/discover/local-source.ts';
import { tokenReviewVerifier } from '@hawser/agent/trust/token-review.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startKubeApiserver, type TestKubeApiserver } from '../kit/kube-apiserver.ts';
import { BUILD_MS, canRunKubernetes } from '../kit/kube-apiserver-binary.ts';
import type { KubeObject } from '../kit/kube-client.ts';
import { agentKubeconfig, applyDefinitions } from '../kit/kube-definitions.ts';
import { eventually } from '../kit/served.ts';

describe.skipIf(!canRunKubernetes())('the source of an agent', () => {
  let kube: TestKubeApiserver;
  let api: ApiClient;
  let local: LocalSource;
  let warnings: readonly string[] = [];
  const addresses = () => local.shards.get('shop/web')?.endpoints.map(({ address }) => address) ?? [];
  const slice = (...all: string[]): KubeObject => ({
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
    metadata: { name: 'web-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: all.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  });

  beforeAll(async () => {
    kube = await startKubeApiserver();
    await applyDefinitions(kube.admin, ['multicluster.x-k8s.io']);
    await kube.admin.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
    api = new ApiClient(kubeconfigAccess(await agentKubeconfig(kube), undefined));
    await kube.admin.apply({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'shop' },
      spec: { ports: [{ name: 'http', port: 80, protocol: 'TCP' }] },
    });
    await kube.admin.apply({
      apiVersion: 'multicluster.x-k8s.io/v1beta1',
      kind: 'ServiceExport',
      metadata: { name: 'web', namespace: 'shop' },
    });
    await kube.admin.apply(slice('10.1.0.1', '10.1.0.2'));
    local = new LocalSource({
      ...{ cluster: 'east', openRegistry: kubernetesRegistry({ api, secretNamespaces: [] }), checkMs: 0, onShards: () => undefined },
      onWarnings: (topic, messages) => {
        if (topic === 'registry') warnings = messages;
      },
    });
    await local.start();
  }, BUILD_MS);
  afterAll(async () => {
    await local?.stop();
    api?.close();
    await kube?.stop();
  });

  test('has what there is by its role alone, and each change', async () => {
    expect([addresses(), local.shards.get('shop/web')?.exported, warnings]).toEqual([['10.1.0.1', '10.1.0.2'], true, []]);
    await kube.admin.apply(slice('10.1.0.1', '10.1.0.2', '10.1.0.3'));
    await eventually(() => addresses().length === 3, 'the change is not heard');
  });

  test('a token of a service account is judged', async () => {
    const verify = tokenReviewVerifier({ api, cluster: 'east', edgeAccounts: [] });
    const account = { namespace: 'shop', name: 'web' };
    const good = await kube.serviceAccountToken(account, { audiences: ['hawser'] });
    expect(await verify(good)).toMatchObject({ namespace: 'shop', serviceAccount: 'web' });
    await expect(verify(await kube.serviceAccountToken(account))).rejects.toMatchObject({ reason: 'unauthenticated' });
  });

  test('a server that is killed and compacted takes nothing away', async () => {
    await kube.kill();
    await eventually(() => warnings.length > 0, 'nothing is said');
    expect(addresses()).toHaveLength(3);
    await kube.compact();
    await kube.admin.apply(slice('10.1.0.1', '10.1.0.2', '10.1.0.3', '10.1.0.4'));
    await eventually(
      () => addresses().length === 4 && warnings.length === 0,
      () => `not heard again: ${JSON.stringify(warnings)}`,
    );
  });
});
