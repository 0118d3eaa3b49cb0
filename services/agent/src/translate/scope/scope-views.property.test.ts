/** What each caller sees does not depend on the way there: changes one after the other end where a rebuild ends. */
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import { trustDomainOf } from '@hawser/model/fleet.ts';
import { type Resource, resourceKey } from '@hawser/model/resource.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rootOf } from '../../../../../test/kit/golden-case.ts';
import { ownLayer } from '../../snapshot/resource.ts';
import { SnapshotStore } from '../../snapshot/snapshot-store.ts';
import type { ProxyRef, World } from '../../state/world.ts';
import { createTranslator } from '../translator.ts';

const TYPES = ['CDS', 'EDS', 'LDS', 'RDS', 'SDS'] as const;
const PROXIES: readonly ProxyRef[] = [
  { role: 'sidecar', address: '10.0.0.1', namespace: 'a', labels: { app: 'one' } },
  { role: 'sidecar', address: '10.0.0.2', namespace: 'a', labels: { app: 'two' } },
  { role: 'sidecar', address: '10.0.0.3', namespace: 'b', labels: {} },
  { role: 'sidecar', address: '10.0.0.4' },
  { role: 'edge', address: '10.0.0.5', namespace: 'b', labels: { app: 'one' } },
  { role: 'sidecar', address: '10.0.0.6', namespace: 'a', labels: { app: 'one' }, capture: 'ipv4' },
  { role: 'sidecar', address: '10.0.0.7', namespace: 'b', labels: {}, outboundGateway: true },
];
const KEYS = ['a/one', 'a/two', 'b/one', 'b/db'] as const;

const exportTo = fc.constantFrom(undefined, ['.'], ['*'], ['b'], ['~']);
const namespace = fc.constantFrom('a', 'b', 'hawser-system');
const host = fc.constantFrom('one.a', 'two.a', 'one.b');
const labels = fc.constantFrom(undefined, { app: 'one' });

const virtualService = fc.record({ host, target: host, subset: fc.constantFrom(undefined, 'v1'), exportTo, labels }).map((one) => ({
  kind: 'VirtualService',
  spec: {
    ...{ hosts: [one.host], exportTo: one.exportTo },
    http: [
      {
        ...(one.labels === undefined ? {} : { match: [{ sourceLabels: one.labels }] }),
        route: [{ destination: { host: one.target, ...(one.subset === undefined ? {} : { subset: one.subset }) } }],
      },
    ],
  },
}));
const destinationRule = fc.record({ host, version: fc.constantFrom('v1', 'v2'), exportTo, labels }).map((one) => ({
  kind: 'DestinationRule',
  spec: {
    ...{ host: one.host, exportTo: one.exportTo, subsets: [{ name: 'v1', labels: { version: one.version } }] },
    ...(one.labels === undefined ? {} : { workloadSelector: { matchLabels: one.labels } }),
  },
}));
/** Where a listener of a Sidecar is. */
const place = fc.constantFrom(
  ...[{}, {}, { captureMode: 'NONE' }, { port: { protocol: 'HTTP' }, bind: 'unix:///a' }],
  ...[
    { port: { number: 80, protocol: 'HTTP' }, bind: '10.9.0.1' },
    { port: { number: 80, protocol: 'TCP' }, captureMode: 'NONE' },
  ],
);
const sidecar = fc
  .record({ place, hosts: fc.subarray(['./*', 'b/*', '*/one.a.svc.cluster.local', '*/*'], { minLength: 1 }), labels })
  .map((one) => ({
    kind: 'Sidecar',
    spec: {
      egress: [{ ...one.place, hosts: one.hosts }],
      ...(one.labels === undefined ? {} : { workloadSelector: { labels: one.labels } }),
    },
  }));
const policy = fc.tuple(fc.oneof(virtualService, destinationRule, sidecar), namespace, fc.constantFrom('p', 'q'));

function policiesOf(list: readonly (readonly [{ kind: string; spec: unknown }, string, string])[]): World['policies'] {
  const all = list.map(([{ kind, spec }, inNamespace, name]): Resource => {
    return { apiVersion: 'test', kind, metadata: { namespace: inNamespace, name }, spec };
  });
  return new Map(all.map((one) => [resourceKey(one.kind, one.metadata.namespace, one.metadata.name), one]));
}

function shardOf(key: string, { version, app, address }: { version: string; app: string; address: string }): EndpointShard {
  const [inNamespace = '', service = ''] = key.split('/');
  const protocol = service === 'db' ? ('tcp' as const) : ('http' as const);
  const endpoint = {
    address,
    targetPorts: { '80': 8080 },
    labels: { version, app },
    serviceAccount: service,
    health: 'HEALTHY' as const,
  };
  return { cluster: 'us-east', namespace: inNamespace, service, exported: false, ports: [{ port: 80, protocol }], endpoints: [endpoint] };
}

const self = { name: 'us-east', region: 'us-east', zone: 'z', network: 'n', trustDomain: trustDomainOf('us-east'), gateways: [] };
const clusters: World['clusters'] = new Map([['us-east', { ...self, trustBundle: [rootOf('us-east')] }]]);
const EMPTY: World = { self: 'us-east', clusters, shards: new Map(), policies: new Map() };

/** What every proxy sees, resource by resource. */
function seen(store: SnapshotStore, proxies: readonly ProxyRef[]): Record<string, readonly string[]> {
  const of = (proxy: ProxyRef): string[] => {
    const layers = [...store.layersOf(ownLayer(proxy))].reverse();
    const all = layers.flatMap((layer) => TYPES.flatMap((type) => [...store.all(layer, type).values()]));
    return [...new Map(all.map(({ type, name, version }) => [`${type} ${name}`, version]))].map((pair) => pair.join(' ')).sort();
  };
  return Object.fromEntries(proxies.map((proxy) => [ownLayer(proxy), of(proxy)]));
}

function rebuilt(world: World, proxies: readonly ProxyRef[]): SnapshotStore {
  const [translator, store] = [createTranslator(), new SnapshotStore()];
  for (const proxy of proxies) translator.attach(proxy);
  store.apply(translator.update(world, 'all'));
  return store;
}

const step = fc.oneof(
  fc.record({ do: fc.constant('policies' as const), policies: fc.array(policy, { maxLength: 5 }) }),
  fc.record({
    ...{ do: fc.constant('shard' as const), key: fc.constantFrom(...KEYS), gone: fc.boolean() },
    ...{ version: fc.constantFrom('v1', 'v2'), address: fc.constantFrom('10.0.0.1', '10.0.0.9'), app: fc.constantFrom('one', 'two') },
  }),
  fc.record({ do: fc.constantFrom('attach' as const, 'detach' as const), proxy: fc.constantFrom(...PROXIES) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

function after(world: World, next: Step): World {
  if (next.do === 'policies') return { ...world, policies: policiesOf(next.policies) };
  if (next.do !== 'shard') return world;
  const shards = new Map(world.shards);
  if (next.gone) shards.delete(next.key);
  else shards.set(next.key, new Map([['us-east', shardOf(next.key, next)]]));
  return { ...world, shards };
}

test('a workload of which the registry says other labels is another caller from then on', () => {
  const spec = { host: 'two.a', workloadSelector: { matchLabels: { app: 'one' } }, subsets: [{ name: 'v1', labels: { version: 'v1' } }] };
  const proxies = PROXIES.slice(0, 1);
  const [translator, store] = [createTranslator(), new SnapshotStore()];
  const shard = { do: 'shard', gone: false, version: 'v1' } as const;
  const rule: World = { ...EMPTY, policies: policiesOf([[{ kind: 'DestinationRule', spec }, 'a', 'p']]) };
  let world = after(rule, { ...shard, key: 'a/two', address: '10.0.0.9', app: 'two' });
  store.apply(translator.update(world, 'all'));
  for (const proxy of proxies) store.apply(translator.attach(proxy));
  for (const app of ['two', 'one', 'two'] as const) {
    world = after(world, { ...shard, key: 'a/one', address: '10.0.0.1', app });
    store.apply(translator.update(world, { services: new Set(['a/one']) }));
    expect(seen(store, proxies)).toEqual(seen(rebuilt(world, proxies), proxies));
  }
});

test('a key that no rule names any more is taken from the proxies that had it', () => {
  const entry = {
    kind: 'ServiceEntry',
    spec: { hosts: ['out.test'], ports: [{ number: 443, name: 'https', protocol: 'HTTPS' }], resolution: 'DNS' },
  };
  const tls = { mode: 'MUTUAL', credentialName: 'key' };
  const rule = {
    kind: 'DestinationRule',
    spec: { host: 'out.test', workloadSelector: { matchLabels: { app: 'one' } }, trafficPolicy: { tls } },
  };
  const credentials = new Map([['a/key', { namespace: 'a', name: 'key', keyPair: { certificate: 'C', key: 'K' } }]]);
  const [translator, store] = [createTranslator(), new SnapshotStore()];
  const [proxy] = PROXIES as [ProxyRef];
  const keys = () => [...store.all(ownLayer(proxy), 'SDS').keys()].filter((name) => name.startsWith('credential|'));
  const withEntry: World = { ...EMPTY, credentials, policies: policiesOf([[entry, 'a', 'e']]) };
  store.apply(
    translator.update(
      {
        ...withEntry,
        policies: policiesOf([
          [entry, 'a', 'e'],
          [rule, 'a', 'r'],
        ]),
      },
      'all',
    ),
  );
  store.apply(translator.attach(proxy));
  expect(keys()).toEqual(['credential|a/key']);
  store.apply(translator.update(withEntry, 'all'));
  expect(keys()).toEqual([]);
});

test('changes end where a rebuild ends, for every caller, and leave nothing behind', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
      const [translator, store] = [createTranslator(), new SnapshotStore()];
      const attached = new Map<string, ProxyRef>();
      let world = EMPTY;
      store.apply(translator.update(world, 'all'));
      for (const next of steps) {
        world = after(world, next);
        if (next.do === 'attach') store.apply(translator.attach(next.proxy));
        if (next.do === 'detach') store.apply(translator.detach(next.proxy));
        if (next.do === 'policies') store.apply(translator.update(world, 'all'));
        if (next.do === 'shard') store.apply(translator.update(world, { services: new Set([next.key]) }));
        if (next.do === 'attach') attached.set(ownLayer(next.proxy), next.proxy);
        if (next.do === 'detach') attached.delete(ownLayer(next.proxy));
      }
      const proxies = [...attached.values()];
      expect(seen(store, proxies)).toEqual(seen(rebuilt(world, proxies), proxies));
      expect(translator.update(world, 'all')).toEqual([]);
      for (const proxy of proxies) store.apply(translator.detach(proxy));
      expect(seen(store, PROXIES)).toEqual(seen(rebuilt(world, []), PROXIES));
    }),
    { numRuns: 150 },
  );
});
