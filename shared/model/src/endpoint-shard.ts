/** An endpoint shard: one cluster's endpoints of one service, the unit that agents publish and replace whole. */
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { ExportFacts, impliedFacts } from './multicluster/export-facts.ts';

/** A port of a service, as its clients name it. */
export const ServicePort = Type.Object({
  name: Type.Optional(Type.String()),
  port: Type.Integer({ minimum: 1, maximum: 65535 }),
  /** Application protocol, from `appProtocol`, the port's name, or the default `http`. */
  protocol: Type.Union([Type.Literal('http'), Type.Literal('http2'), Type.Literal('tcp')]),
  /**
   * What `protocol` is too coarse for: `grpc-web` (an http2 port whose callers may be browsers), `tls` (a tcp port whose bytes name their
   * server), `auto` (an http port of which nobody said so: callers find out by looking). Members of an earlier release go by `protocol`.
   */
  application: Type.Optional(Type.String()),
});
export type ServicePort = Static<typeof ServicePort>;

/** HEALTHY takes traffic; UNHEALTHY counts but takes none; DRAINING takes none and spills nothing. */
export const EndpointHealth = Type.Union([Type.Literal('HEALTHY'), Type.Literal('UNHEALTHY'), Type.Literal('DRAINING')]);
export type EndpointHealth = Static<typeof EndpointHealth>;

/** One workload instance. Its sidecar listens on the same address at 15006; one that is bare has none. */
export const Endpoint = Type.Object({
  /** IP address of the application. */
  address: Type.String(),
  /** Service port (decimal) → port the application listens on. */
  targetPorts: Type.Record(Type.String(), Type.Integer()),
  labels: Type.Record(Type.String(), Type.String()),
  serviceAccount: Type.String(),
  zone: Type.Optional(Type.String()),
  /** The network it is in, where that is not its cluster's. */
  network: Type.Optional(Type.String({ minLength: 1 })),
  /** Its part of the requests beside others of its place; 1 unless given. */
  weight: Type.Optional(Type.Integer({ minimum: 1 })),
  health: EndpointHealth,
  /** It says itself that it cannot serve, or not yet: UNHEALTHY, and not called even where nothing else is left. */
  ready: Type.Optional(Type.Literal(false)),
  /** What DNS calls it beside others of an exported headless service; its address with dashes unless given. */
  hostname: Type.Optional(Type.String()),
  /** It has no sidecar: its cluster's gateways speak for it, to callers of any network (decision 0040). */
  bare: Type.Optional(Type.Literal(true)),
});
export type Endpoint = Static<typeof Endpoint>;

/** Endpoints are sorted by address; equal input gives equal bytes. */
export const EndpointShard = Type.Object({
  cluster: Type.String(),
  namespace: Type.String(),
  service: Type.String(),
  /** Only exported shards leave their cluster (ServiceExport). */
  exported: Type.Boolean(),
  ports: Type.Array(ServicePort),
  endpoints: Type.Array(Endpoint),
  /** Of exported shards alone, and absent where it would say no more than `impliedFacts`. */
  export: Type.Optional(ExportFacts),
});
export type EndpointShard = Static<typeof EndpointShard>;

/** What an exported shard's cluster offers of the service. */
export function exportFactsOf({
  export: facts,
  ports,
}: {
  readonly export?: ExportFacts | undefined;
  readonly ports: readonly ServicePort[];
}): ExportFacts {
  return facts ?? impliedFacts(ports);
}

/**
 * A shard on the bus. Endpoints in other networks than their cluster's, and bare ones, stand apart: members of an earlier release, which
 * would call them as they call the cluster's own, do not see them. Facts that this release cannot read must cost no endpoint.
 */
export const PublishedShard = Type.Object({
  ...EndpointShard.properties,
  elsewhere: Type.Optional(Type.Array(Endpoint)),
  bare: Type.Optional(Type.Array(Endpoint)),
  export: Type.Optional(Type.Unknown()),
});
export type PublishedShard = Static<typeof PublishedShard>;

/** The shard as it is published. */
export function publishedShard(shard: EndpointShard): PublishedShard {
  if (!shard.endpoints.some(({ network, bare }) => network !== undefined || bare === true)) return shard;
  const { endpoints = [], elsewhere, bare } = Object.groupBy(shard.endpoints, placeOf);
  return { ...shard, endpoints, ...(elsewhere === undefined ? {} : { elsewhere }), ...(bare === undefined ? {} : { bare }) };
}

function placeOf({ network, bare }: Endpoint): 'endpoints' | 'elsewhere' | 'bare' {
  if (bare === true) return 'bare';
  return network === undefined ? 'endpoints' : 'elsewhere';
}

const factsShape = Compile(ExportFacts);

/** The shard as it was before it was published. Facts of a later release that have another shape are as if they were not there. */
export function receivedShard({ elsewhere = [], bare = [], export: facts, ...shard }: PublishedShard): EndpointShard {
  const known = factsShape.Check(facts) ? { export: facts } : {};
  if (elsewhere.length === 0 && bare.length === 0) return { ...shard, ...known };
  const endpoints = [...shard.endpoints, ...elsewhere, ...bare].sort((a, b) => (a.address < b.address ? -1 : 1));
  return { ...shard, endpoints, ...known };
}
