/** A mesh of two clusters, each a trust domain of its own, and how its policies about access are asked for their judgement. */
import type { Resource } from '@hawser/model/resource.ts';
import { expect, vi } from 'vitest';
import { eastern, type Layout } from './layout.ts';
import { policy, type Rig, type RigCall } from './rig.ts';

/** reviews in east; callers of two namespaces there, and one of west whose namespace and account are those of a caller in east. */
export const ACCESS: Pick<Layout, 'clusters' | 'workloads' | 'clients' | 'ports'> = {
  clusters: ['east', 'west'],
  workloads: [eastern('reviews', 'v1', 21)],
  clients: [
    { name: 'productpage', namespace: 'bookinfo', cluster: 'east', at: 11 },
    { name: 'cart', namespace: 'shop', cluster: 'east', at: 12 },
    { name: 'details', namespace: 'bookinfo', cluster: 'west', at: 13 },
  ],
  ports: {
    'bookinfo/reviews': [
      { name: 'http', port: 80, protocol: 'http' },
      { name: 'http2', port: 82, protocol: 'http2' },
      { name: 'tcp', port: 9000, protocol: 'tcp' },
    ],
  },
};

/** An AuthorizationPolicy of `bookinfo`. */
export function authorization(spec: object, name = 'access', namespace = 'bookinfo'): Resource {
  return policy('AuthorizationPolicy', spec, { name, namespace });
}

/** ALLOW or DENY by one rule. */
export function only(action: 'ALLOW' | 'DENY' | 'AUDIT', rule: object): Resource {
  return authorization({ action, rules: [rule] });
}

/** Makes these the only policies, and waits until every call is answered as it shall be, all in one round. */
export async function judged(rig: Rig, policies: readonly Resource[], calls: readonly (readonly [RigCall, number])[]): Promise<void> {
  await rig.policies(policies);
  const judgement = async (): Promise<void> => {
    const seen = await Promise.all(calls.map(async ([call]) => (await rig.call(call)).status));
    expect(seen, JSON.stringify(calls.map(([call]) => call))).toEqual(calls.map(([, status]) => status));
  };
  // Connections that are judged by their filter chain end some time after it is gone.
  await vi.waitFor(judgement, { timeout: 40_000, interval: 20 });
}
