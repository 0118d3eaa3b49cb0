import type { Resource } from '@hawser/model/resource.ts';
import { describe, expect, test } from 'vitest';
import { RecentUse } from './upstream-use.ts';

const DAY = 86_400_000;
const REVIEWS = 'outbound|80||reviews.bookinfo.svc.clusterset.local';

function policy(kind: string, spec: unknown, namespace = 'shop', name = kind): Resource {
  return { apiVersion: 'v1', kind, metadata: { namespace, name }, spec };
}

/** A memory with a clock and policies of its own. */
function memory(saved: ReturnType<RecentUse['saved']> = []) {
  const state = { now: 100 * DAY, policies: new Map<string, Resource>(), changes: 0 };
  const use = new RecentUse({
    ...{ sendsAllUpTo: 100, saved, policies: () => state.policies, now: () => state.now },
    onChange: () => {
      state.changes += 1;
    },
  });
  const set = (...policies: Resource[]): void => {
    state.policies = new Map(policies.map((one) => [`${one.kind}/${one.metadata.namespace}/${one.metadata.name}`, one]));
  };
  return { state, use, set };
}

describe('what was asked for', () => {
  test('is recent for its namespace alone, for a week from the last time', () => {
    const { use, state } = memory();
    use.asked('shop', REVIEWS);
    expect([use.isRecent('shop', REVIEWS), use.isRecent('bookinfo', REVIEWS)]).toEqual([true, false]);
    state.now += 6 * DAY;
    use.asked('shop', REVIEWS);
    state.now += 6 * DAY;
    expect(use.isRecent('shop', REVIEWS)).toBe(true);
    state.now += DAY;
    expect(use.isRecent('shop', REVIEWS)).toBe(false);
    expect(use.saved()).toEqual([]);
  });

  test('is taken up by the next agent from what was saved', () => {
    const { use } = memory();
    use.asked('shop', REVIEWS);
    expect(use.saved()).toEqual([{ namespace: 'shop', upstream: REVIEWS, askedAt: 100 * DAY }]);
    expect(memory(use.saved()).use.isRecent('shop', REVIEWS)).toBe(true);
  });

  test('is to be saved when it is new, and not at each stream that asks again', () => {
    const { use, state } = memory();
    for (let stream = 0; stream < 5; stream += 1) use.asked('shop', REVIEWS);
    expect(state.changes).toBe(1);
    state.now += DAY;
    use.asked('shop', REVIEWS);
    expect(state.changes).toBe(2);
  });

  test('is bounded: what was asked for longest ago goes first', () => {
    const { use } = memory();
    for (let index = 0; index < 10_001; index += 1) use.asked('shop', `outbound|80||svc-${index}.many.svc.clusterset.local`);
    expect(use.saved()).toHaveLength(10_000);
    expect(use.isRecent('shop', 'outbound|80||svc-0.many.svc.clusterset.local')).toBe(false);
  });
});

describe('what policies name', () => {
  test('is for the namespace that they are of, by any spelling, wildcards left out', () => {
    const { use, set } = memory();
    const http = [{ route: [{ destination: { host: 'cart' } }], mirror: { host: 'copy' }, mirrors: [{ destination: { host: 'copies' } }] }];
    set(
      policy('VirtualService', { hosts: ['front.shop', '*.example.com', 'one.example.com'], http }),
      policy('VirtualService', { hosts: ['db'], tcp: [{ route: [{ destination: { host: 'store' } }] }] }, 'shop', 'tcp'),
      policy('DestinationRule', { host: 'reviews.bookinfo.svc.cluster.local' }),
      policy('FailoverPolicy', { services: ['pay'] }),
      policy('FailoverPolicy', {}, 'shop', 'all'),
      policy('TrafficShift', { services: ['ship'], regions: {} }),
      policy('DestinationRule', { host: 'elsewhere' }, 'other'),
      policy('Sidecar', { egress: [{ hosts: ['*/*'] }] }),
    );
    const names = ['cart', 'copies', 'copy', 'db', 'front', 'pay', 'ship', 'store'].map((name) => `shop/${name}`);
    expect([...use.named('shop')].sort()).toEqual(['*/one.example.com', 'bookinfo/reviews', ...names]);
    expect(use.isOf(REVIEWS, use.named('shop'))).toBe(true);
    expect(use.isOf('outbound_tcp|80|v1|reviews.bookinfo.svc.cluster.local', use.named('shop'))).toBe(true);
    expect(use.isOf('outbound|80||one.example.com', use.named('shop'))).toBe(true);
    expect(use.isOf('outbound|80||ratings.bookinfo.svc.clusterset.local', use.named('shop'))).toBe(false);
    expect(use.isOf('unavailable', use.named('shop'))).toBe(false);
  });

  test('is the same object while it is the same', () => {
    const { use, set } = memory();
    set(policy('DestinationRule', { host: 'a' }));
    const before = use.named('shop');
    set(policy('DestinationRule', { host: 'a', trafficPolicy: {} }), policy('DestinationRule', { host: 'b' }, 'other'));
    expect(use.named('shop')).toBe(before);
    set(policy('DestinationRule', { host: 'b' }));
    expect([...use.named('shop')]).toEqual(['shop/b']);
  });

  test('passes over a policy that has no form', () => {
    const { use, set } = memory();
    set(policy('VirtualService', null), policy('FailoverPolicy', null), policy('DestinationRule', { host: 7 }));
    expect([...use.named('shop')]).toEqual([]);
  });
});
