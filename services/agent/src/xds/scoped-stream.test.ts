/** What bounds what a proxy is sent: a Sidecar, on a stream that is open, where exactly what differs comes and goes; or what was used. */
import { fromBinary } from '@bufbuild/protobuf';
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import { trustDomainOf } from '@hawser/model/fleet.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { XdsType } from '@hawser/wire/messages.ts';
import { RouteConfigurationSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_pb.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startAdsAgent, type TestAdsAgent } from '../../../../test/kit/ads-agent.ts';
import type { AdsClient, ReceivedDelta } from '../../../../test/kit/ads-client.ts';
import { rootOf } from '../../../../test/kit/golden-case.ts';
import { SnapshotStore } from '../snapshot/snapshot-store.ts';
import type { World } from '../state/world.ts';
import { createTranslator } from '../translate/translator.ts';
import { RecentUse } from '../upstream-use.ts';

const SERVICES = 2_000;
const TEN = Array.from({ length: 10 }, (_none, index) => `svc-${index * 7}`);
/** What belongs to no service: the upstream that answers 503. */
const BESIDES = ['unavailable'];

const store = new SnapshotStore();
const translator = createTranslator();
let agent: TestAdsAgent;
let client: AdsClient;
let policies: readonly Resource[] = [];
const use = new RecentUse({
  ...{ sendsAllUpTo: 100, saved: [], policies: () => world(policies).policies, now: Date.now, onChange: () => undefined },
});

function shardOf(index: number): EndpointShard {
  const address = `10.9.${index >> 8}.${index & 255}`;
  const endpoint = { address, targetPorts: { '80': 8080 }, labels: {}, serviceAccount: 'default', health: 'HEALTHY' as const };
  const ports = [{ port: 80, protocol: 'http' as const }];
  return { cluster: 'us-east', namespace: 'many', service: `svc-${index}`, exported: false, ports, endpoints: [endpoint] };
}

const self = { name: 'us-east', region: 'us-east', zone: '', network: 'n', trustDomain: trustDomainOf('us-east'), gateways: [] };
const shards: World['shards'] = new Map(
  Array.from({ length: SERVICES }, (_none, index) => [`many/svc-${index}`, new Map([['us-east', shardOf(index)]])]),
);

const clusters: World['clusters'] = new Map([['us-east', { ...self, trustBundle: [rootOf('us-east')] }]]);

function world(policies: readonly Resource[]): World {
  return {
    self: 'us-east',
    clusters,
    shards,
    policies: new Map(policies.map((one) => [`${one.kind}/bookinfo/${one.metadata.name}`, one])),
  };
}

const SIDECAR: Resource = {
  ...{ apiVersion: 'networking.istio.io/v1', kind: 'Sidecar', metadata: { namespace: 'bookinfo', name: 'ten' } },
  spec: { egress: [{ hosts: TEN.map((name) => `many/${name}.many.svc.cluster.local`) }] },
};

/** Everything that comes until an answer to the last acknowledgement of the type would be due. */
async function take(type: XdsType): Promise<ReceivedDelta> {
  const response = await client.next();
  expect(response.type).toBe(type);
  client.ack(response);
  return response;
}

function upstreams(names: readonly string[]): string[] {
  return names.map((name) => `outbound|80||${name}.many.svc.cluster.local`).sort();
}

function hostsIn({ resources }: ReceivedDelta): number {
  const bytes = resources.get('outbound');
  return bytes === undefined ? 0 : fromBinary(RouteConfigurationSchema, bytes).virtualHosts.length;
}

beforeAll(async () => {
  agent = await startAdsAgent({ store, use, onAttach: (proxy) => void store.apply(translator.attach(proxy)) });
  store.apply(translator.update(world([SIDECAR]), 'all'));
  client = await agent.connect();
});

afterAll(() => agent.stop());

test('a proxy whose Sidecar names 10 of 2,000 services is sent the resources of 10', async () => {
  client.send('CDS', { subscribe: ['*'] });
  const clusters = await take('CDS');
  expect(Object.keys(clusters.versions).sort()).toEqual([...upstreams(TEN), ...BESIDES].sort());
  client.send('EDS', { subscribe: upstreams(TEN) });
  expect(Object.keys((await take('EDS')).versions)).toHaveLength(10);
  client.send('RDS', { subscribe: ['outbound'] });
  // The ten, and the one for everything else.
  expect(hostsIn(await take('RDS'))).toBe(11);
});

test('a change of another service reaches it not, one of the ten does', async () => {
  const changed = (index: number): World => {
    const draining = { ...shardOf(index), endpoints: shardOf(index).endpoints.map((one) => ({ ...one, health: 'DRAINING' as const })) };
    const next = new Map([...shards, [`many/svc-${index}`, new Map([['us-east', draining]])] as const]);
    return { ...world([SIDECAR]), shards: next };
  };
  store.apply(translator.update(changed(1), { services: new Set(['many/svc-1']) }));
  store.apply(translator.update(changed(7), { services: new Set(['many/svc-7']) }));
  expect(Object.keys((await take('EDS')).versions)).toEqual(upstreams(['svc-7']));
  store.apply(translator.update(world([SIDECAR]), 'all'));
  expect(Object.keys((await take('EDS')).versions)).toEqual(upstreams(['svc-7']));
});

test('without the Sidecar it is sent the others as well, and with it again they go: nothing else moves', async () => {
  store.apply(translator.update(world([]), 'all'));
  const added = await take('CDS');
  expect(Object.keys(added.versions)).toHaveLength(SERVICES - 10);
  expect(added.removed).toEqual([]);
  expect(hostsIn(await take('RDS'))).toBe(SERVICES + 1);
  store.apply(translator.update(world([SIDECAR]), 'all'));
  // The routes let go before the clusters are taken away.
  expect(hostsIn(await take('RDS'))).toBe(11);
  const removed = await take('CDS');
  expect(removed.removed).toHaveLength(SERVICES - 10);
  expect(Object.keys(removed.versions)).toEqual([]);
});

describe('without a Sidecar', () => {
  const fetching = { name: 'reviews-2', address: '127.0.0.2', onDemand: 'upstreams' };

  test('a proxy that fetches upstreams is sent, of 2,000 services, those of 10 that its namespace uses', async () => {
    store.apply(translator.update(world([]), 'all'));
    client = await agent.connect(fetching);
    client.send('CDS', { subscribe: ['*'] });
    // What comes unasked belongs to no service.
    expect(Object.keys((await take('CDS')).versions)).toEqual(BESIDES);
    for (const name of TEN) {
      client.send('CDS', { subscribe: upstreams([name]) });
      expect(Object.keys((await take('CDS')).versions)).toEqual(upstreams([name]));
    }
    client.send('RDS', { subscribe: ['outbound'] });
    expect(hostsIn(await take('RDS'))).toBe(SERVICES + 1);
    const other = await agent.connect({ ...fetching, name: 'reviews-3', address: '127.0.0.3' });
    other.send('CDS', { subscribe: ['*'] });
    const clusters = await other.next();
    expect(Object.keys(clusters.versions).sort()).toEqual([...upstreams(TEN), ...BESIDES].sort());
    console.info(
      `of ${SERVICES} services: ${Object.keys(clusters.versions).length} upstreams sent to a new proxy, ${TEN.length} of them used`,
    );
  });

  test('one that comes back with more keeps it, changes of it included', async () => {
    const had = upstreams([TEN[0] ?? '', 'svc-1999']);
    client = await agent.connect({ ...fetching, name: 'reviews-4', address: '127.0.0.4' });
    client.send('CDS', { subscribe: ['*'], versions: Object.fromEntries(had.map((name) => [name, 'of another time'])) });
    const clusters = await take('CDS');
    expect(Object.keys(clusters.versions)).toEqual(expect.arrayContaining(had));
    expect(clusters.removed).toEqual([]);
  });

  test('what policies of its namespace name comes with them, before the routes', async () => {
    const rule = { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { namespace: 'bookinfo', name: 'led' } };
    const to = (service: string): object[] => [{ route: [{ destination: { host: `${service}.many.svc.cluster.local` } }] }];
    policies = [{ ...rule, spec: { hosts: ['svc-0.many.svc.cluster.local'], http: to('svc-1001') } }];
    client.send('RDS', { subscribe: ['outbound'] });
    await take('RDS');
    store.apply(translator.update(world(policies), 'all'));
    expect(Object.keys((await take('CDS')).versions)).toEqual(upstreams(['svc-1001']));
    await take('RDS');
  });
});
