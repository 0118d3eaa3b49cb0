/** Bodies of documents and messages between hub and agents, beyond those of `@hawser/model`. */
import Type, { type Static } from 'typebox';

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
});
export type TypeStatus = Static<typeof TypeStatus>;

/** One connected proxy. */
export const ProxyStatus = Type.Object({
  proxy: Type.String(),
  namespace: Type.String(),
  serviceAccount: Type.String(),
  address: Type.String(),
  role: Type.Union([Type.Literal('sidecar'), Type.Literal('gateway')]),
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

/** Message on `statusSubject`: an agent's whole account of itself. */
export const AgentStatus = Type.Object({
  instance: Type.String(),
  startedAt: Type.String(),
  version: Type.String(),
  /** Epoch and revision of the hub's documents that are compiled and served. */
  epoch: Type.Integer(),
  revision: Type.Integer(),
  ready: Type.Boolean(),
  /** What an operator should know: unreadable registry files, held removals, refused documents. Newest last, at most 50. */
  warnings: Type.Array(Type.Object({ at: Type.String(), place: Type.String(), message: Type.String() })),
  proxies: Type.Array(ProxyStatus),
  peers: Type.Array(PeerStatus),
});
export type AgentStatus = Static<typeof AgentStatus>;

/** Message on `rolloutSubject`: what one hub revision did to the proxies of one cluster. */
export const RolloutStatus = Type.Object({
  epoch: Type.Integer(),
  revision: Type.Integer(),
  /** Connected proxies whose resources changed with this revision. */
  expected: Type.Integer(),
  acked: Type.Integer(),
  nacks: Type.Array(Type.Object({ proxy: Type.String(), message: Type.String() })),
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
