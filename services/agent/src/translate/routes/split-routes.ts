/** Routes of one match of a rule, where need be divided anew by a TrafficShift among subsets. Pure. */
import type { VirtualServiceHttp, VirtualServiceMatch } from '@hawser/model/istio/specs.ts';
import type { RouteSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import { policyKeyOf } from '../policy-tables.ts';
import type { Init } from '../wire-values.ts';
import { methodRoutes } from './method-routes.ts';
import { type ActionContext, actionOf } from './route-actions.ts';
import { type Methods, methodsOf, type NarrowMatch, narrowed } from './route-match.ts';
import { type Origin, withOrigin } from './route-origin.ts';
import { below, type Report, SILENT } from './rule-report.ts';
import { type SplitRule, splitRules } from './split-rules.ts';
import { stickyRoutes } from './sticky-routes.ts';

type RouteInit = Init<typeof RouteSchema>;

/** One match of a rule, and what its routes share. */
export interface MatchedRule {
  readonly rule: VirtualServiceHttp;
  readonly match: VirtualServiceMatch;
  readonly matched: NarrowMatch;
  /** What routes have whatever becomes of their requests. */
  readonly common: RouteInit;
  readonly context: ActionContext;
  /** Undefined: no policy made it. */
  readonly origin: Origin | undefined;
  /** Told with the policy, and the field in it. */
  readonly report?: ((policy: string, field: string, message: string) => void) | undefined;
}

/** Its routes, in the order in which they are tried. */
export function splitRoutes(of: MatchedRule): RouteInit[] {
  return splitRules(of.rule, of.match, of.context).flatMap((one) => routesOf(one, of));
}

function routesOf(one: SplitRule, { match, matched, common, context, origin, report }: MatchedRule): RouteInit[] {
  const { rule, within, by, name, stickiness } = one;
  const shift = by === undefined ? undefined : policyKeyOf(by.shift);
  const told: Report =
    shift === undefined ? context.report : report === undefined ? SILENT : (field, message) => report(shift, field, message);
  const narrow = narrowed(matched, within, by === undefined ? told : below(told, by.field));
  if (narrow === undefined) return [];
  const action = actionOf(rule, { ...context, report: by === undefined ? told : (_field, message) => told(by.field, message) });
  const methods = within.reduce<Methods>((known, further) => (known === 'any' ? methodsOf(further) : known), methodsOf(match));
  const routes = methodRoutes({ match: narrow, methods, rule, action })
    .map((route) => ({ ...common, ...(name === undefined ? {} : { name }), ...route }))
    .flatMap((route) => stickyRoutes(route, stickiness));
  if (by !== undefined && shift !== undefined) return withOrigin(routes, { policy: shift, rule: by.field, within: origin });
  return origin === undefined ? routes : withOrigin(routes, origin);
}
