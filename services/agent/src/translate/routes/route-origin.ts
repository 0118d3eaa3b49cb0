/** Which rule of which policy a route was made of, told in the route itself: `hawser explain-route` reads it from what a proxy was sent. */
import type { RouteSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import type { Init } from '../wire-values.ts';

/** Key of Envoy's filter metadata with `policy`, `rule` and `divides`, the rule that a shift divides. No filter reads it. */
export const ORIGIN_METADATA = 'hawser';

type RouteInit = Init<typeof RouteSchema>;

/** A rule: `rule` is a field path such as `spec.http[1].match[0]`. */
export interface Origin {
  /** `KIND/NAMESPACE/NAME`. */
  readonly policy: string;
  readonly rule: string;
  /** The rule whose requests it divides. */
  readonly within?: Origin | undefined;
}

/** The routes, each with its origin. */
export function withOrigin(routes: readonly RouteInit[], { policy, rule, within }: Origin): RouteInit[] {
  const divides = within === undefined ? {} : { divides: `${within.policy} ${within.rule}` };
  return routes.map((route) => ({ ...route, metadata: { filterMetadata: { [ORIGIN_METADATA]: { policy, rule, ...divides } } } }));
}
