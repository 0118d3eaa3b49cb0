/** VirtualServices of reviews and its three versions, as behaviours write them. */
import type { VirtualServiceHttp, VirtualServiceMatch, VirtualServiceRoute, VirtualServiceSpec } from '@hawser/model/istio/specs.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { policy } from './rig.ts';

/** Subsets v1, v2 and v3. */
export const SUBSETS: Resource = policy('DestinationRule', {
  host: 'reviews',
  subsets: ['v1', 'v2', 'v3'].map((version) => ({ name: version, labels: { version } })),
});

/** A destination: a version of reviews. */
export function to(subset: string, more: Partial<VirtualServiceRoute> = {}): VirtualServiceRoute[] {
  return [{ destination: { host: 'reviews', subset }, ...more }];
}

/** The subsets, and a VirtualService with these rules. */
export function rules(http: readonly VirtualServiceHttp[], more: VirtualServiceSpec = {}): Resource[] {
  return [SUBSETS, policy('VirtualService', { hosts: ['reviews'], http, ...more })];
}

/** Requests that match go to v2, all others to v1. */
export function matching(...match: VirtualServiceMatch[]): Resource[] {
  return rules([{ match, route: to('v2') }, { route: to('v1') }]);
}

/** One rule for all requests, which go to v1 unless it says otherwise. */
export function always(rule: VirtualServiceHttp): Resource[] {
  return rules([{ ...('redirect' in rule || 'directResponse' in rule ? {} : { route: to('v1') }), ...rule }]);
}
