/** The translator as its callers use it: silence before it knows enough, proxies that come and go, work only for what differs. */
import { describe, expect, test } from 'vitest';
import { readCase, resourcesAfter, worldOf } from '../../../../test/kit/golden-case.ts';
import { type Change, keysOf } from '../snapshot/resource.ts';
import type { World } from '../state/world.ts';
import { createTranslator } from './translator.ts';

const SIDECAR = { role: 'sidecar', address: '10.0.1.12' } as const;
const world = worldOf(readCase('federated'));

function named(changes: readonly Change[]): string[] {
  return changes.flatMap((change) => keysOf(change).map(({ type, name }) => `${'remove' in change ? '- ' : ''}${type} ${name}`));
}

/** The world with the health of one endpoint of `bookinfo/reviews` in `us-west` changed. */
function changed(from: World, edit: { health?: 'UNHEALTHY'; serviceAccount?: string }): World {
  const parts = from.shards.get('bookinfo/reviews');
  const shard = parts?.get('us-west');
  if (parts === undefined || shard === undefined) throw new Error('the case has changed');
  const edited = { ...shard, endpoints: shard.endpoints.map((endpoint) => ({ ...endpoint, ...edit })) };
  return { ...from, shards: new Map([...from.shards, ['bookinfo/reviews', new Map([...parts, ['us-west', edited]])]]) };
}

test('gives nothing while the own cluster or its trust bundle is unknown, and everything afterwards', () => {
  const translator = createTranslator();
  const self = world.clusters.get('us-east');
  if (self === undefined) throw new Error('the case has changed');
  const strangers = new Map([...world.clusters].filter(([name]) => name !== 'us-east'));
  expect(translator.update({ ...world, clusters: strangers }, 'all')).toEqual([]);
  expect(translator.update({ ...world, clusters: new Map([...strangers, ['us-east', { ...self, trustBundle: [] }]]) }, 'all')).toEqual([]);
  expect(translator.attach(SIDECAR)).toEqual([]);
  const layers = new Set(translator.update(world, 'all').map((change) => change.layer));
  expect(layers).toEqual(new Set(['gateway', 'sidecar', 'sidecar:10.0.1.12']));
});

test('leaves out a trust bundle that cannot be read, and believes the others', () => {
  const broken = new Map(
    [...world.clusters].map(([name, peer]) => [name, name === 'eu-west' ? { ...peer, trustBundle: ['nonsense'] } : peer]),
  );
  const state = resourcesAfter(createTranslator().update({ ...world, clusters: broken }, 'all'));
  const trust = Buffer.from(state.get('sidecar SDS trust|inbound')?.bytes ?? []).toString();
  expect(trust).toContain('spiffe://us-west.hawser/');
  expect(trust).not.toContain('eu-west');
});

test.each(['us-east', 'us-west'])('a root more, and one less, of %s gives secrets of trust alone', (cluster) => {
  const bundled = (...roots: readonly string[]): World => ({
    ...world,
    clusters: new Map([...world.clusters].map(([name, peer]) => [name, name === cluster ? { ...peer, trustBundle: roots } : peer])),
  });
  const [own = '', next = ''] = [world.clusters.get(cluster)?.trustBundle[0], world.clusters.get('eu-west')?.trustBundle[0]];
  const translator = createTranslator();
  translator.attach(SIDECAR);
  translator.update(world, 'all');
  for (const roots of [[own, next], [next]]) {
    const changes = named(translator.update(bundled(...roots), 'all'));
    expect(changes).toContain('SDS trust|inbound');
    expect(changes.filter((change) => !change.startsWith('SDS trust|'))).toEqual([]);
  }
});

describe('an endpoint change', () => {
  test('gives the assignments of its service alone', () => {
    const translator = createTranslator();
    translator.update(world, 'all');
    const changes = translator.update(changed(world, { health: 'UNHEALTHY' }), { services: new Set(['bookinfo/reviews']) });
    expect(named(changes)).toEqual(['EDS outbound|80||reviews.bookinfo.svc.clusterset.local']);
  });

  test('moves trust too when it brings a new identity', () => {
    const translator = createTranslator();
    translator.update(world, 'all');
    const changes = translator.update(changed(world, { serviceAccount: 'new' }), { services: new Set(['bookinfo/reviews']) });
    expect(named(changes)).toEqual(['SDS trust|bookinfo/reviews']);
  });

  test('is not looked for where nothing is dirty', () => {
    const translator = createTranslator();
    translator.update(world, 'all');
    expect(translator.update(changed(world, { health: 'UNHEALTHY' }), { services: new Set() })).toEqual([]);
  });
});

describe('a proxy', () => {
  test('has its layer from attach to detach, and no change in between', () => {
    const translator = createTranslator();
    translator.update(world, 'all');
    const given = translator.attach(SIDECAR);
    expect(named(given)).toEqual([
      'CDS inbound|9080',
      'CDS inbound|9090|http2',
      'LDS inbound',
      'LDS outbound',
      'LDS outbound_tcp|27017|mongodb.bookinfo.svc.clusterset.local',
      'RDS inbound|9080|80.reviews.bookinfo',
      'RDS inbound|9090|8080.private.bookinfo',
      'SDS access-log|inbound',
      'SDS access-log|outbound',
    ]);
    expect(translator.attach(SIDECAR)).toEqual([]);
    expect(named(translator.detach(SIDECAR))).toEqual(named(given).map((name) => `- ${name}`));
  });

  test('whose workload serves nothing has no inbound listener', () => {
    const translator = createTranslator();
    translator.update(world, 'all');
    expect(named(translator.attach({ role: 'sidecar', address: '10.0.1.77' }))).not.toContain('LDS inbound');
  });
});

test.each([
  ['an outbound gateway', { ...SIDECAR, namespace: 'hawser-system', outboundGateway: true as const }, '10.96.0.7'],
  ['a captured workload', { ...SIDECAR, capture: 'ipv4' as const }, '240.250.1.1'],
])('an address that an import is given later alone is what its name then means, for %s', (_what, proxy, address) => {
  const translator = createTranslator();
  translator.attach(proxy);
  const names = (changes: readonly Change[]): string =>
    Buffer.from(resourcesAfter(changes).get('sidecar:10.0.1.12 RDS names')?.bytes ?? []).toString();
  const host = 'reviews.bookinfo.svc.clusterset.local';
  expect(names(translator.update(world, 'all'))).not.toContain(address);
  const heldAddresses = new Map([[host, address]]);
  expect(names(translator.update({ ...world, heldAddresses }, 'all'))).toContain(`"${host}":["${address}"]`);
});
