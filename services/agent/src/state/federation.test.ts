/** What the federation keeps of others' words: bundles that claim somebody's key, and exports that the hub does not allow, are not in force. */
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import type { RosterMember } from '@hawser/model/fleet.ts';
import { describe, expect, test } from 'vitest';
import { authorityCertificate, authorityKeys } from '../../../../test/kit/authority-certificates.ts';
import { Federation } from './federation.ts';

function member(name: string, changes: Partial<RosterMember> = {}): RosterMember {
  const place = { region: name, zone: '', provider: '', network: name, labels: {} };
  return { name, epoch: 1, signingKey: name, trustDomain: `${name}.hawser`, ...place, ...changes };
}

function shard(cluster: string, namespace: string): EndpointShard {
  const endpoint = { address: '10.0.0.1', targetPorts: { '80': 80 }, labels: {}, serviceAccount: 'x', health: 'HEALTHY' as const };
  return { cluster, namespace, service: 's', exported: true, ports: [{ port: 80, protocol: 'http' }], endpoints: [endpoint] };
}

function federation(...members: readonly RosterMember[]): Federation {
  const made = new Federation({ name: 'a', region: 'a', zone: '', trustDomain: 'a.hawser' });
  made.setRoster({ members: [...members] });
  return made;
}

describe('a bundle', () => {
  test('with a key of another trust domain is refused, and the one before stays', async () => {
    const keys = await authorityKeys();
    const [a, b, stolen] = [
      await authorityCertificate('a', { keys }),
      await authorityCertificate('b'),
      await authorityCertificate('stolen', { keys }),
    ];
    const known = federation(member('a'), member('b'));
    expect(known.setFacts('a', { trustBundle: [a], gateways: [] })).toBeUndefined();
    expect(known.setFacts('b', { trustBundle: [b], gateways: [] })).toBeUndefined();
    expect(known.setFacts('b', { trustBundle: [b, stolen], gateways: ['10.0.0.9:15443'] })).toMatch(/authority of a\.hawser/);
    expect(known.world().clusters.get('b')).toMatchObject({ trustBundle: [b], gateways: [] });
  });

  test('of clusters of one trust domain may be the same', async () => {
    const root = await authorityCertificate('root');
    const known = federation(member('b', { trustDomain: 'prod.test' }), member('c', { trustDomain: 'prod.test' }));
    expect(known.setFacts('b', { trustBundle: [root], gateways: [] })).toBeUndefined();
    expect(known.setFacts('c', { trustBundle: [root], gateways: [] })).toBeUndefined();
  });

  test('of a cluster that left frees its keys', async () => {
    const root = await authorityCertificate('root');
    const known = federation(member('a'), member('b'), member('c'));
    known.setFacts('b', { trustBundle: [root], gateways: [] });
    expect(known.setFacts('c', { trustBundle: [root], gateways: [] })).toBeDefined();
    known.setRoster({ members: [member('a'), member('c')] });
    expect(known.world().clusters.has('b')).toBe(false);
    expect(known.setFacts('c', { trustBundle: [root], gateways: [] })).toBeUndefined();
  });

  test('of an external trust domain with a key of a member is not in force, and named', async () => {
    const [root, other] = [await authorityCertificate('root'), await authorityCertificate('other')];
    const known = federation(member('a'), member('b'));
    known.setFacts('b', { trustBundle: [root], gateways: [] });
    const members = [member('a'), member('b')];
    known.setRoster({ members, external: [{ name: 'out.test', trustBundle: [root] }] });
    expect(known.world().external).toEqual([]);
    expect(known.trustProblems()).toEqual([expect.stringMatching(/bundle of out\.test is not taken: .* authority of b\.hawser/)]);
    known.setRoster({ members, external: [{ name: 'out.test', trustBundle: [other] }] });
    expect(known.world().external).toEqual([{ name: 'out.test', trustBundle: [other] }]);
    expect(known.trustProblems()).toEqual([]);
    known.setRoster({ members });
    expect(known.world().external).toEqual([]);
  });
});

describe('exports', () => {
  test('of namespaces that the hub does not allow are not in force, whenever they come, and return when they are allowed', () => {
    const known = federation(member('a'), member('b', { exportNamespaces: ['shop'] }));
    known.setShard('b', 'shop/s', shard('b', 'shop'));
    known.setShard('b', 'bank/s', shard('b', 'bank'));
    expect([...known.shards.keys()]).toEqual(['shop/s']);
    expect(known.trustProblems()).toEqual(['b may not export namespace bank: other clusters do not use its services there (1)']);
    known.takeDirty();
    known.setRoster({ members: [member('a'), member('b')] });
    expect([...known.shards.keys()].sort()).toEqual(['bank/s', 'shop/s']);
    expect(known.takeDirty()).toEqual({ services: new Set(['bank/s']) });
    known.setRoster({ members: [member('a'), member('b', { exportNamespaces: [] })] });
    expect(known.shards.size).toBe(0);
  });

  test('the own cluster uses what it has, whatever others may take', () => {
    const known = federation(member('a', { exportNamespaces: [] }));
    known.setOwnShards(new Map([['bank/s', shard('a', 'bank')]]));
    expect(known.shards.size).toBe(1);
    expect(known.trustProblems()).toEqual(['a may not export namespace bank: other clusters do not use its services there (1)']);
  });
});

test('endpoints of a cluster that is not federated with are named, once there are any', () => {
  const known = federation(member('a', { federatesWith: ['c.hawser'] }), member('b'), member('c', { federatesWith: [] }));
  expect(known.trustProblems()).toEqual([]);
  for (const name of ['b', 'c']) known.setShard(name, 'shop/s', shard(name, 'shop'));
  expect(known.trustProblems()).toEqual([
    'endpoints of b are not called: a.hawser and b.hawser do not federate with each other',
    'endpoints of c are not called: a.hawser and c.hawser do not federate with each other',
  ]);
});

describe('trust that lapsed', () => {
  const roster = (...members: readonly RosterMember[]) => ({ members: [...members] });

  test('is remembered by name until it is given again, and what was never believed is not', () => {
    const known = federation(member('a'), member('b'), member('c'));
    expect(known.lapsed.domains).toEqual([]);
    known.setRoster(roster(member('a'), member('c')));
    known.takeDirty();
    expect(known.world().lapsed).toEqual({ domains: ['b.hawser'], clusters: [] });
    known.setRoster(roster(member('a', { federatesWith: [] }), member('c')));
    expect([known.lapsed.domains, known.takeDirty()]).toEqual([['b.hawser', 'c.hawser'], 'all']);
    known.setRoster(roster(member('a'), member('b')));
    expect(known.lapsed.domains).toEqual(['c.hawser']);
    const strange = federation(member('a', { federatesWith: [] }), member('b'));
    strange.setRoster(roster(member('a', { federatesWith: [] })));
    expect(strange.lapsed).toEqual({ domains: [], clusters: [] });
  });

  test('is that of a trust domain, and of a cluster by its own name where others bear the same; of one outside too', () => {
    const [b, c] = [member('b', { trustDomain: 'prod.test' }), member('c', { trustDomain: 'prod.test' })];
    const known = federation(member('a'), b, c);
    const external = [{ name: 'out.test', trustBundle: ['root'] }];
    known.setRoster({ ...roster(member('a'), c), external });
    expect(known.lapsed).toEqual({ domains: [], clusters: ['b 1'] });
    known.setRoster(roster(member('a')));
    expect(known.lapsed).toEqual({ domains: ['out.test', 'prod.test'], clusters: ['b 1'] });
  });

  test('outlives a restart', () => {
    const known = new Federation(
      { name: 'a', region: 'a', zone: '', trustDomain: 'a.hawser' },
      { domains: ['b.hawser', 'c.hawser'], clusters: ['d 1'] },
    );
    known.setRoster(roster(member('a'), member('c')));
    expect(known.lapsed).toEqual({ domains: ['b.hawser'], clusters: ['d 1'] });
  });
});

test('a cluster that had a bare endpoint speaks for workloads, until it leaves: its tunnel does not come and go with Pods', () => {
  const known = federation(member('a'), member('b'), member('c'));
  const speaks = () => [...known.world().clusters.values()].flatMap(({ name, speaksForWorkloads }) => (speaksForWorkloads ? [name] : []));
  const one = shard('b', 'shop');
  known.setShard('b', 'shop/s', one);
  expect(speaks()).toEqual([]);
  known.takeDirty();
  known.setShard('b', 'shop/s', { ...one, endpoints: one.endpoints.map((endpoint) => ({ ...endpoint, bare: true as const })) });
  expect(speaks()).toEqual(['b']);
  expect(known.takeDirty()).toBe('all');
  known.setShard('b', 'shop/s', one);
  expect(speaks()).toEqual(['b']);
  expect(known.takeDirty()).toEqual({ services: new Set(['shop/s']) });
  known.setRoster({ members: [member('a'), member('c')] });
  known.setRoster({ members: [member('a'), member('b'), member('c')] });
  expect(speaks()).toEqual([]);
});
