/** Upstream clusters: constant while a service keeps its ports. What moves is in their endpoints and secrets. */
import { create, toBinary } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';
import { PORTS } from '@hawser/model/ports.ts';
import { Cluster_DiscoveryType, ClusterSchema } from '@hawser/xds/generated/envoy/config/cluster/v3/cluster_pb.ts';
import type { ClusterLoadAssignment } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_pb.ts';
import type { XdsResource } from '../../snapshot/resource.ts';
import { encoded, versionOf } from '../encode.ts';
import { endpointUpstreamName, plainUpstreamName, serverName, serviceTrustName, UNAVAILABLE_CLUSTER, upstreamName } from '../names.ts';
import { hasSidecars, isMixed } from '../services/external-host.ts';
import type { HostView, ServiceView } from '../services/service-view.ts';
import { PEER_METADATA, servicePeer } from '../telemetry/labels.ts';
import { clientTls, plainSocket, type TransportSocketInit, throughTunnel } from '../tls.ts';
import { ADS, type Init, millis } from '../wire-values.ts';
import { type HttpVersion, httpOptions, httpVersion } from './connection-pool.ts';
import type { Subset } from './destination-rules.ts';
import { forwardingUpstream, hasAssignment, isForwarding, resolvedUpstream } from './external-upstreams.ts';
import { isPassthrough } from './load-balancing.ts';
import { encrypts, namesFromRequests, originatedSocket } from './originated-tls.ts';
import { policyFields } from './policy-fields.ts';
import { blocksAt, type PolicyBlocks } from './traffic-policy.ts';
import { circuitBreakers, healthChecks, PLAIN_MATCH, TUNNEL_MATCH } from './upstream-defaults.ts';

const CONNECT_MS = 2_000;
const BETWEEN_SIDECARS = { idleMs: 300_000, ping: { everyMs: 10_000, timeoutMs: 3_000 } };
/** Packed once: most upstreams have no rule. */
const SHARED_HTTP2 = { typedExtensionProtocolOptions: httpOptions(undefined, { version: 'http2', ...BETWEEN_SIDECARS }) };

/** Beyond the mesh networks are slower, and idle connections are given up before most servers do. */
const HOST_CONNECT_MS = 10_000;
const HOST_IDLE_MS = 30_000;

type ClusterInit = Init<typeof ClusterSchema>;

/** One cluster and the endpoints it stands for. */
export interface Upstream {
  readonly name: string;
  readonly host: HostView;
  readonly port: ServicePort;
  /** Whether it is the way of those who do not speak HTTP to a port that may speak it. */
  readonly plain: boolean;
  /** Labels that endpoints must carry; none for all of them. */
  readonly labels: readonly (readonly [string, string])[];
  /** What DestinationRules say of it. */
  readonly blocks: PolicyBlocks;
}

/** All upstreams of a service: for each host and port the whole and its subsets. */
export function upstreamsOf(view: ServiceView): Upstream[] {
  const { trafficPolicy } = view.policies.destination;
  return view.hosts.flatMap((host) =>
    host.ports.flatMap((port) =>
      [WHOLE, ...view.subsets].flatMap(({ name, labels, trafficPolicy: own }) => {
        const common = { host, port, labels, blocks: blocksAt(port.port, trafficPolicy, own) };
        return [
          { ...common, name: upstreamName(port.port, name, host.host), plain: false },
          ...(port.application === 'auto' ? [{ ...common, name: plainUpstreamName(port.port, name, host.host), plain: true }] : []),
        ];
      }),
    ),
  );
}

/**
 * The upstreams of a headless service's ports that may carry something else than HTTP: each connection goes to the endpoint whose address
 * it was made to, by mTLS to its sidecar.
 */
export function endpointUpstreams(view: ServiceView): Upstream[] {
  const { trafficPolicy } = view.policies.destination;
  return view.hosts.flatMap((host) =>
    host.headless === undefined
      ? []
      : host.ports.filter(carriesBytes).map((port) => ({
          ...{ name: endpointUpstreamName(port.port, host.host), host, port, plain: true, labels: [] },
          blocks: { ...blocksAt(port.port, trafficPolicy, undefined), loadBalancer: { simple: 'PASSTHROUGH' as const } },
        })),
  );
}

/** Whether connections of a port may be no HTTP. */
export function carriesBytes({ protocol, application }: ServicePort): boolean {
  return protocol === 'tcp' || application === 'auto';
}

const WHOLE: Pick<Subset, 'name' | 'labels' | 'trafficPolicy'> = { name: '', labels: [] };

/** The cluster of an upstream; `assigned` are the servers of one that has to be told them with it. */
export function upstreamCluster(upstream: Upstream, view: ServiceView, assigned?: ClusterLoadAssignment): XdsResource {
  const { host, name } = upstream;
  if (host.external === undefined || hasSidecars(host.external)) return toSidecars(upstream, view);
  const cluster = create(ClusterSchema, {
    ...hostFields(upstream, view.policies.destination.secretsOf),
    ...serversOf(upstream, assigned),
    ...named(host, view),
  });
  const resource = encoded('CDS', name, cluster, ClusterSchema);
  return hasAssignment(host) ? resource : { ...resource, hasServers: true };
}

/** What metrics call the service. */
function named({ host }: HostView, view: ServiceView): ClusterInit {
  return { metadata: { filterMetadata: { [PEER_METADATA]: servicePeer(host, view.name) } } };
}

/** Subsets that say nothing of their own differ from the whole in their names alone: the rest is encoded once for all of them. */
function toSidecars(upstream: Upstream, view: ServiceView): XdsResource {
  const { name, host, port, plain, blocks } = upstream;
  const known = rests.get(view) ?? new Map<string, Uint8Array>();
  rests.set(view, known);
  const key = `${host.host} ${port.port} ${plain} ${JSON.stringify(blocks)}`;
  const rest = known.get(key) ?? toBinary(ClusterSchema, create(ClusterSchema, sidecarFields(upstream, view)));
  known.set(key, rest);
  // The name is the first field (protobuf encoding: fields in the order of their numbers).
  const bytes = Buffer.concat([
    new BinaryWriter().tag(ClusterSchema.field.name.number, WireType.LengthDelimited).string(name).finish(),
    rest,
  ]);
  return { type: 'CDS', name, version: versionOf(bytes), bytes };
}

const rests = new WeakMap<ServiceView, Map<string, Uint8Array>>();

function sidecarFields({ blocks, port, plain, host }: Upstream, view: ServiceView): ClusterInit {
  // Servers without a sidecar may not know HTTP/2; sidecars know both.
  const fallback = isMixed(host) ? 'http1' : 'http2';
  const version = port.protocol === 'tcp' || plain ? undefined : httpVersion(blocks.connectionPool, port.protocol, fallback);
  const tls = clientTls(serviceTrustName(view.key), serverName(port.port, view.name), version === 'http2' ? ['h2'] : []);
  const isUsual = version === 'http2' && blocks.connectionPool === undefined;
  const http = version === undefined || isUsual ? undefined : { version, ...BETWEEN_SIDECARS };
  const fields = { ...(isUsual ? SHARED_HTTP2 : {}), ...policyFields(blocks, { connectMs: CONNECT_MS, http }), transportSocket: tls };
  const init = isPassthrough(blocks.loadBalancer) ? asCalled('', fields) : balanced('', fields, tls);
  return { ...init, ...named(host, view) };
}

/** How the servers of a ServiceEntry are called that have no sidecar: nothing checks them, and HTTP is of the version that the port says. */
function hostFields({ blocks, port, plain, host }: Upstream, secretsOf: string | undefined): ClusterInit {
  const version = port.protocol === 'tcp' || plain ? undefined : httpVersion(blocks.connectionPool, port.protocol, 'http1');
  const named = { isHttp: version !== undefined, subjectAltNames: host.external?.subjectAltNames ?? [] };
  const { sni, names } = namesFromRequests(blocks.tls, named);
  const requests = { autoSni: sni, autoSanValidation: names };
  const http = version === undefined ? undefined : { version, idleMs: HOST_IDLE_MS, ...(sni ? { requests } : {}) };
  const fields = policyFields(blocks, { connectMs: HOST_CONNECT_MS, http });
  const isPlain = !encrypts(blocks.tls) && blocks.proxyProtocol === undefined;
  if (isPlain) return fields;
  const secret = secretsOf === undefined ? undefined : blocks.tls?.credentialName;
  const credential = secret === undefined ? undefined : `credential|${secretsOf}/${secret}`;
  return { ...fields, transportSocket: originatedSocket(blocks, { ...named, host: host.host, alpn: alpnOf(version), credential }) };
}

function alpnOf(version: HttpVersion | undefined): readonly string[] {
  return version === 'http2' ? ['h2'] : version === 'http1' ? ['http/1.1'] : [];
}

function serversOf({ host, port, name, blocks }: Upstream, assigned: ClusterLoadAssignment | undefined): ClusterInit {
  const balancing = { lbConfig: { case: undefined }, commonLbConfig: undefined };
  if (isPassthrough(blocks.loadBalancer)) return { name, ...balancing, ...forwardingUpstream(false) };
  if (assigned !== undefined) return { name, ...resolvedUpstream(host, assigned) };
  if (!isForwarding(host)) return dynamicServers(name);
  const isNamed = port.protocol !== 'tcp' || port.application === 'tls';
  return { name, ...balancing, ...forwardingUpstream(isNamed) };
}

/** Endpoints behind a tunnel have a socket of their own, and health checks speak no TLS. */
function balanced(name: string, fields: ClusterInit, tls: TransportSocketInit): ClusterInit {
  return {
    ...dynamic(name),
    ...fields,
    healthChecks: healthChecks(),
    transportSocketMatches: [
      { name: 'tunnel', match: TUNNEL_MATCH, transportSocket: throughTunnel(tls) },
      { name: 'plain', match: PLAIN_MATCH, transportSocket: plainSocket() },
    ],
  };
}

/** PASSTHROUGH: the endpoint that a captured connection was made to, at its sidecar; none for a call that names a proxy. */
function asCalled(name: string, { commonLbConfig: _balancing, ...fields }: ClusterInit): ClusterInit {
  return {
    name,
    ...fields,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbConfig: { case: 'originalDstLbConfig', value: { upstreamPortOverride: PORTS.inbound } },
  };
}

/** The upstream that never has an endpoint. */
export const UNAVAILABLE: XdsResource = encoded(
  'CDS',
  UNAVAILABLE_CLUSTER,
  create(ClusterSchema, {
    name: UNAVAILABLE_CLUSTER,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    connectTimeout: millis(1_000),
  }),
  ClusterSchema,
);

/** What every cluster with endpoints by EDS shares. */
export function dynamic(name: string): ClusterInit {
  return {
    ...dynamicServers(name),
    connectTimeout: millis(CONNECT_MS),
    circuitBreakers: circuitBreakers(),
  };
}

function dynamicServers(name: string): ClusterInit {
  return { name, clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS }, edsClusterConfig: { edsConfig: ADS } };
}
