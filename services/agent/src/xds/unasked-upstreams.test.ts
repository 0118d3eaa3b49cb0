import { describe, expect, test } from 'vitest';
import { fakeResource } from '../../../../test/kit/ads-agent.ts';
import type { LayerName } from '../snapshot/resource.ts';
import { SnapshotStore } from '../snapshot/snapshot-store.ts';
import { UnaskedUpstreams, type UpstreamUse } from './unasked-upstreams.ts';

const OWN: LayerName = 'sidecar:10.0.0.1';
const upstream = (name: string): string => `outbound|80||${name}.shop.svc.clusterset.local`;

/** A mesh of services a to e, a choice of one of its proxies, and what its namespace uses. */
function choice(sendsAllUpTo: number) {
  const store = new SnapshotStore();
  const put = (layer: LayerName, ...names: string[]): void =>
    void store.apply(names.map((name) => ({ layer, put: fakeResource('CDS', name, name) })));
  put('sidecar', ...['a', 'b', 'c', 'd', 'e'].map(upstream), 'tunnel|west');
  const state = { recent: new Set<string>(), named: new Set<string>(), asked: [] as string[] };
  const use: UpstreamUse = {
    sendsAllUpTo,
    named: () => state.named,
    isOf: (name, services) => services.has(name),
    isRecent: (namespace, name) => namespace === 'shop' && state.recent.has(name),
    asked: (namespace, name) => state.asked.push(`${namespace} ${name}`),
  };
  const unasked = new UnaskedUpstreams({ store, own: OWN, namespace: 'shop', use });
  const offered = (): string[] => ['a', 'b', 'c', 'd', 'e'].filter((name) => unasked.offers(upstream(name)));
  return { store, put, state, unasked, offered };
}

function routes(version: string, copiesTo: readonly string[]) {
  return { ...fakeResource('RDS', 'outbound', version), copiesTo };
}

describe('what is sent unasked', () => {
  test('is a choice for one that calls for many too, though it reads its scope alone; what a Sidecar bounds is sent whole', () => {
    const { store, put, state } = choice(0);
    const scope: LayerName = 'scope:shop:0';
    put(scope, ...['a', 'b'].map(upstream));
    store.apply([{ layer: OWN, reads: [scope] }]);
    const use: UpstreamUse = {
      sendsAllUpTo: 1,
      named: () => state.named,
      isOf: () => false,
      isRecent: () => false,
      asked: () => undefined,
    };
    const isBounded = (callsForOthers: boolean): boolean =>
      new UnaskedUpstreams({ store, own: OWN, namespace: 'shop', use, callsForOthers }).isBounded;
    expect([isBounded(true), isBounded(false)]).toEqual([true, false]);
  });

  test('is everything, of a mesh that is no larger than the bound', () => {
    const { offered, unasked, put } = choice(6);
    expect(offered()).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(unasked.isBounded).toBe(false);
    put('sidecar', upstream('f'));
    expect([unasked.isBounded, ...offered()]).toEqual([true]);
  });

  test('is what belongs to no service, what was used and what policy names', () => {
    const { offered, unasked, state } = choice(0);
    expect([offered(), unasked.offers('tunnel|west')]).toEqual([[], true]);
    state.recent.add(upstream('b'));
    state.named = new Set([upstream('d')]);
    expect(unasked.follow([])).toEqual([{ type: 'CDS', name: upstream('d') }]);
    expect(offered()).toEqual(['b', 'd']);
    expect(unasked.follow([])).toEqual([]);
  });

  test('is what gets copies of requests, from the routes that say so on', () => {
    const { offered, unasked, store } = choice(0);
    store.apply([{ layer: 'sidecar', put: routes('1', [upstream('c')]) }]);
    expect(unasked.follow([{ type: 'RDS', name: 'outbound' }])).toEqual([{ type: 'CDS', name: upstream('c') }]);
    expect(offered()).toEqual(['c']);
    store.apply([{ layer: 'sidecar', put: routes('2', []) }]);
    expect(unasked.follow([{ type: 'RDS', name: 'outbound' }])).toEqual([]);
    expect(offered()).toEqual([]);
  });

  test('is all that a Sidecar lets in', () => {
    const { offered, store, put } = choice(0);
    const scope: LayerName = 'scope:shop:1';
    put(scope, upstream('a'));
    store.apply([{ layer: OWN, reads: [scope] }]);
    expect(offered()).toEqual(['a', 'b', 'c', 'd', 'e']);
    store.apply([{ layer: OWN, reads: [scope, 'sidecar'] }]);
    expect(offered()).toEqual([]);
  });
});

test('what a proxy asks for by name is noted once for each stream, if there is such an upstream', () => {
  const { unasked, state } = choice(0);
  unasked.note(new Set([upstream('a'), upstream('gone'), 'tunnel|west']));
  unasked.note(new Set([upstream('a'), upstream('b')]));
  expect(state.asked).toEqual([`shop ${upstream('a')}`, `shop ${upstream('b')}`]);
});
