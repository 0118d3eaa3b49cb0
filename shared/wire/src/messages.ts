/** Bodies of documents and messages between hub and agents, beyond those of `@hawser/model`. */
import { LocalDrain } from '@hawser/model/fleet.ts';
import Type, { type Static } from 'typebox';
import { DrillAccount } from './drill-lease.ts';
import { TrustAccount } from './trust.ts';

/**
 * Document `digest`, published after every batch and heart-beaten: what the owner's keys look like at this point of
 * the stream. A receiver whose own digest differs, or that misses three heartbeats, lists again.
 */
export const Digest = Type.Object({
  /** Number of live keys, the digest itself and tombstones left out. */
  count: Type.Integer(),
  /** Hex SHA-256 over the sorted lines `KEY REVISION`. */
  root: Type.String(),
});
export type Digest = Static<typeof Digest>;

/** xDS types as `proxy-status` names them. */
export const XdsType = Type.Union([
  Type.Literal('CDS'),
  Type.Literal('EDS'),
  Type.Literal('LDS'),
  Type.Literal('RDS'),
  Type.Literal('SDS'),
]);
export type XdsType = Static<typeof XdsType>;

/** One type's state at one proxy. Versions are content hashes over what was sent and what was acknowledged. */
export const TypeStatus = Type.Object({
  sent: Type.String(),
  acked: Type.String(),
  state: Type.Union([Type.Literal('SYNCED'), Type.Literal('PENDING'), Type.Literal('NACKED'), Type.Literal('NOT_SENT')]),
  error: Type.Optional(Type.String()),
  /** Name of the resource that `error` is about. */
  resource: Type.Optional(Type.String()),
});
export type TypeStatus = Static<typeof TypeStatus>;

/** One connected proxy. */
export const ProxyStatus = Type.Object({
  proxy: Type.String(),
  namespace: Type.String(),
  serviceAccount: Type.String(),
  address: Type.String(),
  role: Type.Union([Type.Literal('sidecar'), Type.Literal('gateway'), Type.Literal('edge')]),
  /** Of an edge proxy: what Gateways select it by. Absent from agents of an earlier release. */
  labels: Type.Optional(Type.Record(Type.String(), Type.String())),
  /** What it says that it runs: `1.37.0` of Envoy, `gRPC Java 1.72.0` of others. Absent where it says nothing, and from agents of an earlier release. */
  version: Type.Optional(Type.String()),
  types: Type.Record(Type.String(), TypeStatus),
  /** The newest hub revision of which everything is acknowledged. */
  revision: Type.Integer(),
  connectedAt: Type.String(),
});
export type ProxyStatus = Static<typeof ProxyStatus>;

/** What an agent knows of another cluster. */
export const PeerStatus = Type.Object({
  cluster: Type.String(),
  state: Type.Union([Type.Literal('KNOWN'), Type.Literal('STALE'), Type.Literal('UNKNOWN')]),
  lastHeardAt: Type.String(),
  endpoints: Type.Integer(),
});
export type PeerStatus = Static<typeof PeerStatus>;

/** A policy that is not served as it is wanted, by the agent's word. */
export const PolicyIssue = Type.Object({
  kind: Type.String(),
  namespace: Type.String(),
  name: Type.String(),
  /**
   * `REFUSED`: a proxy refused what it was compiled into. `NOT_COMPILED`: it could not be compiled. Of both, the version before
   * is served, if there was one. `PARTIAL`: it is served but for the field.
   */
  state: Type.Union([Type.Literal('REFUSED'), Type.Literal('NOT_COMPILED'), Type.Literal('PARTIAL')]),
  /** Such as `spec.http[0].match[1]`. */
  field: Type.Optional(Type.String()),
  message: Type.String(),
  /** Who refused what, for `REFUSED`. */
  proxy: Type.Optional(Type.String()),
  type: Type.Optional(XdsType),
  resource: Type.Optional(Type.String()),
  at: Type.String(),
});
export type PolicyIssue = Static<typeof PolicyIssue>;

/** How long something is good that an agent lives on: RFC 3339, `from` empty where it is not known. */
export const Validity = Type.Object({ of: Type.String(), from: Type.String(), until: Type.String() });
export type Validity = Static<typeof Validity>;

/** Message on `statusSubject`: an agent's whole account of itself. */
export const AgentStatus = Type.Object({
  instance: Type.String(),
  /** Whether this is the agent that publishes for its cluster. */
  publisher: Type.Optional(Type.Boolean()),
  startedAt: Type.String(),
  version: Type.String(),
  /** Epoch and revision of the hub's documents that are compiled and served. */
  epoch: Type.Integer(),
  revision: Type.Integer(),
  ready: Type.Boolean(),
  /** What an operator should know: unreadable registry files, held removals, refused documents. Newest last, at most 50. */
  warnings: Type.Array(Type.Object({ at: Type.String(), place: Type.String(), message: Type.String() })),
  /** Policies that are not served as they are wanted, at most 100; absent from agents of an earlier release. */
  policies: Type.Optional(Type.Array(PolicyIssue)),
  policiesOmitted: Type.Optional(Type.Integer()),
  /** `credentials` and `root`; absent from agents of an earlier release. */
  validity: Type.Optional(Type.Array(Validity, { maxItems: 20 })),
  proxies: Type.Array(ProxyStatus),
  peers: Type.Array(PeerStatus),
  /** Absent from agents of an earlier release. */
  trust: Type.Optional(TrustAccount),
  /** Drills that it knows of; absent from agents of an earlier release. */
  drills: Type.Optional(Type.Array(DrillAccount)),
});
export type AgentStatus = Static<typeof AgentStatus>;

/** Message on `replicaSubject`: that an agent lives, and what its cluster's other agents must know of its proxies. */
export const ReplicaBeat = Type.Object({
  replica: Type.String(),
  /** Of the lease that it holds; 0 when it does not. */
  term: Type.Integer({ minimum: 0 }),
  /** The newest revision that it has given. */
  revision: Type.Integer({ minimum: 0 }),
  /** Addresses whose sidecars have a stream here. */
  sidecars: Type.Array(Type.String()),
  /** Addresses that drain by the word of their proxies. */
  draining: Type.Array(Type.String()),
  /** The newest word on a drain by the agents themselves, its end among them; absent from agents of an earlier release. */
  localDrain: Type.Optional(LocalDrain),
});
export type ReplicaBeat = Static<typeof ReplicaBeat>;

/** Message on `rolloutSubject`: what one hub revision did to the proxies of one cluster. */
export const RolloutStatus = Type.Object({
  epoch: Type.Integer(),
  revision: Type.Integer(),
  /** Connected proxies whose resources changed with this revision. */
  expected: Type.Integer(),
  acked: Type.Integer(),
  /** Of a proxy that refused several policies, one for each. */
  nacks: Type.Array(
    Type.Object({
      proxy: Type.String(),
      message: Type.String(),
      /** The resource that was refused. */
      type: Type.Optional(XdsType),
      resource: Type.Optional(Type.String()),
      /** The policy that was found to be the reason, `KIND/NAMESPACE/NAME`. */
      policy: Type.Optional(Type.String()),
    }),
  ),
});
export type RolloutStatus = Static<typeof RolloutStatus>;

/** Request `proxy-config` (hub → agent) and its answer: resources in protobuf JSON. */
export const ProxyConfigRequest = Type.Object({
  proxy: Type.String(),
  section: Type.Union([
    Type.Literal('clusters'),
    Type.Literal('listeners'),
    Type.Literal('routes'),
    Type.Literal('endpoints'),
    Type.Literal('secrets'),
  ]),
});
export type ProxyConfigRequest = Static<typeof ProxyConfigRequest>;
export const ProxyConfigResponse = Type.Union([
  Type.Object({ resources: Type.Array(Type.Unknown()) }),
  Type.Object({ error: Type.String() }),
]);
export type ProxyConfigResponse = Static<typeof ProxyConfigResponse>;

/** Request `explain-route` (hub → agent): what becomes of this request at a proxy? */
export const ExplainRouteRequest = Type.Object({
  proxy: Type.String(),
  method: Type.String({ pattern: '^[A-Z]{1,20}$' }),
  /** Such as `http://reviews.bookinfo.svc.clusterset.local/reviews/1?full=true`. */
  url: Type.String({ minLength: 1, maxLength: 8_192 }),
  /** Lower-case name → value. */
  headers: Type.Record(Type.String(), Type.String()),
});
export type ExplainRouteRequest = Static<typeof ExplainRouteRequest>;

/** A policy's rule, as routes name it: `KIND/NAMESPACE/NAME` and a field path; absent for routes that no policy made. */
const RouteOrigin = { policy: Type.Optional(Type.String()), rule: Type.Optional(Type.String()) };

/** An endpoint of an upstream. */
export const ExplainedEndpoint = Type.Object({
  /** `IP:PORT`, or the tunnel to another cluster and the endpoint behind it. */
  address: Type.String(),
  /** `REGION/ZONE/SUBZONE`, as far as it is known. */
  locality: Type.String(),
  /** 0 is tried first. */
  priority: Type.Integer(),
  /** Of the locality, among those of the same priority. */
  weight: Type.Integer(),
  /** As the agent told the proxy: HEALTHY, UNHEALTHY, DRAINING or UNKNOWN. */
  health: Type.String(),
});
export type ExplainedEndpoint = Static<typeof ExplainedEndpoint>;

/** An upstream that a request may go to. */
export const ExplainedUpstream = Type.Object({
  /** Envoy's name of it. */
  cluster: Type.String(),
  host: Type.Optional(Type.String()),
  port: Type.Optional(Type.Integer()),
  subset: Type.Optional(Type.String()),
  /** Percent of the requests that the route takes. */
  share: Type.Number(),
  /** What is done to requests that go there, in words. */
  effects: Type.Array(Type.String()),
  endpoints: Type.Array(ExplainedEndpoint),
  /** Endpoints beyond those listed. */
  endpointsOmitted: Type.Integer(),
});
export type ExplainedUpstream = Static<typeof ExplainedUpstream>;

/** What becomes of a request, by the configuration that the proxy is served. */
export const RouteExplanation = Type.Object({
  request: Type.Object({ method: Type.String(), scheme: Type.String(), authority: Type.String(), path: Type.String() }),
  listener: Type.String(),
  /** Of a connection that is no HTTP: it has no routes, and what follows is empty. */
  filterChain: Type.Optional(Type.String()),
  routeConfiguration: Type.String(),
  /** And the domain of it that the host met. */
  virtualHost: Type.Object({ name: Type.String(), domain: Type.String() }),
  /** Rules that were tried before and do not take it, in their order, each with the reason. */
  passed: Type.Array(Type.Object({ ...RouteOrigin, why: Type.String() })),
  /** Routes that take it, with the share of such requests in percent: one, unless a route takes a part alone. */
  taken: Type.Array(
    Type.Object({
      ...RouteOrigin,
      share: Type.Number(),
      action: Type.Union([Type.Literal('forward'), Type.Literal('redirect'), Type.Literal('answer')]),
      /** What is done to it, in words. */
      effects: Type.Array(Type.String()),
      upstreams: Type.Array(ExplainedUpstream),
    }),
  ),
});
export type RouteExplanation = Static<typeof RouteExplanation>;
export const ExplainRouteResponse = Type.Union([RouteExplanation, Type.Object({ error: Type.String() })]);
export type ExplainRouteResponse = Static<typeof ExplainRouteResponse>;

/** A difference in one field of a resource, as `fieldChanges` of `@hawser/model` gives it; long values are cut short. */
export const FieldDifference = Type.Object({
  path: Type.String(),
  before: Type.Optional(Type.Unknown()),
  after: Type.Optional(Type.Unknown()),
});
export type FieldDifference = Static<typeof FieldDifference>;

/** One xDS resource that would differ. */
export const XdsDifference = Type.Object({
  type: XdsType,
  name: Type.String(),
  /** Whose: `sidecar`, `gateway`, or that of one proxy, such as `sidecar:ADDRESS`. */
  layer: Type.String(),
  action: Type.Union([Type.Literal('added'), Type.Literal('changed'), Type.Literal('removed')]),
  /** Connected proxies that would get it. */
  proxies: Type.Integer(),
  /** In terms of protobuf JSON; at most 100. One of an added or removed resource has the path ''. */
  fields: Type.Array(FieldDifference),
  fieldsOmitted: Type.Integer(),
});
export type XdsDifference = Static<typeof XdsDifference>;

/** Request `diff` (hub → agent): what would these policies do? One without `policy` is taken away. */
export const DiffRequest = Type.Object({
  changes: Type.Array(
    Type.Object({ kind: Type.String(), namespace: Type.String(), name: Type.String(), policy: Type.Optional(Type.Unknown()) }),
    { minItems: 1, maxItems: 1000 },
  ),
});
export type DiffRequest = Static<typeof DiffRequest>;

/** What the agent's translator makes of it, against what it has in force at (epoch, revision). */
export const DiffAccount = Type.Object({
  epoch: Type.Integer(),
  revision: Type.Integer(),
  resources: Type.Array(XdsDifference),
  /** Resources that differ beyond those listed. */
  resourcesOmitted: Type.Integer(),
  /** Connected proxies that would get at least one resource. */
  proxies: Type.Integer(),
  /** What would not be served: policies that cannot be compiled, rules left out. */
  problems: Type.Array(Type.String()),
});
export type DiffAccount = Static<typeof DiffAccount>;
export const DiffResponse = Type.Union([DiffAccount, Type.Object({ error: Type.String() })]);
export type DiffResponse = Static<typeof DiffResponse>;
