/** Which DestinationRule holds for whom, and which part of it. */
import type { DestinationRuleSpec } from '@hawser/model/istio/specs.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { describe, expect, test } from 'vitest';
import { indexPolicies } from '../policy-index.ts';
import { COMMON_SCOPE, type ProxyScope } from '../scope/scope.ts';
import { callerKeysOf, dependsOnCaller, destinationPolicy, type destinationRulesFor, hostKeysOf } from './destination-rules.ts';
import { blocksAt } from './traffic-policy.ts';

const RANDOM = { loadBalancer: { simple: 'RANDOM' } } as const;
const POLICY = { trafficPolicy: RANDOM };
const KEY = 'bookinfo/reviews';

function rule(name: string, spec: Partial<DestinationRuleSpec>, namespace = 'bookinfo'): Resource {
  const host = 'reviews.bookinfo.svc.cluster.local';
  return { apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule', metadata: { namespace, name }, spec: { host, ...spec } };
}

function rulesFor(policies: readonly Resource[]): ReturnType<typeof destinationRulesFor> {
  const index = indexPolicies(new Map(policies.map((policy) => [`${policy.metadata.namespace}/${policy.metadata.name}`, policy])));
  return index.of(KEY).destinations;
}

function deciding(policies: readonly Resource[], caller: ProxyScope): string {
  return destinationPolicy(rulesFor(policies), 'bookinfo', caller).policy;
}

function caller(namespace: string, labels: Record<string, string> = {}): ProxyScope {
  return { id: 'x', namespace, labels };
}

test('a service is meant by its own names and by every wildcard above them, the longest first', () => {
  const keys = hostKeysOf(KEY);
  expect(keys[0]).toBe(KEY);
  expect(keys).toContain('*/*.bookinfo.svc.clusterset.local');
  expect(keys).toContain('*/*.local');
  expect(keys.at(-1)).toBe('*/*');
  expect(hostKeysOf('*/api.example.com')).toEqual(['*/api.example.com', '*/*.example.com', '*/*.com', '*/*']);
  expect(hostKeysOf('*/*.example.com')).toEqual(['*/*.example.com', '*/*.com', '*/*']);
});

describe('the rule that decides', () => {
  const [own, away, root] = [rule('own', POLICY), rule('away', POLICY, 'shop'), rule('root', POLICY, 'hawser-system')];

  test('is of the caller’s namespace, else of the service’s, else of the root namespace', () => {
    expect(deciding([own, away, root], caller('shop'))).toBe('DestinationRule/shop/away');
    expect(deciding([own, away, root], caller('other'))).toBe('DestinationRule/bookinfo/own');
    expect(deciding([away, root], caller('other'))).toBe('DestinationRule/hawser-system/root');
    expect(deciding([away], caller('other'))).toBe('');
    expect(deciding([away], COMMON_SCOPE)).toBe('');
  });

  test('is seen from where it is exported to', () => {
    const hidden = rule('own', { ...POLICY, exportTo: ['.'] });
    expect(deciding([hidden], caller('bookinfo'))).toBe('DestinationRule/bookinfo/own');
    expect(deciding([hidden], caller('shop'))).toBe('');
    expect(deciding([hidden], COMMON_SCOPE)).toBe('');
  });

  test('selects the caller’s labels before others, in its own namespace alone', () => {
    const chosen = rule('chosen', { ...POLICY, workloadSelector: { matchLabels: { app: 'web' } } });
    expect(deciding([own, chosen], caller('bookinfo', { app: 'web' }))).toBe('DestinationRule/bookinfo/chosen');
    expect(deciding([own, chosen], caller('bookinfo', { app: 'api' }))).toBe('DestinationRule/bookinfo/own');
    expect(deciding([own, chosen], caller('shop', { app: 'web' }))).toBe('DestinationRule/bookinfo/own');
  });

  test('depends on the caller only where it looks at it', () => {
    expect(dependsOnCaller(rulesFor([own, root]), 'bookinfo')).toBe(false);
    expect(dependsOnCaller(rulesFor([own, away]), 'bookinfo')).toBe(true);
    expect(dependsOnCaller(rulesFor([rule('own', { exportTo: ['shop'] })]), 'bookinfo')).toBe(true);
    const byLabel = rule('own', {
      trafficPolicy: { loadBalancer: { localityLbSetting: { failoverPriority: ['tier', 'a=b', 'topology.istio.io/cluster'] } } },
    });
    expect(dependsOnCaller(rulesFor([byLabel]), 'bookinfo')).toBe(true);
    expect(callerKeysOf(byLabel.spec as DestinationRuleSpec)).toEqual(['tier']);
    expect(destinationPolicy(rulesFor([byLabel]), 'bookinfo', caller('x', { tier: 'gold', app: 'web' })).callerLabels).toEqual({
      tier: 'gold',
    });
  });
});

test('an unchanged rule gives the same object after a change of another', () => {
  const [own, other] = [rule('own', POLICY), rule('other', { host: 'ratings' })];
  const before = indexPolicies(new Map([['own', own]]));
  const first = before.of(KEY);
  const after = indexPolicies(
    new Map([
      ['own', own],
      ['other', other],
    ]),
    before,
  );
  expect(after.of(KEY)).toBe(first);
});

test('a wildcard that comes or goes changes what is said of a service', () => {
  const before = indexPolicies(new Map());
  expect(before.of(KEY).destination.trafficPolicy).toBeUndefined();
  const after = indexPolicies(new Map([['wide', rule('wide', { host: '*.bookinfo.svc.cluster.local', trafficPolicy: RANDOM })]]), before);
  expect(after.of(KEY).destination.trafficPolicy).toEqual(RANDOM);
  expect(indexPolicies(new Map(), after).of(KEY).destination.trafficPolicy).toBeUndefined();
});

describe('the blocks at a port', () => {
  const pool = { connectionPool: { tcp: { maxConnections: 1 } } };

  test('are the service’s, the subset’s own in their place', () => {
    expect(blocksAt(80, { ...RANDOM, ...pool })).toEqual({ ...RANDOM, ...pool });
    expect(blocksAt(80, RANDOM, pool)).toEqual({ ...RANDOM, ...pool });
    expect(blocksAt(80, RANDOM, { loadBalancer: { simple: 'ROUND_ROBIN' } })).toEqual({ loadBalancer: { simple: 'ROUND_ROBIN' } });
    expect(blocksAt(80, undefined)).toEqual({});
  });

  test('are the port’s alone where it has settings; budgets stay', () => {
    const budget = { retryBudget: { percent: 1 } };
    const service = { ...RANDOM, ...budget, portLevelSettings: [{ port: { number: 8080 }, ...pool }] };
    expect(blocksAt(8080, service)).toEqual({ ...pool, ...budget });
    expect(blocksAt(80, service)).toEqual({ ...RANDOM, ...budget });
    expect(blocksAt(8080, service, RANDOM)).toEqual({ ...pool, ...RANDOM, ...budget });
  });
});
