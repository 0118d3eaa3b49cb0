/** What exports of several clusters make of a service for callers, through the whole translator. */
import { fromBinary } from '@bufbuild/protobuf';
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import type { ExportFacts } from '@hawser/model/multicluster/export-facts.ts';
import { Cluster_DiscoveryType, ClusterSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/cluster_pb.ts';
import { ListenerSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import { RouteConfigurationSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_pb.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type GoldenCase, resourcesAfter, worldOf } from '../../../../../test/kit/golden-case.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { createTranslator } from '../translator.ts';
import { MOST_NAMED, mergedPorts } from './clusterset-service.ts';

type Services = GoldenCase['services'];

const HTTP = { name: 'http', port: 80, protocol: 'http' } as const;
const CLUSTERS: GoldenCase['clusters'] = [
  { name: 'us-east', region: 'us-east', network: 'one' },
  { name: 'us-west', region: 'us-west', network: 'one' },
  { name: 'eu-west', region: 'eu-west', network: 'two', gateways: ['10.0.3.1:15443'] },
];
const facts = (type: ExportFacts['type'], day?: number): ExportFacts => ({
  ...(day === undefined ? {} : { createdAt: `2026-01-0${day}T00:00:00Z` }),
  ...{ type, ports: [{ name: 'http', protocol: 'TCP', port: 80 }] },
});

function caseOf(services: Services): GoldenCase {
  return { about: '', self: 'us-east', clusters: CLUSTERS, services, policies: [], proxies: [] };
}

function compiled(services: Services): Map<string, XdsResource> {
  const translator = createTranslator();
  translator.attach({ role: 'sidecar', address: '10.0.1.99', capture: 'ipv4' });
  return resourcesAfter(translator.update(worldOf(caseOf(services)), 'all'));
}

interface Table {
  readonly names: Record<string, readonly string[]>;
  readonly ports?: Record<string, Record<string, number>>;
  readonly headless?: Record<string, readonly unknown[]>;
}

function tableOf(resources: ReadonlyMap<string, XdsResource>): Table {
  const names = resources.get('sidecar:10.0.1.99 RDS names');
  const { virtualHosts } = fromBinary(RouteConfigurationSchema, names?.bytes ?? new Uint8Array());
  const action = virtualHosts[0]?.routes[1]?.action;
  const body = action?.case === 'directResponse' ? action.value.body?.specifier : undefined;
  return JSON.parse(body?.case === 'inlineString' ? body.value : 'null');
}

const HOST = 'db.shop.svc.clusterset.local';

describe('a headless service', () => {
  const db: Services = {
    'shop/db': {
      'us-east': { export: facts('ClusterSetIP'), endpoints: [{ address: '10.0.1.11' }] },
      'us-west': {
        ports: [HTTP],
        export: facts('Headless', 1),
        endpoints: [
          { address: '10.0.2.11', hostname: 'db-0' },
          { address: '10.0.2.12', hostname: 'db-1', health: 'UNHEALTHY' },
          { address: '10.0.2.13', hostname: 'no.label' },
        ],
      },
      'eu-west': { export: facts('Headless', 2), endpoints: [{ address: '10.0.3.11', hostname: 'db-0' }] },
    },
  };

  it('is its ready endpoints, each with a name, and the virtual address for those that no packet gets to', () => {
    const { names, ports, headless } = tableOf(compiled(db));
    expect(names[HOST]).toEqual(['10.0.1.11', '10.0.2.11', '10.0.2.13', expect.stringMatching(/^240\./)]);
    expect(headless).toEqual({
      [HOST]: [
        ['10-0-1-11.us-east', '10.0.1.11', { http: 9080 }],
        ['db-0.us-west', '10.0.2.11', { http: 9080 }],
        ['10-0-2-13.us-west', '10.0.2.13', { http: 9080 }],
      ],
    });
    expect(ports).toBeUndefined();
  });

  it('says nothing else of cluster.local, which has the address that it had', () => {
    const local = 'db.shop.svc.cluster.local';
    const ordinary = tableOf(compiled({ 'shop/db': { 'us-east': { endpoints: [{ address: '10.0.1.11' }] } } }));
    expect(tableOf(compiled(db)).names[local]).toEqual(ordinary.names[local]);
  });

  it('has no name while no endpoint is ready', () => {
    const one = { export: facts('Headless'), endpoints: [{ address: '10.0.1.11', health: 'DRAINING' as const }] };
    expect(tableOf(compiled({ 'shop/db': { 'us-east': one } }))).not.toHaveProperty(['names', HOST]);
  });

  it('is called by HTTP as any other: the same routes, clusters and endpoints', () => {
    const [services] = Object.values(db);
    const ordinary = Object.fromEntries(Object.entries(services ?? {}).map(([cluster, { export: _export, ...shard }]) => [cluster, shard]));
    const called = (resources: ReadonlyMap<string, XdsResource>) =>
      [...resources].filter(([name]) => !name.endsWith(' RDS names')).map(([name, { version }]) => [name, version]);
    expect(called(compiled(db))).toEqual(called(compiled({ 'shop/db': ordinary })));
  });

  it('names follow its endpoints, and nothing that Envoy calls by is pushed with them', () => {
    const translator = createTranslator();
    translator.attach({ role: 'sidecar', address: '10.0.1.99', capture: 'ipv4' });
    const before = worldOf(caseOf(db));
    translator.update(before, 'all');
    const shards = new Map(before.shards.get('shop/db'));
    const west = shards.get('us-west') as EndpointShard;
    shards.set('us-west', { ...west, endpoints: west.endpoints.slice(0, 2) });
    const world = { ...before, shards: new Map([['shop/db', shards]]) };
    const changes = translator.update(world, { services: new Set(['shop/db']) });
    expect(changes.map((change) => ('put' in change ? `${change.put.type} ${change.put.name}` : '')).sort()).toEqual([
      'EDS outbound|80||db.shop.svc.clusterset.local',
      'RDS names',
    ]);
  });

  it('carries connections to its endpoints by mTLS to each, where they may be no HTTP', () => {
    const chainsOf = (resources: ReadonlyMap<string, XdsResource>): string[] => {
      const { filterChains } = fromBinary(
        ListenerSchema,
        resources.get('sidecar:10.0.1.99 LDS outbound_capture')?.bytes ?? new Uint8Array(),
      );
      return filterChains.filter(({ name }) => /\|10[.0-9]+\|/.test(name)).map(({ name }) => name);
    };
    const ports = [{ name: 'sql', port: 5432, protocol: 'tcp' as const }];
    const endpoints = ['10.0.1.11', '10.0.1.12'].map((address) => ({ address, targetPorts: { '5432': 5433 } }));
    const resources = compiled({ 'shop/db': { 'us-east': { ports, export: facts('Headless'), endpoints } } });
    const apart = endpoints.flatMap(({ address }) => [5432, 5433].map((called) => `outbound_tcp|5432|${HOST}|${address}|${called}`));
    expect(chainsOf(resources).sort()).toEqual(apart.flatMap((name) => [name, `${name}|plain`]).sort());
    const upstream = resources.get(`sidecar CDS outbound_tcp|5432|@|${HOST}`);
    expect(fromBinary(ClusterSchema, upstream?.bytes ?? new Uint8Array())).toMatchObject({
      clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
      transportSocket: { name: 'envoy.transport_sockets.tls' },
    });
    expect(chainsOf(compiled(db))).toEqual([]);
  });

  it('with more endpoints than are named still is the first of them', () => {
    const endpoints = Array.from({ length: MOST_NAMED + 1 }, (_, at) => ({ address: `10.1.${at >> 8}.${at & 255}` }));
    const { names, headless } = tableOf(compiled({ 'shop/db': { 'us-east': { export: facts('Headless'), endpoints } } }));
    expect([names[HOST]?.length, headless?.[HOST]?.length]).toEqual([MOST_NAMED, MOST_NAMED]);
  });
});

describe('ports of a service that exports differ about', () => {
  const shard = (cluster: string, day: number | undefined, ...ports: EndpointShard['ports']): EndpointShard => ({
    ...{ cluster, namespace: 'shop', service: 'web', exported: true, ports, endpoints: [] },
    ...(day === undefined ? {} : { export: facts('ClusterSetIP', day) }),
  });

  it('are as the oldest export says, so that a newcomer changes nothing of what callers speak', () => {
    const [old, own] = [shard('west', 1, HTTP), shard('east', 2, { ...HTTP, protocol: 'tcp' })];
    expect(mergedPorts([own, old], 'east')).toEqual([HTTP]);
    expect(mergedPorts([shard('east', undefined, { ...HTTP, protocol: 'tcp' }), old], 'east')).toEqual([HTTP]);
    expect(mergedPorts([shard('a', undefined, HTTP), shard('east', undefined, { ...HTTP, protocol: 'tcp' })], 'east')[0]?.protocol).toBe(
      'tcp',
    );
  });

  it('stay callable by number where two have one name, which the older keeps', () => {
    const other = { name: 'http', port: 81, protocol: 'http' } as const;
    expect(mergedPorts([shard('east', 2, other), shard('west', 1, HTTP)], 'east')).toEqual([HTTP, { port: 81, protocol: 'http' }]);
  });

  it('are told by name for the clusterset alone', () => {
    const { ports } = tableOf(compiled({ 'shop/web': { 'us-east': { ports: [HTTP, { port: 81, protocol: 'tcp' }], endpoints: [] } } }));
    expect(ports).toEqual({ 'web.shop.svc.clusterset.local': { http: 80 } });
  });
});

/** A shard of `shop/web` whose endpoints serve all of its ports. */
const webArb = fc.record({
  exported: fc.boolean(),
  ports: fc
    .uniqueArray(fc.constantFrom(80, 81, 82), { minLength: 1 })
    .map((all) => all.map((port) => ({ port, protocol: 'http' as const }))),
  day: fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined }),
  headless: fc.boolean(),
});
const webs = fc.record({ 'us-east': webArb, 'us-west': webArb, 'eu-west': webArb });

describe('whatever clusters export', () => {
  it('traffic of a port goes to the clusters that export it, and to no other', () => {
    fc.assert(
      fc.property(webs, (parts) => {
        const rows = Object.entries(parts).map(([cluster, { exported, ports, day, headless }], at) => {
          const endpoints = [{ address: `10.0.${at + 1}.11` }];
          return [cluster, { exported, ports, endpoints, export: facts(headless ? 'Headless' : 'ClusterSetIP', day) }] as const;
        });
        const resources = compiled({ 'shop/web': Object.fromEntries(rows) });
        for (const port of [80, 81, 82]) {
          const serving = rows.filter(([, shard]) => shard.exported && shard.ports.some((one) => one.port === port));
          const assigned = resources.get(`sidecar EDS outbound|${port}||web.shop.svc.clusterset.local`);
          const text = Buffer.from(assigned?.bytes ?? []).toString('latin1');
          const called = rows.filter(([, { endpoints }]) => text.includes(endpoints[0]?.address ?? '-'));
          expect(called.map(([cluster]) => cluster)).toEqual(serving.map(([cluster]) => cluster));
        }
      }),
      { numRuns: 40 },
    );
  });
});
