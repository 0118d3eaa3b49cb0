/** Which rule of which policy a route was made of, told in the route itself: `hawser explain-route` reads it from what a proxy was sent. */
import type { RouteSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import type { Init } from '../wire-values.ts';

/** Key of Envoy's filter metadata with `policy` (`KIND/NAMESPACE/NAME`) and `rule` (a field path in it). No filter reads it. */
export const ORIGIN_METADATA = 'hawser';

type RouteInit = Init<typeof RouteSchema>;

/** The routes, each with its origin: `rule` is a field path such as `spec.http[1].match[0]`. */
export function withOrigin(routes: readonly RouteInit[], policy: string, rule: string): RouteInit[] {
  return routes.map((route) => ({ ...route, metadata: { filterMetadata: { [ORIGIN_METADATA]: { policy, rule } } } }));
}
