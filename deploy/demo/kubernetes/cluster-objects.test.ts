import { expect, it } from 'vitest';
import { demoClusters, listenersOf, sidecarOf } from '../topology.ts';
import { clusterObjects, endpointSlices, podOf } from './cluster-objects.ts';

const clusters = demoClusters('127.77', { kubernetes: ['us-west'], stateDir: '/state' });
const [files, kubernetes] = clusters;

it('is a mixed federation: Pods of one cluster have addresses that Kubernetes takes, and call their sidecars on loopback', () => {
  expect(clusters.map(({ kubeconfig }) => kubeconfig)).toEqual([undefined, '/state/demo/us-west/kubeconfig.json', undefined]);
  const [pod] = kubernetes?.workloads ?? [];
  expect(pod).toMatchObject({ address: '10.77.2.10' });
  expect(pod === undefined ? '' : sidecarOf(pod)).toBe('127.77.2.10:15001');
  expect(files?.workloads[0]?.address).toBe('127.77.1.10');
  const places = clusters.flatMap(listenersOf).map(({ address, port }) => `${address}:${port}`);
  expect(new Set(places).size).toBe(places.length);
});

it('exports every service, and says of each Pod whether it is ready', () => {
  if (kubernetes === undefined) throw new Error('the demo has no us-west');
  const names = clusterObjects(kubernetes).map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  expect(names).toEqual(expect.arrayContaining(['Namespace bookinfo', 'Service ratings', 'ServiceExport ratings']));
  const slice = endpointSlices(kubernetes, new Set(['reviews-v2'])).find(({ metadata }) => metadata.name === 'reviews-1');
  const endpoints = slice?.['endpoints'] as readonly { readonly conditions: { readonly ready: boolean } }[];
  expect(endpoints.map(({ conditions }) => conditions.ready)).toEqual([false, true, false]);
  const pods = kubernetes.workloads.map((workload) => podOf(kubernetes, workload).metadata.name);
  expect(pods).toContain('ratings-v1');
});
