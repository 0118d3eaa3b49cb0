import { expect, it } from 'vitest';
import type { BackingState } from './backing-states.ts';
import { backingWrite } from './backing-writes.ts';
import { derivedName, derivedService, derivedSlices } from './derived-service.ts';

const place = { collection: '/api/v1/services', namespace: 'shop', name: derivedName('web') };
const owner = { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceImport', name: 'web', uid: 'u' };
const http = { port: 80, protocol: 'TCP' as const };

it('a derived Service names every port where there are several, and is none without ports', () => {
  const service = derivedService('web', { ports: [http, { ...http, name: 'admin', port: 81 }] });
  expect(service?.content).toMatchObject({
    spec: {
      ports: [
        { name: 'port-80', port: 80 },
        { name: 'admin', port: 81 },
      ],
    },
  });
  expect(derivedService('web', { ports: [http] })?.content).toMatchObject({ spec: { ports: [{ port: 80, protocol: 'TCP' }] } });
  expect(derivedService('web', { ports: [] })).toBeUndefined();
});

it('its EndpointSlices leave out the ports that no listener takes', () => {
  const gateway: BackingState = {
    ...{ resourceVersion: '1', uid: 'g', generation: 1, labels: {}, owners: [] },
    content: { addressType: 'IPv6', endpoints: [{ addresses: ['fd00::9'] }], ports: [] },
  };
  const ports = [
    { ...http, name: 'http' },
    { ...http, name: 'data', port: 81 },
    { name: 'dns', port: 53, protocol: 'UDP' as const },
  ];
  const listenerPorts = new Map([
    [80, 15_001],
    [53, 15_001],
  ]);
  const [slice] = derivedSlices('web', { ports }, { listenerPorts, gateway: [['mesh/out-1', gateway]] });
  expect(slice?.labels).toEqual({
    'kubernetes.io/service-name': derivedName('web'),
    'endpointslice.kubernetes.io/managed-by': 'hawser.dev',
  });
  expect(slice?.content).toEqual({ ...gateway.content, ports: [{ name: 'http', port: 15_001, protocol: 'TCP' }] });
});

it('is made with the address that the import had, put right where it differs alone, and found again by its uid', () => {
  const wanted = derivedService('web', { ports: [http] });
  if (wanted === undefined) throw new Error('there are ports');
  const question = { kind: 'Service', owner, existing: undefined } as const;
  expect(backingWrite(place, wanted, { ...question, ip: '10.96.0.7' })).toMatchObject({
    ...{ method: 'POST', path: '/api/v1/namespaces/shop/services' },
    body: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { ownerReferences: [owner] },
      spec: { clusterIP: '10.96.0.7', type: 'ClusterIP' },
    },
  });
  expect(backingWrite(place, wanted, { ...question, lost: 'x' })).toMatchObject({
    method: 'PATCH',
    body: { metadata: { uid: 'x', labels: wanted.labels } },
  });
  const existing: BackingState = {
    ...{ resourceVersion: '4', uid: 's', generation: 0, owners: [owner], content: wanted.content },
    labels: { ...wanted.labels, theirs: 'yes' },
  };
  expect(backingWrite(place, wanted, { ...question, existing })).toBeUndefined();
  const edited = { ...existing, labels: {}, content: { spec: { ...(wanted.content['spec'] as object), selector: { app: 'mine' } } } };
  expect(backingWrite(place, wanted, { ...question, existing: edited })?.body).toEqual({
    metadata: { labels: wanted.labels, uid: 's', resourceVersion: '4' },
    spec: { selector: null },
  });
});
