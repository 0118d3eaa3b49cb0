/** Objects as an API server gives them → registry objects → shards: a test for each rule. */
import { describe, expect, it } from 'vitest';
import { localServices, ServiceMemory } from '../local-shards.ts';
import type { EndpointSliceObject } from '../registry-kinds.ts';
import { ClusterObjects } from './cluster-objects.ts';
import { readService, readServiceExport } from './service-facts.ts';
import { readEndpointSlice } from './slice-facts.ts';
import { readNode, readPod, readSecret } from './workload-facts.ts';

type Raw = Record<string, unknown>;

const meta = (name: string, more: Raw = {}): Raw => ({ name, namespace: 'shop', resourceVersion: '7', managedFields: [{}], ...more });
const service = (name = 'web', spec: Raw = {}): Raw => ({
  metadata: meta(name, { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}' } }),
  spec: {
    type: 'ClusterIP',
    clusterIP: '10.96.0.9',
    selector: { app: name },
    ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 'http' }],
    ...spec,
  },
});
const pod = (name: string, uid = `uid-${name}`, serviceAccountName = 'web'): Raw => ({
  metadata: meta(name, { uid, labels: { app: 'web', version: 'v1', 'pod-template-hash': '5c9' } }),
  spec: { serviceAccountName, nodeName: 'node-1', containers: [{}] },
  status: { phase: 'Running' },
});
const endpoint = (address: string, more: Raw = {}): Raw => ({
  addresses: [address],
  conditions: { ready: true, serving: true, terminating: false },
  ...more,
});
const of = (name: string, uid = `uid-${name}`): Raw => ({ targetRef: { kind: 'Pod', namespace: 'shop', name, uid } });
const slice = (endpoints: readonly unknown[] | null, more: Raw = {}): Raw => ({
  metadata: meta('web-1', { labels: { 'kubernetes.io/service-name': 'web', 'endpointslice.kubernetes.io/managed-by': 'c' } }),
  ...{ addressType: 'IPv4', endpoints, ports: [{ name: 'http', port: 8080, protocol: 'TCP' }], ...more },
});

/** What was put, and what it comes to. */
function cluster(...steps: ((objects: ClusterObjects) => void)[]) {
  const objects = new ClusterObjects();
  for (const step of steps) step(objects);
  const { shards, warnings, targets } = localServices('east', objects.objects, { healthOf: () => undefined });
  return { objects, shards, shard: shards.get('shop/web'), targets, warnings: [...objects.warnings, ...warnings] };
}
const put = {
  service: (raw: Raw) => (objects: ClusterObjects) => objects.services.put(readService(raw) ?? { key: '' }),
  slice: (raw: Raw) => (objects: ClusterObjects) => objects.slices.put(readEndpointSlice(raw) ?? { key: '' }),
  pod: (raw: Raw) => (objects: ClusterObjects) => objects.pods.put(readPod(raw) ?? { key: '' }),
  node: (raw: Raw) => (objects: ClusterObjects) => objects.nodes.put(readNode(raw) ?? { key: '' }),
  export: (name: string) => (objects: ClusterObjects) => objects.exports.put(readServiceExport({ metadata: meta(name) }) ?? { key: '' }),
  secret: (raw: Raw) => (objects: ClusterObjects) => objects.secrets.put(readSecret(raw) ?? { key: '' }),
};

describe('identity and place of an endpoint', () => {
  it('is its Pod: account and labels, without the numbers of its generation', () => {
    const { shard } = cluster(put.service(service()), put.pod(pod('a')), put.slice(slice([endpoint('10.1.0.1', of('a'))])));
    expect(shard?.endpoints).toEqual([
      { address: '10.1.0.1', targetPorts: { '80': 8080 }, labels: { app: 'web', version: 'v1' }, serviceAccount: 'web', health: 'HEALTHY' },
    ]);
  });

  it('is bare in gateway mode, unless injection gave its Pod a sidecar', () => {
    const injected = pod('b');
    (injected['metadata'] as { labels: Record<string, string> }).labels['hawser.dev/sidecar'] = 'default.12ab';
    const addresses = slice([endpoint('10.1.0.1', of('a')), endpoint('10.1.0.2', of('b'))]);
    const { objects } = cluster(put.service(service()), put.pod(pod('a')), put.pod(injected), put.slice(addresses));
    const bare = (gatewayMode: boolean) =>
      localServices('east', objects.objects, { healthOf: () => undefined, gatewayMode })
        .shards.get('shop/web')
        ?.endpoints.map((one) => one.bare);
    expect(bare(true)).toEqual([true, undefined]);
    expect(bare(false)).toEqual([undefined, undefined]);
  });

  it('is left out while its Pod is not known, and there when it is', () => {
    const { objects, shard } = cluster(put.service(service()), put.slice(slice([endpoint('10.1.0.1', of('a')), endpoint('10.1.0.2')])));
    expect(shard?.endpoints.map(({ address }) => address)).toEqual(['10.1.0.2']);
    expect(objects.unknownPods).toEqual(['shop/a']);
    put.pod(pod('a'))(objects);
    expect(objects.unknownPods).toEqual([]);
    expect(localServices('east', objects.objects, { healthOf: () => undefined }).shards.get('shop/web')?.endpoints).toHaveLength(2);
  });

  it('stays who it was when its Pod goes before the slice says so, and is not taken for another Pod of that name', () => {
    const { objects } = cluster(put.service(service()), put.pod(pod('a')), put.slice(slice([endpoint('10.1.0.1', of('a'))])));
    const account = (): string | undefined =>
      localServices('east', objects.objects, { healthOf: () => undefined }).shards.get('shop/web')?.endpoints[0]?.serviceAccount;
    objects.pods.remove('shop/a');
    expect(account()).toBe('web');
    put.pod(pod('a', 'another', 'other'))(objects);
    expect(account()).toBe('web');
    put.slice(slice([endpoint('10.1.0.7', of('a', 'another'))]))(objects);
    expect(account()).toBe('other');
  });

  it('has the zone of its slice, else of its Node', () => {
    const node = { metadata: { name: 'node-1', labels: { 'topology.kubernetes.io/zone': 'b' } } };
    const endpoints = [endpoint('10.1.0.1', { zone: 'a', nodeName: 'node-1' }), endpoint('10.1.0.2', { nodeName: 'node-1' })];
    const { objects, shard } = cluster(put.service(service()), put.slice(slice(endpoints)), put.node(node));
    expect(shard?.endpoints.map(({ zone }) => zone)).toEqual(['a', 'b']);
    objects.nodes.remove('node-1');
    expect((objects.objects[1] as EndpointSliceObject).endpoints[1]).not.toHaveProperty('zone');
  });

  it('without a Pod has the labels of its slice and the default account, and is checked; one with a Pod has the kubelet', () => {
    const labelled = slice([endpoint('10.1.0.1', of('a')), endpoint('10.1.0.2')]);
    (labelled['metadata'] as { labels: Raw }).labels['version'] = 'v9';
    const { shard, targets } = cluster(put.service(service()), put.pod(pod('a')), put.slice(labelled));
    expect(shard?.endpoints[1]).toMatchObject({ labels: { version: 'v9' }, serviceAccount: 'default' });
    expect(targets).toEqual([{ address: '10.1.0.2', port: 8080, check: { kind: 'tcp' } }]);
  });
});

describe('conditions', () => {
  const cases: [Raw | null, string, false | undefined][] = [
    [null, 'HEALTHY', undefined],
    [{ ready: true }, 'HEALTHY', undefined],
    [{ ready: null }, 'HEALTHY', undefined],
    [{ ready: false, serving: false, terminating: false }, 'UNHEALTHY', false],
    [{ ready: false, serving: true, terminating: true }, 'DRAINING', undefined],
    [{ ready: false, terminating: true }, 'DRAINING', undefined],
    [{ ready: false, serving: false, terminating: true }, 'UNHEALTHY', false],
    // publishNotReadyAddresses
    [{ ready: true, serving: false, terminating: false }, 'HEALTHY', undefined],
  ];
  it.each(cases)('%j is %s', (conditions, health, ready) => {
    const { shard } = cluster(
      put.service(service()),
      put.pod(pod('a')),
      put.slice(slice([endpoint('10.1.0.1', { ...of('a'), conditions })])),
    );
    expect(shard?.endpoints[0]?.health).toBe(health);
    expect(shard?.endpoints[0]?.ready).toBe(ready);
  });

  it('a drain that a proxy asked for counts where the kubelet checks', () => {
    const { objects } = cluster(put.service(service()), put.pod(pod('a')), put.slice(slice([endpoint('10.1.0.1', of('a'))])));
    const { shards } = localServices('east', objects.objects, { healthOf: () => 'DRAINING' });
    expect(shards.get('shop/web')?.endpoints[0]?.health).toBe('DRAINING');
  });
});

describe('slices', () => {
  it('of one service are added up, and one address in two of them is one endpoint', () => {
    const second = slice([endpoint('10.1.0.1'), endpoint('10.1.0.2')]);
    (second['metadata'] as Raw)['name'] = 'web-2';
    const { shard } = cluster(put.service(service()), put.slice(slice([endpoint('10.1.0.1')])), put.slice(second));
    expect(shard?.endpoints.map(({ address }) => address)).toEqual(['10.1.0.1', '10.1.0.2']);
  });

  const dual: [Raw, string][] = [
    [{ clusterIP: '10.96.0.9' }, '10.1.0.1'],
    [{ clusterIP: 'fd00::9' }, 'fd00::1'],
    [{ clusterIP: 'None', ipFamilies: ['IPv6', 'IPv4'] }, 'fd00::1'],
  ];
  it.each(dual)('of two families show a Pod once, in the first of the Service, %j', (spec, address) => {
    const six = slice([endpoint('fd00::1', of('a')), endpoint('fd00::2')], { addressType: 'IPv6' });
    (six['metadata'] as Raw)['name'] = 'web-0';
    const { shard } = cluster(
      ...[put.service(service('web', spec)), put.pod(pod('a')), put.slice(six), put.slice(slice([endpoint('10.1.0.1', of('a'))]))],
    );
    expect(shard?.endpoints.map((one) => one.address)).toEqual([address, 'fd00::2']);
  });

  it('of a headless service are served as any other', () => {
    const { shard } = cluster(put.service(service('web', { clusterIP: 'None' })), put.slice(slice([endpoint('10.1.0.1')])));
    expect(shard?.endpoints).toHaveLength(1);
  });

  it('of a Service without ports serve nobody, and have names where it is headless and exported', () => {
    const portless = { clusterIP: 'None', ports: null };
    const steps = [
      put.service(service('web', portless)),
      put.slice(slice([{ ...endpoint('10.1.0.1'), hostname: 'web-0' }], { ports: [] })),
    ];
    expect(cluster(...steps).shard?.endpoints).toEqual([]);
    const { shard, targets, warnings } = cluster(...steps, put.export('web'));
    expect(shard?.endpoints).toMatchObject([{ address: '10.1.0.1', hostname: 'web-0', targetPorts: {}, health: 'HEALTHY' }]);
    expect([shard?.ports, targets, warnings]).toEqual([[], [], []]);
  });

  it('with nothing in them say nothing, whatever the service wants of its ports', () => {
    const { shard, warnings } = cluster(put.service(service()), put.slice(slice(null, { ports: null })));
    expect(shard?.endpoints).toEqual([]);
    expect(warnings).toEqual([]);
  });

  it('of no service, or of imports, are left alone', () => {
    const { objects } = cluster(put.slice({ ...slice([endpoint('10.1.0.1')]), metadata: meta('x', { labels: null }) }));
    expect(objects.objects).toEqual([]);
    expect(objects.warnings).toEqual([]);
  });

  it('a bad address is named and left out, the rest goes on', () => {
    const bad = [endpoint('10.1.0.999'), endpoint('fd00::1'), endpoint('10.1.0.1'), {}, endpoint('x'), { addresses: [] }];
    const { shard, warnings } = cluster(put.service(service()), put.slice(slice(bad)));
    expect(shard?.endpoints.map(({ address }) => address)).toEqual(['10.1.0.1']);
    expect(warnings[0]).toBe('EndpointSlice shop/web-1: 2 more endpoints are ignored');
    expect(warnings[1]).toBe(
      'EndpointSlice shop/web-1: endpoints[0].addresses[0]: "10.1.0.999" is no IPv4 address; the endpoint is ignored',
    );
    expect(warnings).toHaveLength(4);
  });

  it('of names are refused', () => {
    const { warnings } = cluster(put.service(service()), put.slice(slice([endpoint('a.example')], { addressType: 'FQDN' })));
    expect(warnings).toEqual(['EndpointSlice shop/web-1: addressType FQDN: only IPv4 and IPv6 are served; the slice is ignored']);
  });

  it('ten thousand endpoints in one service are served, and said', () => {
    const steps = Array.from({ length: 10 }, (_, part) => {
      const one = slice(Array.from({ length: 1000 }, (_, n) => endpoint(`10.${part}.${n >> 8}.${n & 255}`)));
      (one['metadata'] as Raw)['name'] = `web-${part}`;
      return put.slice(one);
    });
    const { shard, warnings } = cluster(put.service(service()), ...steps);
    expect(shard?.endpoints).toHaveLength(10_000);
    expect(warnings).toEqual([expect.stringMatching(/^Service shop\/web: over 5000 endpoints: each change/)]);
  });
});

describe('services and exports', () => {
  it('keep what is used of them', () => {
    const { objects } = cluster(put.service(service()), put.export('web'));
    expect(objects.objects).toEqual([
      {
        ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'shop' } },
        spec: {
          type: 'ClusterIP',
          clusterIP: '10.96.0.9',
          selector: { app: 'web' },
          ports: [{ name: 'http', port: 80, targetPort: 'http' }],
        },
      },
      { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceExport', metadata: { name: 'web', namespace: 'shop' } },
    ]);
  });

  it('an export of nothing, or of a name elsewhere, is named; the rest goes on', () => {
    const external = service('far', { type: 'ExternalName', externalName: 'example.com', ports: null });
    const { objects, shards, warnings } = cluster(put.service(service()), put.service(external), put.export('gone'));
    expect(warnings).toEqual(['ServiceExport shop/gone: there is no Service of this name to export']);
    put.export('far')(objects);
    const { warnings: then } = localServices('east', objects.objects, { healthOf: () => undefined });
    expect(then[0]).toMatch('Service shop/far: spec.type ExternalName cannot be served or exported');
    expect([...shards.keys()]).toEqual(['shop/web']);
  });

  it('ports that the mesh cannot carry are left out, and said of an exported service', () => {
    const ports = [
      { name: 'dns', port: 53, protocol: 'UDP' },
      { port: 80, targetPort: 0 },
    ];
    const { objects, shard, warnings } = cluster(put.service(service('web', { ports })));
    expect([shard?.ports.map(({ port }) => port), warnings]).toEqual([[80], []]);
    put.export('web')(objects);
    const then = localServices('east', objects.objects, { healthOf: () => undefined });
    expect(then.warnings).toEqual([
      'Service shop/web: ports 53/UDP: the mesh carries TCP alone; imports name them, and nobody can call them',
    ]);
    expect(then.shards.get('shop/web')?.export?.ports).toEqual([
      { name: 'dns', protocol: 'UDP', port: 53 },
      { protocol: 'TCP', port: 80 },
    ]);
  });

  it('what imports tell of a Service comes with its export, and what an API server writes by itself does not', () => {
    const spec = {
      ...{ clusterIP: 'None', ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack', sessionAffinity: 'ClientIP' },
      ...{
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
        internalTrafficPolicy: 'Cluster',
        trafficDistribution: 'PreferClose',
      },
      ports: [{ name: 'http', port: 80, targetPort: 'http', protocol: 'TCP', appProtocol: 'http' }],
    };
    const born = { ...meta('web'), creationTimestamp: '2026-01-02T03:04:05Z', labels: { not: 'exported' } };
    expect(readServiceExport({ metadata: { ...born, deletionTimestamp: '2026-01-02T00:00:00Z' } })).toEqual({
      key: 'shop/web',
      isGone: true,
    });
    const offered = readServiceExport({ metadata: born, spec: { exportedLabels: { team: 'a' }, exportedAnnotations: null } });
    const { objects, shard } = cluster(
      put.service(service('web', spec)),
      (all) => all.exports.put(offered ?? { key: '' }),
      put.slice(slice([{ ...endpoint('10.1.0.1'), hostname: 'web-0' }])),
    );
    expect(shard?.export).toEqual({
      ...{ createdAt: '2026-01-02T03:04:05Z', type: 'Headless', ipFamilies: ['IPv4'], sessionAffinity: 'ClientIP' },
      ...{ sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } }, trafficDistribution: 'PreferClose', labels: { team: 'a' } },
      ports: [{ name: 'http', protocol: 'TCP', appProtocol: 'http', port: 80 }],
    });
    expect(shard?.endpoints.map(({ hostname }) => hostname)).toEqual(['web-0']);
    put.service(service('web', { ...spec, clusterIP: '10.96.0.9' }))(objects);
    const { shards } = localServices('east', objects.objects, { healthOf: () => undefined });
    expect(shards.get('shop/web')?.endpoints[0]).not.toHaveProperty('hostname');
  });

  it('a Secret has its certificate and nothing else', () => {
    const data = { 'tls.crt': 'YQ==', 'tls.key': 'Yg==', id_rsa: 'Yw==' };
    const { objects } = cluster(put.secret({ metadata: meta('edge'), type: 'kubernetes.io/tls', data }));
    expect(objects.objects[0]).toMatchObject({ kind: 'Secret', data: { 'tls.crt': 'YQ==', 'tls.key': 'Yg==' } });
    expect(JSON.stringify(objects.objects)).not.toContain('id_rsa');
  });
});

describe('what changes', () => {
  it('garbage is named and leaves the last good state', () => {
    const { objects } = cluster(put.service(service()), put.slice(slice([endpoint('10.1.0.1')])));
    objects.takeChanges();
    put.slice({ ...slice(null), endpoints: 'many' })(objects);
    expect(objects.warnings).toEqual([expect.stringMatching(/^EndpointSlice shop\/web-1: endpoints: .*its last good state is kept$/)]);
    expect((objects.objects[1] as EndpointSliceObject).endpoints).toHaveLength(1);
    put.slice(slice([endpoint('10.1.0.1')]))(objects);
    expect(objects.warnings).toEqual([]);
    expect(readService({ kind: 'Service' })).toBeUndefined();
  });

  it('an object that the rest could not read is refused by itself', () => {
    const { objects } = cluster(put.service(service('web', { ports: [{ name: 'http', port: 99_999 }] })), put.export('web'));
    expect(objects.objects.map(({ kind }) => kind)).toEqual(['ServiceExport']);
    expect(objects.warnings).toEqual([expect.stringMatching(/^Service shop\/web: spec.ports.0.port: .*last good state is kept$/)]);
  });

  it('a new version of what is the same is no change; of a Pod, only its own slices are made anew', () => {
    const other = slice([endpoint('10.1.9.1', of('b'))]);
    (other['metadata'] as Raw)['name'] = 'other-1';
    const { objects } = cluster(
      put.service(service()),
      put.pod(pod('a')),
      put.pod(pod('b')),
      put.slice(slice([endpoint('10.1.0.1', of('a'))])),
      put.slice(other),
    );
    objects.takeChanges();
    const before = objects.objects;
    put.pod({ ...pod('a'), status: { phase: 'Pending' } })(objects);
    put.slice(slice([endpoint('10.1.0.1', of('a'))]))(objects);
    expect(objects.takeChanges()).toBeUndefined();
    expect(objects.objects).toBe(before);
    put.pod(pod('a', 'uid-a', 'admin'))(objects);
    expect(objects.takeChanges()).toEqual([{ before: before[1], after: objects.objects[1] }]);
    expect(objects.objects.map((object, at) => object === before[at])).toEqual([true, false, true]);
  });

  it('a list replaces what it is of: all of a kind, or one namespace', () => {
    const { objects } = cluster(put.service(service()), put.service(service('two')));
    objects.services.replace([], 'elsewhere');
    expect(objects.objects).toHaveLength(2);
    objects.services.replace([{ key: 'shop/two', problem: 'unreadable' }]);
    expect(objects.objects.map(({ metadata }) => metadata.name)).toEqual(['two']);
  });

  it('shards of services that no change concerns are the same objects', () => {
    const second = slice([endpoint('10.2.0.1')]);
    second['metadata'] = meta('two-1', { labels: { 'kubernetes.io/service-name': 'two' } });
    const { objects } = cluster(
      put.service(service()),
      put.service(service('two')),
      put.slice(slice([endpoint('10.1.0.1')])),
      put.slice(second),
    );
    const memory = new ServiceMemory();
    const before = localServices('east', objects.objects, { healthOf: () => undefined, memory }).shards;
    put.slice(slice([endpoint('10.1.0.1'), endpoint('10.1.0.2')]))(objects);
    const after = localServices('east', objects.objects, { healthOf: () => undefined, memory }).shards;
    expect([after.get('shop/two') === before.get('shop/two'), after.get('shop/web') === before.get('shop/web')]).toEqual([true, false]);
  });
});
