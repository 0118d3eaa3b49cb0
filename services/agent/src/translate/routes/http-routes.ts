/** Routes of VirtualService rules for one port of one host and one kind of caller. */
import type { VirtualServiceHttp, VirtualServiceMatch } from '@hawser/model/istio/specs.ts';
import type { RouteSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import type { HostView } from '../services/service-view.ts';
import type { Init } from '../wire-values.ts';
import { type Caller, dependsOnScope, isBound, isFor, isRestricted, isVisible } from './caller.ts';
import { isHttpPort, type ServiceLookup } from './destinations.ts';
import { headerChanges } from './header-operations.ts';
import { filterConfigs } from './route-filters.ts';
import { routeMatch } from './route-match.ts';
import { below, type Report, SILENT } from './rule-report.ts';
import { splitRoutes } from './split-routes.ts';
import type { HttpRule } from './virtual-service-rules.ts';

type RouteInit = Init<typeof RouteSchema>;

/** Where routes are for. */
export interface RoutePlace {
  readonly caller: Caller;
  /** Scope of the host that is called; undefined for hosts that no service has. */
  readonly scope: HostView['scope'] | undefined;
  /** Port that is called. */
  readonly port: number;
  /** Whether it is called by TLS. */
  readonly isTls?: boolean | undefined;
  readonly lookup: ServiceLookup;
  /** Told with the policy, and the field in it. */
  readonly report?: (policy: string, field: string, message: string) => void;
}

/**
 * The routes of the rules that are for this caller, in the order in which they are tried. Several VirtualServices of one host are
 * one after the other, the oldest first; a rule that catches everything ends its own VirtualService and comes after all others'.
 */
export function httpRoutes(rules: readonly HttpRule[], place: RoutePlace): RouteInit[] {
  const [first, last]: [RouteInit[], RouteInit[]] = [[], []];
  const ended = new Set<string>();
  for (const rule of rulesFor(rules, place.caller)) {
    if (ended.has(rule.owner.policy)) continue;
    for (const routes of ruleRoutes(rule, place)) {
      const catches = routes.some(isCatchAll);
      if (!catches) first.push(...routes);
      else if (last.length === 0) last.push(...routes);
      if (catches) ended.add(rule.owner.policy);
      if (catches) break;
    }
  }
  return [...first, ...last];
}

/** Whether a route takes every request. */
export function isCatchAll({ match }: RouteInit): boolean {
  const isAnyPath = match?.pathSpecifier?.case === 'prefix' && match.pathSpecifier.value === '/';
  return isAnyPath && (match.headers ?? []).length === 0 && (match.queryParameters ?? []).length === 0;
}

/** Whether routes of these rules differ between callers of one gateway. */
export function rulesDependOnScope(rules: readonly HttpRule[]): boolean {
  return rules.some(({ owner, rule }) => isRestricted(owner) || (rule.match ?? []).some(dependsOnScope));
}

/** Of the rules that a caller sees, those of the most specific host that is for its gateway. */
function rulesFor(rules: readonly HttpRule[], caller: Caller): HttpRule[] {
  const visible = rules.filter(({ owner, rule }) => isVisible(owner, caller) && isBound(owner, rule.match ?? [], caller));
  const most = visible.reduce((rank, rule) => Math.max(rank, rule.rank), 0);
  return visible.filter(({ rank }) => rank === most);
}

/** Routes of each match that is for the caller and the port. */
function ruleRoutes(one: HttpRule, place: RoutePlace): RouteInit[][] {
  const { rule, owner } = one;
  const report = reportOf(one, place);
  const matches: readonly VirtualServiceMatch[] = rule.match === undefined || rule.match.length === 0 ? [{}] : rule.match;
  const ours = matches.flatMap((match, at) => (isFor(match, owner, place.caller) && isAt(match, place.port) ? [{ match, at }] : []));
  if (ours.length === 0) return [];
  const { scope, port, lookup, isTls } = place;
  const context = { namespace: one.namespace, scope, port, takes: isHttpPort, lookup, report, isTls };
  const common = { ...headerChanges(rule.headers, report).changes, typedPerFilterConfig: filterConfigs(rule, report) };
  return ours.flatMap(({ match, at }) => {
    const isWritten = one.matches === 'own' && matches === rule.match;
    const matched = routeMatch(match, isWritten ? below(report, `match[${at}]`) : report);
    if (matched === undefined) return [];
    const named = { ...nameOf(rule, match), ...(match.statPrefix === undefined ? {} : { statPrefix: match.statPrefix }) };
    const origin = { policy: one.policy, rule: isWritten ? `${one.field}.match[${at}]` : one.field };
    return [splitRoutes({ rule, match, matched, common: { ...named, ...common }, context, origin, report: place.report })];
  });
}

function isAt({ port }: VirtualServiceMatch, called: number): boolean {
  return port === undefined || port === 0 || port === called;
}

/** Rule and match by their names, for access logs. */
function nameOf({ name = '' }: VirtualServiceHttp, match: VirtualServiceMatch): { name?: string } {
  const parts = [name, match.name ?? ''].filter((part) => part !== '');
  return parts.length === 0 ? {} : { name: parts.join('.') };
}

function reportOf({ policy, field }: HttpRule, { report }: RoutePlace): Report {
  return report === undefined ? SILENT : (inner, message) => report(policy, inner === '' ? field : `${field}.${inner}`, message);
}
