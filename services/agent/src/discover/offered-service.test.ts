import { receivedShard } from '@hawser/model/endpoint-shard.ts';
import { expect, it } from 'vitest';
import { acceptSavedState, localStateOf } from '../feed/saved-state.ts';
import { localServices, ServiceMemory } from './local-shards.ts';
import { parseRegistryFile } from './registry-file.ts';

const service = (spec: string) => `
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop, labels: {not: exported}}
spec: {${spec}}
`;
const EXPORT = `
---
apiVersion: multicluster.x-k8s.io/v1beta1
kind: ServiceExport
metadata: {name: web, namespace: shop}
`;

function objectsOf(text: string) {
  const parsed = parseRegistryFile(text);
  if ('issues' in parsed) throw new Error(JSON.stringify(parsed.issues));
  return parsed.objects;
}

function built(text: string) {
  const { shards, warnings } = localServices('east', objectsOf(text), { healthOf: () => undefined });
  return { shard: shards.get('shop/web'), warnings };
}

it('says nothing of a Service that is not exported, and nothing that its ports say already', () => {
  expect(built(service('clusterIP: None, ports: [{port: 80}, {port: 53, name: dns, protocol: UDP}]')).shard).not.toHaveProperty('export');
  expect(built(service('ports: [{port: 80, name: http}]') + EXPORT).shard).not.toHaveProperty('export');
});

it('tells what a file says of its Service and its export, and what of it sidecars do not do', () => {
  const spec = [
    'ports: [{port: 53, name: dns, protocol: UDP}, {port: 80, name: http, appProtocol: http}], ipFamilies: [IPv4], ipFamilyPolicy: SingleStack',
    'sessionAffinity: ClientIP, internalTrafficPolicy: Local, trafficDistribution: PreferClose',
  ].join(', ');
  const offered = EXPORT.replace('{name', '{creationTimestamp: "2026-01-02T03:04:05Z", labels: {not: exported}, name');
  const { shard, warnings } = built(`${service(spec)}${offered}spec: {exportedLabels: {team: a}, exportedAnnotations: {note: "b c"}}\n`);
  expect(shard?.ports).toEqual([{ name: 'http', port: 80, protocol: 'http' }]);
  expect(shard?.export).toEqual({
    ...{ createdAt: '2026-01-02T03:04:05Z', type: 'ClusterSetIP', ipFamilies: ['IPv4'], sessionAffinity: 'ClientIP' },
    ...{ internalTrafficPolicy: 'Local', trafficDistribution: 'PreferClose', labels: { team: 'a' }, annotations: { note: 'b c' } },
    ports: [
      { name: 'dns', protocol: 'UDP', port: 53 },
      { name: 'http', protocol: 'TCP', appProtocol: 'http', port: 80 },
    ],
  });
  expect(warnings.map((text) => text.split(': ').slice(0, 2).join(': '))).toEqual([
    'Service shop/web: ports 53/UDP',
    'Service shop/web: spec.sessionAffinity ClientIP',
    'Service shop/web: spec.internalTrafficPolicy Local',
  ]);
});

it('an age that is none is unknown', () => {
  const offered = EXPORT.replace('{name', '{creationTimestamp: soon, name');
  expect(built(service('clusterIP: None') + offered).shard?.export).toEqual({ type: 'Headless', ports: [] });
});

it('leaves out labels that no API server would take, and all where they are too many', () => {
  const offered = `${EXPORT}spec: {exportedLabels: {team: a, "no key": b, long: "${'x'.repeat(64)}"}}\n`;
  const { shard, warnings } = built(service('ports: []') + offered);
  expect(shard?.export?.labels).toEqual({ team: 'a' });
  expect(warnings).toEqual([
    'ServiceExport shop/web: spec.exportedLabels[no key]: is no label of Kubernetes; it is not exported',
    'ServiceExport shop/web: spec.exportedLabels[long]: is no label of Kubernetes; it is not exported',
  ]);
  const large = built(`${service('ports: []')}${EXPORT}spec: {exportedAnnotations: {a: "${'x'.repeat(20_000)}"}}\n`);
  expect(large.shard).not.toHaveProperty('export');
  expect(large.warnings).toEqual([expect.stringMatching(/^ServiceExport shop\/web: exported labels and annotations are larger than/)]);
});

it('another word of the export is another shard; what it is published and saved as has all of it', () => {
  const memory = new ServiceMemory();
  const shardOf = (label: string) =>
    localServices(
      'east',
      objectsOf(`${service('clusterIP: None, ports: [{port: 80}]')}${EXPORT}spec: {exportedLabels: {team: ${label}}}\n`),
      {
        ...{ healthOf: () => undefined, memory },
      },
    ).shards.get('shop/web');
  const before = shardOf('a');
  const after = shardOf('b');
  expect(after?.export?.labels).toEqual({ team: 'b' });
  expect(before?.export?.labels).toEqual({ team: 'a' });
  if (after === undefined) throw new Error('it is there');
  const text = JSON.stringify(after);
  expect(receivedShard(JSON.parse(text))).toEqual(after);
  const state = { version: 1, cluster: 'east', epoch: 1, config: [], fleet: [], failing: [], draining: [], proxies: [] };
  const files = [{ file: 'a', objects: objectsOf(service('ports: []') + EXPORT) }];
  const saved = JSON.parse(JSON.stringify({ ...state, files, shards: [after] }));
  expect(localStateOf(acceptSavedState(saved, 'east', 1)).shards.get('shop/web')).toEqual(after);
});
