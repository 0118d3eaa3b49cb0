/** Routes of an edge proxy: for each host what the VirtualServices bound to its Gateways say. Pure. */
import { create } from '@bufbuild/protobuf';
import type { Resource } from '@hawser/model/resource.ts';
import {
  type RouteSchema,
  VirtualHost_TlsRequirementType as Tls,
  type VirtualHost,
  VirtualHostSchema,
} from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import { RouteConfigurationSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { encoded } from '../encode.ts';
import type { ServiceLookup } from '../routes/destinations.ts';
import { httpRoutes, isCatchAll } from '../routes/http-routes.ts';
import { methodRoutes } from '../routes/method-routes.ts';
import { UNSENT_HEADER } from '../routes/retries.ts';
import { forwardTo, MOST_BODY_BYTES } from '../routes/route-actions.ts';
import { ORIGIN_METADATA } from '../routes/route-origin.ts';
import { type DelegateLookup, delegateKeys, EXACT_RANK, type HttpRule, httpRulesOf } from '../routes/virtual-service-rules.ts';
import type { ProxyScope } from '../scope/scope.ts';
import type { Init } from '../wire-values.ts';
import { isBoundTo, servedHosts } from './bound-hosts.ts';
import { defaultCluster } from './default-endpoint.ts';
import type { BoundService } from './edge-index.ts';
import type { EdgeServer } from './edge-servers.ts';

/** What routes are made from. */
export interface RoutingParts {
  readonly services: readonly BoundService[];
  readonly scope: ProxyScope;
  readonly lookup: ServiceLookup;
  readonly delegates: DelegateLookup;
  readonly report: (policy: string, field: string, message: string) => void;
}

/** Servers that share one route configuration, and the port that rules know them by. */
export interface RoutedServers {
  readonly servers: readonly EdgeServer[];
  readonly number: number;
}

/** One domain in the making. */
interface Domain {
  /** By the Gateway they come in by. */
  readonly rules: Map<string, HttpRule[]>;
  redirects: boolean;
  /** Upstream of what no rule matches. */
  rest: string | undefined;
}

/** The route configuration `name`. */
export function edgeRoutes(name: string, { servers, number }: RoutedServers, parts: RoutingParts): XdsResource {
  const domains = new Map<string, Domain>();
  for (const server of servers) addServer(domains, server, parts);
  const isTls = servers.some(({ kind }) => kind === 'https');
  const sorted = [...domains].sort(([a], [b]) => (a < b ? -1 : 1));
  const message = create(RouteConfigurationSchema, {
    name,
    virtualHosts: sorted.map(([domain, found]) => virtualHost(domain, found, { number, isTls, parts })),
    ignorePortInHostMatching: true,
    maxDirectResponseBodySizeBytes: MOST_BODY_BYTES,
    responseHeadersToRemove: [UNSENT_HEADER],
  });
  return encoded('RDS', name, message, RouteConfigurationSchema);
}

function addServer(domains: Map<string, Domain>, server: EdgeServer, parts: RoutingParts): void {
  const at = (host: string): Domain => {
    const domain = domains.get(host) ?? { rules: new Map<string, HttpRule[]>(), redirects: false, rest: undefined };
    domains.set(host, domain);
    return domain;
  };
  const { spec, gateway } = server;
  const isRedirect = spec.tls?.httpsRedirect === true;
  const rest = defaultCluster(spec.defaultEndpoint)?.name;
  const touch = (host: string): Domain => {
    const domain = at(host);
    domain.redirects ||= isRedirect;
    domain.rest ??= rest;
    return domain;
  };
  if (isRedirect || rest !== undefined) for (const { host } of server.hosts) touch(host);
  for (const service of parts.services.filter((one) => isBoundTo(one, gateway))) {
    const rules = httpRulesOf(service.resource, EXACT_RANK, parts.delegates);
    if (rules.length === 0) continue;
    for (const host of servedHosts(service, server, parts.scope)) {
      const domain = touch(host);
      const known = domain.rules.get(gateway.key) ?? [];
      domain.rules.set(gateway.key, [...known, ...rules.filter((rule) => !known.includes(rule))]);
    }
  }
}

type RouteInit = Init<typeof RouteSchema>;

interface Place {
  readonly number: number;
  readonly isTls: boolean;
  readonly parts: RoutingParts;
}

function virtualHost(domain: string, found: Domain, { number, isTls, parts }: Place): VirtualHost {
  const { scope, lookup, report } = parts;
  const [first, last]: [RouteInit[], RouteInit[]] = [[], []];
  for (const [gateway, rules] of found.rules) {
    const routes = httpRoutes(rules, { caller: { gateway, scope }, scope: undefined, port: number, isTls, lookup, report });
    // One VirtualService may come in by several Gateways of this port.
    const fresh = routes.filter((route) => ![...first, ...last].some((other) => originOf(other) === originOf(route)));
    const end = catchingFrom(fresh);
    first.push(...fresh.slice(0, end));
    if (last.length === 0) last.push(...fresh.slice(end));
  }
  if (last.length === 0 && found.rest !== undefined) last.push(...toEndpoint(found.rest));
  const requireTls = found.redirects ? Tls.ALL : Tls.NONE;
  return create(VirtualHostSchema, { name: domain, domains: [domain], routes: [...first, ...last], requireTls });
}

/** Where the routes of the rule begin that catches everything. */
function catchingFrom(routes: readonly RouteInit[]): number {
  const last = routes.at(-1);
  if (last === undefined || !isCatchAll(last)) return routes.length;
  return routes.findIndex((route) => originOf(route) === originOf(last));
}

function originOf({ metadata }: RouteInit): string {
  return JSON.stringify(metadata?.filterMetadata?.[ORIGIN_METADATA] ?? null);
}

function toEndpoint(cluster: string): RouteInit[] {
  const match = { pathSpecifier: { case: 'prefix', value: '/' } } as const;
  return methodRoutes({ match, methods: 'any', rule: undefined, action: forwardTo(cluster) });
}

/** Finds what rules are delegated to among the policies in force. */
export function delegatesAmong(policies: ReadonlyMap<string, Resource>): DelegateLookup {
  return (key) => {
    const found = policies.get(`VirtualService/${key}`);
    return found !== undefined && delegateKeys(found).length > 0 ? found : undefined;
  };
}
