/** What becomes of a request at a proxy, by what that proxy is served: the same decisions as its Envoy makes. */
import type { ExplainRouteRequest, ExplainRouteResponse, RouteExplanation } from '@hawser/wire/messages.ts';
import {
  type Route,
  type RouteAction,
  type VirtualHost,
  VirtualHost_TlsRequirementType,
} from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import { ORIGIN_METADATA } from '../translate/routes/route-origin.ts';
import { explainConnection } from './explain-connection.ts';
import { explainedUpstream } from './explained-upstream.ts';
import { type FoundListener, listenerFor } from './listener-for.ts';
import { regexTest } from './re2.ts';
import { effectsOf, headerEffects } from './route-effects.ts';
import { type ExplainedRequest, judgeRoute } from './route-matching.ts';
import { type SentConfig, type SentResources, sentConfig } from './sent-config.ts';
import { virtualHostFor } from './virtual-host-matching.ts';

type Passed = RouteExplanation['passed'][number];
type Taken = RouteExplanation['taken'][number];

/** Explains one request; never throws. */
export function explainRoute(request: Omit<ExplainRouteRequest, 'proxy'>, sent: SentResources): ExplainRouteResponse {
  const url = URL.parse(request.url);
  if (url !== null && ['tcp:', 'tls:'].includes(url.protocol)) return explainConnection(url, sentConfig(sent));
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return { error: `${request.url} is no URL such as http://HOST/PATH` };
  const config = sentConfig(sent);
  const found = listenerFor(url, config);
  if (typeof found === 'string') return { error: found };
  const asked = requestOf(request, url, found);
  const host = virtualHostFor(found.routes.virtualHosts, hostOf(asked.authority, found));
  if (host === undefined) return { error: `no virtual host of ${found.routes.name} takes ${asked.authority}: it is answered 404` };
  const { method, scheme, authority, path } = asked;
  return {
    request: { method, scheme, authority, path },
    listener: found.listener,
    routeConfiguration: found.routes.name,
    virtualHost: { name: host.host.name, domain: host.domain },
    ...(isForTls(host.host, scheme) ? TO_HTTPS : tryRoutes(host.host.routes, asked, config)),
  };
}

function isForTls({ requireTls }: VirtualHost, scheme: string): boolean {
  return scheme === 'http' && requireTls !== VirtualHost_TlsRequirementType.NONE;
}

/** A virtual host that wants TLS looks at no route without it. */
const TO_HTTPS: Pick<RouteExplanation, 'passed' | 'taken'> = {
  passed: [],
  taken: [{ share: 100, action: 'redirect', effects: ['is redirected with 301 to scheme https'], upstreams: [] }],
};

/** What virtual hosts are found by. */
function hostOf(authority: string, { http, routes }: FoundListener): string {
  const isPortless = routes.ignorePortInHostMatching || http.stripMatchingHostPort || http.stripPortMode.value === true;
  const host = isPortless ? authority.replace(/:\d+$/, '') : authority;
  return http.stripTrailingHostDot ? host.replace(/\.$/, '') : host;
}

/** Paths are normalized first, as the listeners of Hawser have it. A header `host` is the authority. */
function requestOf({ method, headers }: Omit<ExplainRouteRequest, 'proxy'>, url: URL, { http }: FoundListener): ExplainedRequest {
  const names = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const authority = names['host'] ?? names[':authority'] ?? url.host;
  const pathname = http.mergeSlashes ? url.pathname.replace(/\/{2,}/g, '/') : url.pathname;
  return { method, scheme: url.protocol.slice(0, -1), authority, path: `${pathname}${url.search}`, headers: names };
}

/** Routes in their order, until all of the requests are taken. */
function tryRoutes(routes: readonly Route[], request: ExplainedRequest, config: SentConfig): Pick<RouteExplanation, 'passed' | 'taken'> {
  const [passed, taken]: [Passed[], Taken[]] = [[], []];
  const regex = regexTest();
  let left = 1;
  for (const route of routes) {
    const { share, why } = judgeRoute(route.match, request, regex);
    if (share === 0) passed.push({ ...originOf(route), why });
    else taken.push(takenBy(route, percent(left * share), config));
    left *= 1 - share;
    if (left === 0) break;
  }
  return { passed: withoutTwins(passed, taken), taken };
}

/** A rule has a route for safe methods and one for others: it was passed when the last of them was. */
function withoutTwins(passed: readonly Passed[], taken: readonly Taken[]): Passed[] {
  const idOf = ({ policy, rule }: Passed | Taken): string => `${policy} ${rule}`;
  const done = new Set(taken.map(idOf));
  const last = new Map(passed.map((one) => [idOf(one), one]));
  return [...last.values()].filter((one) => !done.has(idOf(one)));
}

function takenBy(route: Route, share: number, config: SentConfig): Taken {
  const { action } = route;
  const common = { ...originOf(route), share, effects: effectsOf(route) };
  if (action.case === 'route') return { ...common, action: 'forward', upstreams: upstreamsOf(action.value, config) };
  return { ...common, action: action.case === 'redirect' ? 'redirect' : 'answer', upstreams: [] };
}

function upstreamsOf({ clusterSpecifier: to }: RouteAction, config: SentConfig): Taken['upstreams'] {
  if (to.case === 'cluster') return [explainedUpstream(to.value, { share: 100, effects: [] }, config)];
  if (to.case !== 'weightedClusters') return [];
  const sum = to.value.clusters.reduce((total, { weight = 0 }) => total + weight, 0);
  return to.value.clusters.map((cluster) => {
    const host =
      cluster.hostRewriteSpecifier.case === 'hostRewriteLiteral' ? [`the host becomes ${cluster.hostRewriteSpecifier.value}`] : [];
    const share = percent(sum === 0 ? 0 : (cluster.weight ?? 0) / sum);
    return explainedUpstream(cluster.name, { share, effects: [...headerEffects(cluster), ...host] }, config);
  });
}

function originOf({ metadata }: Route): { policy?: string; rule?: string } {
  const { policy, rule } = metadata?.filterMetadata[ORIGIN_METADATA] ?? {};
  return { ...(typeof policy === 'string' ? { policy } : {}), ...(typeof rule === 'string' ? { rule } : {}) };
}

/** With four digits. */
function percent(share: number): number {
  return Math.round(share * 1_000_000) / 10_000;
}
