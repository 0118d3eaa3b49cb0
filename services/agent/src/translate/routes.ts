/** Virtual hosts of what workloads call: one per service port and host, with the rules of its VirtualServices. */
import { create } from '@bufbuild/protobuf';
import { parseDuration } from '@hawser/model/duration.ts';
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';
import type { HttpRouteSpec } from '@hawser/model/kind-specs.ts';
import {
  type RouteActionSchema,
  type RouteSchema,
  type VirtualHost,
  VirtualHostSchema,
} from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import { type Destination, destinationOf, type ServiceLookup } from './destinations.ts';
import { withHashPolicies } from './hash-routes.ts';
import { UNAVAILABLE_CLUSTER, upstreamName } from './names.ts';
import type { HttpRule } from './policy-index.ts';
import { DEFAULT_PER_TRY_MS, perTryMs, safeRetries, unsafeRetries, withPerTry } from './retries.ts';
import { type MatchSpec, type Methods, methodsOf, type RouteMatchInit, routeMatch, SAFE_METHOD_MATCH } from './route-match.ts';
import { withOrigin } from './route-origin.ts';
import type { HostView, ServiceView } from './service-view.ts';
import { type Init, millis } from './wire-values.ts';

type RouteInit = Init<typeof RouteSchema>;
type RouteActionInit = Init<typeof RouteActionSchema>;
type ActionInit = NonNullable<RouteInit['action']>;

/** Virtual hosts of a service's HTTP ports. */
export function virtualHosts(view: ServiceView, lookup: ServiceLookup): VirtualHost[] {
  return view.hosts.flatMap((host) =>
    host.ports.filter((port) => port.protocol !== 'tcp').map((port) => virtualHost(view, { host, port }, lookup)),
  );
}

interface Where {
  readonly host: HostView;
  readonly port: ServicePort;
}

function virtualHost(view: ServiceView, where: Where, lookup: ServiceLookup): VirtualHost {
  const rules = view.policies.rules.flatMap((rule) => ruleRoutes(rule, where, lookup));
  const own: Destination = { state: 'there', cluster: upstreamName(where.port.port, '', where.host.host) };
  const match = { pathSpecifier: { case: 'prefix' as const, value: '/' } };
  const fallback = methodRoutes({ match, methods: 'any', rule: undefined, action: toDestination(own) });
  const isCaught = rules.some((route) => isCatchAll(route.match));
  return create(VirtualHostSchema, {
    name: `${where.host.host}:${where.port.port}`,
    domains: domains(view, where),
    routes: withHashPolicies(isCaught ? rules : [...rules, ...fallback], lookup),
  });
}

/** All spellings of a service; the port may be left out when it is 80. */
function domains(view: ServiceView, { host, port }: Where): string[] {
  const short = `${view.name.service}.${view.name.namespace}`;
  const names = [host.host, ...(host.short ? [short, `${short}.svc`] : [])];
  return names.flatMap((name) => (port.port === 80 ? [name, `${name}:80`] : [`${name}:${port.port}`]));
}

function ruleRoutes({ policy, index, namespace, rule }: HttpRule, where: Where, lookup: ServiceLookup): RouteInit[] {
  const isForAll = rule.match === undefined || rule.match.length === 0;
  const matches: MatchSpec[] = isForAll ? [{}] : (rule.match ?? []);
  const targets = rule.route.map(({ destination, weight }) => ({
    destination: destinationOf(destination, { namespace, ...where }, lookup),
    weight: weight ?? (rule.route.length === 1 ? 100 : 0),
  }));
  return matches.flatMap((match, at) => {
    const matched = routeMatch(match);
    if (matched === undefined) return [];
    const routes = methodRoutes({ match: matched, methods: methodsOf(match), rule, action: actionOf(targets) });
    return withOrigin(routes, policy, isForAll ? `spec.http[${index}]` : `spec.http[${index}].match[${at}]`);
  });
}

interface MethodRoutes {
  readonly match: RouteMatchInit;
  readonly methods: Methods;
  readonly rule: HttpRouteSpec | undefined;
  readonly action: Action;
}

/** Routes for safe methods and for others, which differ in their retries alone. */
function methodRoutes({ match, methods, rule, action }: MethodRoutes): RouteInit[] {
  if (action.case === 'directResponse') return [{ match, action }];
  const safe = withPerTry(safeRetries(rule), perTryMs(rule, DEFAULT_PER_TRY_MS));
  const unsafe = withPerTry(unsafeRetries(rule, methods === 'unsafe'), perTryMs(rule, 0));
  const safeMatch = methods === 'any' ? { ...match, headers: [...(match.headers ?? []), SAFE_METHOD_MATCH] } : match;
  return [
    ...(methods === 'unsafe' ? [] : [{ match: safeMatch, action: forward(action.to, rule, safe) }]),
    ...(methods === 'safe' ? [] : [{ match, action: forward(action.to, rule, unsafe) }]),
  ];
}

/**
 * No timeout over the whole request unless asked for, as Istio has it: a stream may last. What hangs is ended by the limit
 * per try (safe methods) and by the listener's idle timeout.
 */
function forward(to: ForwardAction['to'], rule: HttpRouteSpec | undefined, retryPolicy: ReturnType<typeof safeRetries>): ActionInit {
  const timeout = millis(parseDuration(rule?.timeout ?? '') ?? 0);
  return { case: 'route', value: { clusterSpecifier: to, timeout, ...(retryPolicy === undefined ? {} : { retryPolicy }) } };
}

interface Target {
  readonly destination: Destination;
  readonly weight: number;
}

interface ForwardAction {
  readonly case: 'route';
  readonly to: NonNullable<RouteActionInit['clusterSpecifier']>;
}

type Action = ForwardAction | Extract<RouteInit['action'], { case: 'directResponse' }>;

function actionOf(targets: readonly Target[]): Action {
  const [only, ...others] = targets;
  if (only !== undefined && others.length === 0) return toDestination(only.destination);
  const total = targets.reduce((sum, target) => sum + target.weight, 0);
  const clusters = targets
    .map((target) => ({ name: clusterOf(target.destination), weight: total === 0 ? 1 : target.weight }))
    .filter((cluster) => cluster.weight > 0);
  return { case: 'route', to: { case: 'weightedClusters', value: { clusters } } };
}

/** A destination that does not exist answers 503 by itself; every other rule is served. */
function toDestination(destination: Destination): Action {
  if (destination.state === 'there') return { case: 'route', to: { case: 'cluster', value: destination.cluster } };
  const body = { specifier: { case: 'inlineString' as const, value: `${destination.reason}\n` } };
  return { case: 'directResponse', value: { status: 503, body } };
}

function clusterOf(destination: Destination): string {
  return destination.state === 'there' ? destination.cluster : UNAVAILABLE_CLUSTER;
}

function isCatchAll(match: RouteInit['match']): boolean {
  return match?.pathSpecifier?.case === 'prefix' && match.pathSpecifier.value === '/' && (match.headers ?? []).length === 0;
}
