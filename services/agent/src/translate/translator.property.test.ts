/** What must hold for any world: the order of input does not matter, a change is as good as a rebuild, nothing is half there. */
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import { trustDomainOf } from '@hawser/model/fleet.ts';
import { type Resource, resourceKey } from '@hawser/model/resource.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { resourcesAfter, rootOf } from '../../../../test/kit/golden-case.ts';
import { keysOf, type XdsResource } from '../snapshot/resource.ts';
import type { PeerCluster, ProxyRef, World } from '../state/world.ts';
import { createTranslator } from './translator.ts';

const PLACES = [
  { name: 'us-east', region: 'us-east', network: 'a', root: 'us-east' },
  { name: 'us-east-2', region: 'us-east', network: 'b', root: 'us-west' },
  { name: 'us-west', region: 'us-west', network: 'a', root: 'us-west' },
  { name: 'eu-west', region: 'eu-west', network: 'c', root: 'eu-west' },
] as const;
const SERVICES = ['bookinfo/reviews', 'bookinfo/ratings', 'db/mongodb'] as const;
const PROXIES: readonly ProxyRef[] = [
  { role: 'sidecar', address: '10.0.0.1' },
  { role: 'sidecar', address: '10.0.0.2' },
  { role: 'gateway', address: '10.0.0.3' },
];

const peers: ReadonlyMap<string, PeerCluster> = new Map(
  PLACES.map(({ root, ...place }) => {
    const known = {
      zone: 'z',
      trustDomain: trustDomainOf(place.name),
      trustBundle: [rootOf(root)],
      gateways: ['10.9.9.9:15443'],
      speaksForWorkloads: true as const,
    };
    return [place.name, { ...place, ...known }];
  }),
);

const endpoint = fc.record(
  {
    address: fc.integer({ min: 1, max: 4 }).map((last) => `10.0.0.${last}`),
    targetPorts: fc.subarray(['80', '3306'], { minLength: 1 }).map((ports) => Object.fromEntries(ports.map((port) => [port, 9080]))),
    labels: fc.constantFrom({ version: 'v1' }, { version: 'v2' }),
    serviceAccount: fc.constantFrom('default', 'other'),
    health: fc.constantFrom('HEALTHY' as const, 'UNHEALTHY' as const, 'DRAINING' as const),
    bare: fc.constant(true as const),
  },
  { requiredKeys: ['address', 'targetPorts', 'labels', 'serviceAccount', 'health'] },
);

const shard = fc.record({
  service: fc.constantFrom(...SERVICES),
  cluster: fc.constantFrom(...PLACES.map(({ name }) => name)),
  exported: fc.boolean(),
  withTcp: fc.boolean(),
  endpoints: fc.uniqueArray(endpoint, { maxLength: 4, selector: ({ address }) => address }),
});

const route = fc.record({
  host: fc.constantFrom('reviews', 'ratings', 'mongodb.db', 'nobody'),
  subset: fc.constantFrom(undefined, 'v1', 'v9'),
  weight: fc.integer({ min: 0, max: 100 }),
});

const policies = fc
  .record({
    rules: fc.array(fc.array(route, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 }),
    order: fc.uniqueArray(fc.constantFrom('us-west', 'eu-west', 'us-east'), { minLength: 1 }),
    share: fc.integer({ min: 0, max: 100 }),
    kinds: fc.subarray(['VirtualService', 'DestinationRule', 'FailoverPolicy', 'TrafficShift', 'Versions', 'Drain', 'AuthorizationPolicy']),
    sticky: fc.constantFrom(undefined, { header: 'x-user' }, { cookie: { name: 'side' } }),
    drain: fc.record({
      scope: fc.constantFrom({ region: 'us-east' }, { cluster: 'us-west' }, { gateway: 'eu-west' }, { gateway: 'us-east' }),
      percent: fc.constantFrom(0, 30, 100),
      closeLongLived: fc.boolean(),
      services: fc.constantFrom(undefined, { names: ['bookinfo/reviews'] }, { namespaces: ['bookinfo'] }),
    }),
  })
  .map(({ rules, order, share, kinds, sticky, drain }) => {
    const http = rules.map((targets) => ({
      route: targets.map(({ host, subset, weight }) => ({ destination: { host, ...(subset === undefined ? {} : { subset }) }, weight })),
    }));
    const specs: Readonly<Record<string, unknown>> = {
      VirtualService: { hosts: ['reviews'], http },
      DestinationRule: { host: 'reviews', subsets: [{ name: 'v1', labels: { version: 'v1' } }] },
      FailoverPolicy: { order, spillover: 'strict' },
      TrafficShift: { services: ['reviews'], regions: { 'us-east': share, 'eu-west': 100 - share } },
      Versions: { services: ['reviews'], subsets: { v1: share, v9: 100 - share }, ...(sticky === undefined ? {} : { stickiness: sticky }) },
      Drain: drain,
      AuthorizationPolicy: { selector: { matchLabels: { version: 'v1' } }, rules: [{}] },
    };
    const metadataOf = (kind: string): Resource['metadata'] =>
      kind === 'Drain' ? { name: 'p' } : { namespace: 'bookinfo', name: kind === 'Versions' ? 'versions' : 'p' };
    const kindOf = (kind: string): string => (kind === 'Versions' ? 'TrafficShift' : kind);
    return kinds.map((kind): Resource => ({ apiVersion: 'test', kind: kindOf(kind), metadata: metadataOf(kind), spec: specs[kind] }));
  });

type ShardInput = typeof shard extends fc.Arbitrary<infer T> ? T : never;
type Shards = ReadonlyMap<string, ReadonlyMap<string, EndpointShard>>;

function shardOf({ service: key, cluster, exported, withTcp, endpoints }: ShardInput): EndpointShard {
  const [namespace = '', service = ''] = key.split('/');
  const ports = [{ port: 80, protocol: 'http' as const }, ...(withTcp ? [{ port: 3306, protocol: 'tcp' as const }] : [])];
  return { cluster, namespace, service, exported: exported || cluster !== 'us-east', ports, endpoints };
}

function withShard(shards: Shards, input: ShardInput): Shards {
  return new Map([...shards, [input.service, new Map([...(shards.get(input.service) ?? []), [input.cluster, shardOf(input)]])]]);
}

function withoutShard(shards: Shards, { service, cluster }: ShardInput): Shards {
  const left = new Map([...(shards.get(service) ?? [])].filter(([name]) => name !== cluster));
  return new Map([...[...shards].filter(([key]) => key !== service), ...(left.size > 0 ? [[service, left] as const] : [])]);
}

function worldOf(shards: Shards, list: readonly Resource[]): World {
  const byKey = new Map(list.map((policy) => [resourceKey(policy.kind, policy.metadata.namespace, policy.metadata.name), policy]));
  return { self: 'us-east', clusters: peers, shards, policies: byKey };
}

function rebuilt(world: World): Map<string, XdsResource> {
  const translator = createTranslator();
  for (const proxy of PROXIES) translator.attach(proxy);
  return resourcesAfter(translator.update(world, 'all'));
}

function versions(state: ReadonlyMap<string, XdsResource>): string[] {
  return [...state].map(([id, { version }]) => `${id} ${version}`);
}

/** The same value with every map and record in the reverse order. */
function reversed(world: World): World {
  const shards = [...world.shards]
    .reverse()
    .map(([key, parts]) => [key, new Map([...parts].reverse().map(([name, part]) => [name, turned(part)]))] as const);
  return {
    ...world,
    clusters: new Map([...world.clusters].reverse()),
    shards: new Map(shards),
    policies: new Map([...world.policies].reverse()),
  };
}

function turned(part: EndpointShard): EndpointShard {
  const turn = <T>(record: Readonly<Record<string, T>>): Record<string, T> => Object.fromEntries(Object.entries(record).reverse());
  const endpoints = [...part.endpoints].reverse().map((one) => ({ ...one, labels: turn(one.labels), targetPorts: turn(one.targetPorts) }));
  return { ...part, ports: [...part.ports].reverse(), endpoints };
}

const shards = fc.array(shard, { maxLength: 8 });

test('the order of input does not matter', () => {
  fc.assert(
    fc.property(shards, policies, (list, rules) => {
      const world = worldOf(list.reduce(withShard, new Map() as Shards), rules);
      expect(versions(rebuilt(reversed(world)))).toEqual(versions(rebuilt(world)));
    }),
    { numRuns: 60 },
  );
});

test('changes one after the other end where a rebuild ends, whatever was announced as dirty', () => {
  const step = fc.record({
    shard,
    remove: fc.boolean(),
    policies: fc.option(policies, { freq: 4, nil: undefined }),
    proxy: fc.integer({ min: 0, max: 5 }),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
      const translator = createTranslator();
      let world = worldOf(new Map(), []);
      let state = resourcesAfter(translator.update(world, 'all'));
      for (const { shard: input, remove, policies: rules, proxy } of steps) {
        const attached = PROXIES[proxy];
        if (attached !== undefined) state = resourcesAfter(translator.attach(attached), state);
        const next = remove ? withoutShard(world.shards, input) : withShard(world.shards, input);
        world = { ...world, shards: next, ...(rules === undefined ? {} : { policies: worldOf(next, rules).policies }) };
        state = resourcesAfter(translator.update(world, rules === undefined ? { services: new Set([input.service]) } : 'all'), state);
      }
      for (const proxy of PROXIES) state = resourcesAfter(translator.attach(proxy), state);
      expect(versions(state)).toEqual(versions(rebuilt(world)));
      expect(translator.update(world, 'all')).toEqual([]);
    }),
    { numRuns: 100 },
  );
});

test('a shard that was removed leaves nothing behind, and a proxy that left neither', () => {
  fc.assert(
    fc.property(shards, shard, policies, (list, extra, rules) => {
      const without = withoutShard(list.reduce(withShard, new Map() as Shards), extra);
      const world = worldOf(without, rules);
      const translator = createTranslator();
      let state = resourcesAfter(translator.update(world, 'all'));
      const before = versions(state);
      for (const proxy of PROXIES) state = resourcesAfter(translator.attach(proxy), state);
      state = resourcesAfter(
        translator.update({ ...world, shards: withShard(without, extra) }, { services: new Set([extra.service]) }),
        state,
      );
      state = resourcesAfter(translator.update(world, { services: new Set([extra.service]) }), state);
      for (const proxy of PROXIES) state = resourcesAfter(translator.detach(proxy), state);
      expect(versions(state)).toEqual(before);
    }),
    { numRuns: 60 },
  );
});

test('an endpoint change touches assignments and own listeners alone', () => {
  fc.assert(
    fc.property(shards, fc.constantFrom('HEALTHY' as const, 'DRAINING' as const, 'UNHEALTHY' as const), (list, health) => {
      const all = list.reduce(withShard, new Map() as Shards);
      const translator = createTranslator();
      translator.update(worldOf(all, []), 'all');
      for (const [key, parts] of all) {
        const changed = new Map(
          [...parts].map(([name, part]) => [name, { ...part, endpoints: part.endpoints.map((one) => ({ ...one, health })) }]),
        );
        const changes = translator.update(worldOf(new Map([...all, [key, changed]]), []), { services: new Set([key]) });
        for (const { type } of changes.flatMap(keysOf)) expect(type).toBe('EDS');
        translator.update(worldOf(all, []), { services: new Set([key]) });
      }
    }),
    { numRuns: 40 },
  );
});
