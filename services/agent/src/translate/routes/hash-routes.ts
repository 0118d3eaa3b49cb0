/** Puts hash policies on routes whose upstreams are chosen by consistent hashing: Envoy asks for them there, not on the upstream. */
import { hostKey } from '@hawser/model/service-host.ts';
import type { RouteActionSchema, RouteSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import { parseUpstreamName } from '../names.ts';
import { type HashPolicyInit, hashPolicyOf } from '../upstreams/hash-policy.ts';
import { blocksAt } from '../upstreams/traffic-policy.ts';
import type { Init } from '../wire-values.ts';
import type { ServiceLookup } from './destinations.ts';

type RouteInit = Init<typeof RouteSchema>;

/** The routes, each with what its upstreams hash; several of a split hash everything that any of them does, as in Istio. */
export function withHashPolicies(routes: readonly RouteInit[], lookup: ServiceLookup): RouteInit[] {
  return routes.map((route) => {
    const { action } = route;
    if (action?.case !== 'route') return route;
    const to = action.value as Init<typeof RouteActionSchema>;
    const found = clustersOf(to.clusterSpecifier).flatMap((name) => hashPolicyOfUpstream(name, lookup) ?? []);
    if (found.length === 0) return route;
    // What keeps callers on their side of a split comes first, and is the last word.
    const all = [...(to.hashPolicy ?? []), ...found];
    const hashPolicy = [...new Map(all.map((policy) => [JSON.stringify(policy, withoutBigInts), policy])).values()];
    return { ...route, action: { case: 'route', value: { ...to, hashPolicy } } };
  });
}

function clustersOf(to: Init<typeof RouteActionSchema>['clusterSpecifier']): string[] {
  if (to?.case === 'cluster') return [to.value];
  return to?.case === 'weightedClusters' ? (to.value.clusters ?? []).map(({ name = '' }) => name) : [];
}

/** The hash policy for requests to the upstream of this name; undefined when its endpoints are chosen otherwise. */
export function hashPolicyOfUpstream(name: string, lookup: ServiceLookup): HashPolicyInit | undefined {
  const upstream = parseUpstreamName(name);
  const key = upstream === undefined ? undefined : hostKey(upstream.host, '');
  const view = key === undefined ? undefined : lookup(key);
  if (upstream === undefined || view === undefined) return undefined;
  const subset = view.subsets.find((candidate) => candidate.name === upstream.subset);
  return hashPolicyOf(blocksAt(upstream.port, view.policies.destination.trafficPolicy, subset?.trafficPolicy).loadBalancer);
}

function withoutBigInts(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
