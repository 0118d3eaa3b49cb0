/** Connections that an edge proxy carries without looking into them: `tcp` and `tls` rules of VirtualServices. Pure. */
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';
import type { VirtualServiceTcpRoute } from '@hawser/model/istio/specs.ts';
import type { CidrRangeSchema } from '@hawser/xds/generated/envoy/config/core/v3/address_pb.ts';
import type { FilterChainMatchSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_components_pb.ts';
import { TcpProxySchema } from '@hawser/xds/generated/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts';
import { UNAVAILABLE_CLUSTER } from '../names.ts';
import { type CallerMatch, gatewayKeys, isFor } from '../routes/caller.ts';
import { type Destination, destinationOf } from '../routes/destinations.ts';
import { extension, type Init } from '../wire-values.ts';
import { isBoundTo, servedHosts } from './bound-hosts.ts';
import { defaultCluster } from './default-endpoint.ts';
import type { BoundService } from './edge-index.ts';
import type { RoutingParts } from './edge-routes.ts';
import type { EdgeServer } from './edge-servers.ts';
import { commonHost } from './host-names.ts';

type MatchInit = Init<typeof FilterChainMatchSchema>;

/** Which connections, and what takes them. */
export interface TcpChain {
  readonly match: MatchInit;
  readonly filter: ReturnType<typeof extension>;
}

/** Chains of a server that is told apart by nothing but addresses, or by server names once its TLS is terminated. */
export function tcpChains(server: EdgeServer, number: number, parts: RoutingParts): TcpChain[] {
  const names = server.kind === 'tls-tcp' ? serverNames(server.hosts.map(({ host }) => host)) : {};
  const chains = boundRules(server, parts).flatMap((service) =>
    (service.spec.tcp ?? []).flatMap((rule, index) => {
      const field = `spec.tcp[${index}]`;
      const matches = rule.match === undefined || rule.match.length === 0 ? [{}] : rule.match;
      return matches
        .filter((match) => isHere(match, service, { server, number, parts }))
        .map((match) => ({
          match: { ...names, ...subnets(match.destinationSubnets, match.sourceSubnet) },
          filter: toTargets(rule.route ?? [], { service, field, number, parts }),
        }));
    }),
  );
  const rest = defaultCluster(server.spec.defaultEndpoint);
  return rest === undefined ? chains : [...chains, { match: names, filter: proxyTo([{ name: rest.name, weight: 1 }], rest.name) }];
}

/** Chains of a server that lets TLS through: by the server names of `tls` rules, as far as the server serves them. */
export function passthroughChains(server: EdgeServer, number: number, parts: RoutingParts): TcpChain[] {
  return boundRules(server, parts).flatMap((service) =>
    (service.spec.tls ?? []).flatMap((rule, index) =>
      rule.match
        .filter((match) => isHere(match, service, { server, number, parts }))
        .flatMap((match) => {
          const hosts = server.hosts.filter(({ namespace }) => namespace === '*' || namespace === service.namespace);
          const wanted = (match.sniHosts ?? []).flatMap((sni) => hosts.map(({ host }) => commonHost(host, sni.toLowerCase())));
          const names = [...new Set(wanted.filter((name) => name !== undefined))];
          if (names.length === 0) return [];
          const field = `spec.tls[${index}]`;
          const filter = toTargets(rule.route ?? [], { service, field, number, parts });
          return [{ match: { ...serverNames(names), ...subnets(match.destinationSubnets, undefined) }, filter }];
        }),
    ),
  );
}

/** Any server name at all is no condition. */
export function serverNames(hosts: readonly string[]): MatchInit {
  return hosts.includes('*') ? {} : { serverNames: [...hosts] };
}

function boundRules(server: EdgeServer, { services, scope }: RoutingParts): BoundService[] {
  return services.filter((service) => isBoundTo(service, server.gateway) && servedHosts(service, server, scope).length > 0);
}

interface Here {
  readonly server: EdgeServer;
  readonly number: number;
  readonly parts: RoutingParts;
}

function isHere(
  match: CallerMatch & { readonly port?: number | undefined },
  service: BoundService,
  { server, number, parts }: Here,
): boolean {
  const { namespace, spec } = service;
  const owner = { namespace, gateways: gatewayKeys(spec.gateways, namespace), exportTo: spec.exportTo };
  const isPort = match.port === undefined || match.port === 0 || match.port === number;
  return isPort && isFor(match, owner, { gateway: server.gateway.key, scope: parts.scope });
}

interface RuleAt {
  readonly service: BoundService;
  readonly field: string;
  readonly number: number;
  readonly parts: RoutingParts;
}

function toTargets(routes: readonly VirtualServiceTcpRoute[], { service, field, number, parts }: RuleAt): ReturnType<typeof extension> {
  const context = { namespace: service.namespace, scope: undefined, port: number, takes: isTcpPort };
  const targets = routes.map((route, index) => {
    const found: Destination = destinationOf(route.destination, context, parts.lookup);
    if (found.state === 'missing')
      parts.report(
        service.policy,
        `${field}.route[${index}].destination`,
        `${found.reason.replace(/^hawser: /, '')}: its connections are closed`,
      );
    const name = found.state === 'there' ? found.cluster : UNAVAILABLE_CLUSTER;
    return { name, weight: routes.length === 1 ? 1 : (route.weight ?? 0) };
  });
  const chosen = targets.filter(({ weight }) => weight > 0);
  return proxyTo(chosen.length > 0 ? chosen : [{ name: UNAVAILABLE_CLUSTER, weight: 1 }], `${service.policy}.${field}`);
}

/** Carries connections to these upstreams by their weights. */
export function proxyTo(clusters: readonly { name: string; weight: number }[], statPrefix: string): ReturnType<typeof extension> {
  const [only, ...others] = clusters;
  const clusterSpecifier: Init<typeof TcpProxySchema>['clusterSpecifier'] =
    only !== undefined && others.length === 0
      ? { case: 'cluster', value: only.name }
      : { case: 'weightedClusters', value: { clusters: [...clusters] } };
  return extension('envoy.filters.network.tcp_proxy', TcpProxySchema, { statPrefix, clusterSpecifier, maxConnectAttempts: 3 });
}

function subnets(destinations: readonly string[] | undefined, source: string | undefined): MatchInit {
  const ranges = (destinations ?? []).map(cidr).filter((range) => range !== undefined);
  const from = source === undefined || source === '' ? undefined : cidr(source);
  return { ...(ranges.length > 0 ? { prefixRanges: ranges } : {}), ...(from === undefined ? {} : { sourcePrefixRanges: [from] }) };
}

function isTcpPort({ protocol }: ServicePort): boolean {
  return protocol === 'tcp';
}

/** `ADDRESS` or `ADDRESS/BITS`. */
function cidr(text: string): Init<typeof CidrRangeSchema> | undefined {
  const [, address, bits] = /^([0-9a-fA-F:.]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  if (address === undefined) return undefined;
  const most = address.includes(':') ? 128 : 32;
  return { addressPrefix: address, prefixLen: Math.min(Number(bits ?? most), most) };
}
