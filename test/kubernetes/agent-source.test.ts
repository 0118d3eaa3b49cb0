/** The agent's source on a real API server, with exactly the role that is delivered. */

import { kubeconfigAccess } from '@hawser/agent/discover/kubernetes/api-access.ts';
import { ApiClient } from '@hawser/agent/discover/kubernetes/api-client.ts';
import { kubernetesRegistry } from '@hawser/agent/discover/kubernetes/kubernetes-registry.ts';
import { LocalSource } from '@hawser/agent/discover/local-source.ts';
import { tokenReviewVerifier } from '@hawser/agent/trust/token-review.ts';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startKubeApiserver, type TestKubeApiserver } from '../kit/kube-apiserver.ts';
import { BUILD_MS, canRunKubernetes } from '../kit/kube-apiserver-binary.ts';
import { agentKubeconfig, applyDefinitions } from '../kit/kube-definitions.ts';
import { eventually } from '../kit/served.ts';

describe.skipIf(!canRunKubernetes())('the source of an agent', () => {
  let kube: TestKubeApiserver;
  let api: ApiClient;
  let local: LocalSource;
  let warnings: readonly string[] = [];
  let remarks: readonly string[] = [];
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
        if (topic === 'endpoints') remarks = messages;
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

  describe('slices that are unlike the others', () => {
    const named = (name: string) => ({ name, namespace: 'shop' });
    const service = (name: string, spec = {}) =>
      kube.admin.apply({
        apiVersion: 'v1',
        kind: 'Service',
        metadata: named(name),
        spec: { ports: [{ name: 'http', port: 80 }], ...spec },
      });
    const sliceOf = (owner: string, number: number, endpoints: readonly object[], more: Record<string, unknown> = {}): KubeObject => ({
      ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4', endpoints },
      metadata: { ...named(`${owner}-${number}`), labels: { 'kubernetes.io/service-name': owner } },
      ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
      ...more,
    });
    const at = (address: string, more = {}) => ({ addresses: [address], conditions: { ready: true }, ...more });
    const pod = async (name: string): Promise<object> => {
      const spec = { serviceAccountName: name, containers: [{ name: 'app', image: 'example.com/app:1' }] };
      const { metadata } = await kube.admin.apply({ apiVersion: 'v1', kind: 'Pod', metadata: named(name), spec });
      return { targetRef: { kind: 'Pod', ...named(name), uid: metadata.uid } };
    };
    const endpointsOf = (name: string) => local.shards.get(`shop/${name}`)?.endpoints ?? [];
    const serves = (name: string, ...expected: string[]): Promise<void> =>
      eventually(
        () => String(endpointsOf(name).map(({ address }) => address)) === String(expected),
        () => `${name}: ${JSON.stringify(endpointsOf(name))}, ${JSON.stringify(warnings)}`,
      );

    test('the API server itself refuses addresses that are nobody; names for addresses pass, and are said to be ignored', async () => {
      await service('odd');
      for (const address of ['169.254.1.1', '127.0.0.1', '224.0.0.1', '0.0.0.0', 'web', '10.1.0.256'])
        await expect(kube.admin.apply(sliceOf('odd', 0, [at(address)])), address).rejects.toMatchObject({ code: 422 });
      await kube.admin.apply(sliceOf('odd', 1, [at('db.example.com')], { addressType: 'FQDN' }));
      await kube.admin.apply(sliceOf('odd', 2, [at('10.2.0.1')]));
      await serves('odd', '10.2.0.1');
      expect(warnings).toEqual(['EndpointSlice shop/odd-1: addressType FQDN: only IPv4 and IPv6 are served; the slice is ignored']);
      await kube.admin.remove(sliceOf('odd', 1, []));
      await eventually(() => warnings.length === 0, 'it is still said');
    });

    test('an endpoint in two slices is one; a Pod of two families is one, of the first', async () => {
      await service('twice', { clusterIP: 'None' });
      const [a, b] = [await pod('a'), await pod('b')];
      await kube.admin.apply(sliceOf('twice', 0, [at('10.3.0.1', a), at('10.3.0.2', b)]));
      await kube.admin.apply(sliceOf('twice', 1, [at('10.3.0.1', a)]));
      await kube.admin.apply(sliceOf('twice', 2, [at('fd00::1', a), at('fd00::2', b)], { addressType: 'IPv6' }));
      await serves('twice', '10.3.0.1', '10.3.0.2');
      expect(endpointsOf('twice').map(({ serviceAccount }) => serviceAccount)).toEqual(['a', 'b']);
      await kube.admin.remove(sliceOf('twice', 0, []));
      await serves('twice', '10.3.0.1', 'fd00::2');
    });

    test('conditions are health; the zone is the endpoint’s own, else that of its Node, which may change', async () => {
      const node = (zone: string) =>
        kube.admin.apply({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-1', labels: { 'topology.kubernetes.io/zone': zone } } });
      await node('east-a');
      await service('zoned');
      const hints = { forZones: [{ name: 'east-c' }] };
      const drains = { conditions: { ready: false, serving: true, terminating: true } };
      await kube.admin.apply(
        sliceOf('zoned', 0, [
          at('10.4.0.1', { nodeName: 'node-1', hints }),
          at('10.4.0.2', { zone: 'east-b', nodeName: 'node-1', ...drains }),
          at('10.4.0.3', { conditions: { ready: false } }),
        ]),
      );
      const found = () => endpointsOf('zoned').map(({ zone, health }) => [zone, health]);
      const becomes = (first: string): Promise<void> =>
        eventually(
          () =>
            JSON.stringify(found()) ===
            JSON.stringify([
              [first, 'HEALTHY'],
              ['east-b', 'DRAINING'],
              [undefined, 'UNHEALTHY'],
            ]),
          () => JSON.stringify(found()),
        );
      await becomes('east-a');
      await node('east-d');
      await becomes('east-d');
    });

    test('ten thousand endpoints in a hundred slices are served, and said', async () => {
      await service('crowd');
      const slices = Array.from({ length: 100 }, (_, number) =>
        sliceOf(
          'crowd',
          number,
          Array.from({ length: 100 }, (_, index) => at(`10.50.${number}.${index}`)),
        ),
      );
      await Promise.all(
        [0, 1, 2, 3].map(async (part) => {
          for (const one of slices.filter((_, index) => index % 4 === part)) await kube.admin.apply(one);
        }),
      );
      await eventually(
        () => endpointsOf('crowd').length === 10_000,
        () => `${endpointsOf('crowd').length} of 10000`,
      );
      expect(remarks).toContainEqual(expect.stringMatching(/^Service shop\/crowd: over 5000 endpoints: .*; divide the service$/));
    });
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
