/** Everything that one edge proxy gets besides what all callers share: listeners, routes and certificates. Pure. */
import { create } from '@bufbuild/protobuf';
import type { FilterChainSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_components_pb.ts';
import { ListenerSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import { TlsInspectorSchema } from '@hawser/xds/generated/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import type { Credentials } from '../../state/credential.ts';
import { encoded } from '../encode.ts';
import type { Fleet } from '../fleet.ts';
import { inboundResources, type ServedPort } from '../listeners/inbound.ts';
import { edgeMeshRoutesName } from '../names.ts';
import type { RuleProblem } from '../routes/rule-problems.ts';
import { selects } from '../scope/scope.ts';
import type { ServiceView } from '../services/service-view.ts';
import type { TransportSocketInit } from '../tls.ts';
import { type MatchInit, UniqueMatches, UniqueNames } from '../unique-chains.ts';
import { extension, type Init, pipeAddress, socketAddress } from '../wire-values.ts';
import { autoPassthrough } from './auto-passthrough.ts';
import { defaultCluster } from './default-endpoint.ts';
import { clientHttp, EDGE_BUFFER_BYTES, meshHttp } from './edge-http.ts';
import type { EdgeGateway, EdgeIndex } from './edge-index.ts';
import { edgeRoutes, type RoutingParts } from './edge-routes.ts';
import { type EdgePort, type EdgeServer, edgePorts } from './edge-servers.ts';
import { passthroughChains, serverNames, type TcpChain, tcpChains } from './edge-tcp.ts';
import { terminatedTls } from './terminated-tls.ts';

/** What an edge proxy is compiled from. */
export interface EdgeInput extends Omit<RoutingParts, 'report' | 'services'> {
  readonly address: string;
  readonly index: EdgeIndex;
  readonly credentials: Credentials;
  readonly fleet: Fleet;
  /** All services. */
  readonly views: () => Iterable<ServiceView>;
  /** Services of the mesh whose endpoint it is. */
  readonly served: readonly ServedPort[];
}

/** What came of it. */
export interface CompiledEdge {
  readonly resources: readonly XdsResource[];
  readonly problems: readonly RuleProblem[];
}

/** Gateways that select a proxy; one without a selector selects every edge proxy. */
export function selectedBy(index: EdgeIndex, labels: Readonly<Record<string, string>>): EdgeGateway[] {
  return index.gateways.filter(({ spec }) => selects(spec.selector ?? {}, labels));
}

/** Compiles an edge proxy. What cannot be served is left out and told; the rest is served. */
export function compileEdge(input: EdgeInput): CompiledEdge {
  const { ports, problems } = edgePorts(selectedBy(input.index, input.scope.labels), input.address);
  const compiler = new EdgeProxy(input, problems);
  for (const port of ports) compiler.addPort(port);
  compiler.addMesh(ports);
  return { resources: compiler.resources(), problems };
}

/** A chain that has no name yet. */
interface ChainInit {
  readonly match: MatchInit;
  readonly transportSocket?: TransportSocketInit;
  readonly filters: ReturnType<typeof extension>[];
}

class EdgeProxy {
  readonly #input: EdgeInput;
  readonly #parts: RoutingParts;
  readonly #problems: RuleProblem[];
  /** By type and name: servers may share certificates. */
  readonly #resources = new Map<string, XdsResource>();

  constructor(input: EdgeInput, problems: RuleProblem[]) {
    this.#input = input;
    this.#problems = problems;
    const report: RoutingParts['report'] = (policy, field, message) => void problems.push({ policy, field, message });
    this.#parts = { ...input, services: input.index.services, report };
  }

  resources(): XdsResource[] {
    return [...this.#resources.values()];
  }

  addPort(port: EdgePort): void {
    const chains = port.servers[0]?.kind === 'http' ? [this.#plainHttp(port)] : this.#connectionChains(port);
    for (const { spec } of port.servers) this.#put(defaultCluster(spec.defaultEndpoint));
    if (chains.length === 0) return;
    const isTls = port.servers.some(({ kind }) => kind !== 'http' && kind !== 'tcp');
    const message = create(ListenerSchema, {
      name: port.name,
      address: port.port === 0 ? pipeAddress(port.bind) : socketAddress(port.bind, port.port),
      listenerFilters: isTls ? [extension('envoy.filters.listener.tls_inspector', TlsInspectorSchema, {})] : [],
      perConnectionBufferLimitBytes: EDGE_BUFFER_BYTES,
      filterChains: chains,
    });
    this.#put(encoded('LDS', port.name, message, ListenerSchema));
  }

  /** What sidecars call here, as an endpoint of a service: the servers of the port that its calls are for. */
  addMesh(ports: readonly EdgePort[]): void {
    const { address, served } = this.#input;
    const httpFilter = ({ targetPort, fault }: ServedPort): ReturnType<typeof meshHttp> | undefined => {
      const port = ports.find((one) => one.port === targetPort && one.bind === address);
      const servers = (port?.servers ?? []).filter(({ kind, spec }) => kind === 'http' || isMesh(spec.tls?.mode, kind));
      if (port === undefined || servers.length === 0) return undefined;
      const name = edgeMeshRoutesName(targetPort);
      this.#put(edgeRoutes(name, { servers: servers.map(withoutRedirect), number: port.number }, this.#parts));
      return meshHttp(name, fault);
    };
    for (const resource of inboundResources(address, served, { httpFilter })) this.#put(resource);
  }

  #plainHttp(port: EdgePort): Init<typeof FilterChainSchema> {
    this.#put(edgeRoutes(port.name, port, this.#parts));
    return { name: port.name, filters: [clientHttp(port.name)] };
  }

  #connectionChains(port: EdgePort): Init<typeof FilterChainSchema>[] {
    const [names, matches] = [new UniqueNames(), new UniqueMatches()];
    return port.servers.flatMap((server) => {
      const label = names.take(`${server.gateway.key}/${server.spec.name ?? server.spec.port.name}`);
      return this.#serverChains(server, port, label).flatMap((chain, index) => {
        const { match, ...rest } = chain;
        const filterChainMatch = matches.take(match);
        return filterChainMatch === undefined ? [] : [{ ...rest, name: index === 0 ? label : names.take(label), filterChainMatch }];
      });
    });
  }

  #serverChains(server: EdgeServer, port: EdgePort, label: string): ChainInit[] {
    const { number } = port;
    if (server.kind === 'tcp') return tcpChains(server, number, this.#parts).map(chainOf);
    if (server.kind === 'passthrough') return passthroughChains(server, number, this.#parts).map(chainOf);
    if (server.kind === 'auto-passthrough') {
      const { chains, resources } = autoPassthrough(server, this.#input.views());
      for (const resource of resources) this.#put(resource);
      return chains.map(chainOf);
    }
    const transportSocket = this.#terminated(server);
    if (transportSocket === undefined) return [];
    if (server.kind === 'tls-tcp') return tcpChains(server, number, this.#parts).map((chain) => ({ ...chainOf(chain), transportSocket }));
    const routes = `${port.name}|${label}`;
    this.#put(edgeRoutes(routes, { servers: [withoutRedirect(server)], number }, this.#parts));
    return [{ match: serverNames(server.hosts.map(({ host }) => host)), transportSocket, filters: [clientHttp(routes)] }];
  }

  #terminated(server: EdgeServer): TransportSocketInit | undefined {
    const { credentials, fleet, scope } = this.#input;
    const found = terminatedTls(
      { tls: server.spec.tls ?? {}, isHttp: server.kind === 'https' },
      { credentials, fleet, namespace: scope.namespace },
    );
    for (const { field, message } of found.problems)
      this.#problems.push({ policy: server.gateway.policy, field: `${server.field}.tls${field}`, message });
    for (const secret of found.secrets) this.#put(secret);
    return found.socket;
  }

  #put(resource: XdsResource | undefined): void {
    if (resource !== undefined) this.#resources.set(`${resource.type} ${resource.name}`, resource);
  }
}

function chainOf({ match, filter }: TcpChain): ChainInit {
  return { match, filters: [filter] };
}

function isMesh(mode: string | undefined, kind: EdgeServer['kind']): boolean {
  return kind === 'https' && mode === 'ISTIO_MUTUAL';
}

/** What came by TLS is not sent there once more. */
function withoutRedirect(server: EdgeServer): EdgeServer {
  if (server.spec.tls?.httpsRedirect !== true) return server;
  return { ...server, spec: { ...server.spec, tls: { ...server.spec.tls, httpsRedirect: false } } };
}
