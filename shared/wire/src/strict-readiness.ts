/** Who would be cut off by STRICT: what the hub asks agents, and what it answers (decision 0024). */
import Type, { type Static } from 'typebox';

/** A caller that did not come by the mesh's TLS, or all that were not told apart. */
export const PlainCallerSeen = Type.Object({
  way: Type.Union([Type.Literal('passed'), Type.Literal('refused')]),
  /** Of its connections; undefined: callers that were not told apart. */
  address: Type.Optional(Type.String()),
  /** `NAMESPACE/NAME` of the workload, or of a service that it serves, by the registry's word: nothing proves it. */
  workload: Type.Optional(Type.String()),
  /** That of the workload. */
  cluster: Type.Optional(Type.String()),
  /** Requests and connections that ended within the window, and connections that last. */
  count: Type.Integer(),
  /** Connections that last. */
  open: Type.Integer(),
  /** RFC 3339. */
  lastSeen: Type.String(),
});
export type PlainCallerSeen = Static<typeof PlainCallerSeen>;

/** A port of a workload. */
export const CalledPort = Type.Object({
  /** The application's; undefined: ports that were not told apart. */
  port: Type.Optional(Type.Integer()),
  /** `NAMESPACE/SERVICE` of the services that have it. */
  services: Type.Array(Type.String()),
  /** What PeerAuthentications say of it; undefined: nothing. */
  mode: Type.Optional(Type.String()),
  /** The busiest first. */
  callers: Type.Array(PlainCallerSeen),
  /** Callers beyond those listed. */
  omitted: Type.Integer(),
});
export type CalledPort = Static<typeof CalledPort>;

/** A workload that has a sidecar. */
export const CalledWorkload = Type.Object({
  namespace: Type.String(),
  /** Of its proxy. */
  name: Type.String(),
  address: Type.String(),
  /** Whether what calls it is led to its sidecar: else STRICT keeps nobody from it. */
  captured: Type.Boolean(),
  /** Everything since then was counted, RFC 3339; undefined: its sidecar was never read. */
  since: Type.Optional(Type.String()),
  /** When its sidecar was last read, RFC 3339. */
  readAt: Type.Optional(Type.String()),
  ports: Type.Array(CalledPort),
});
export type CalledWorkload = Static<typeof CalledWorkload>;

/** Request `plain-callers` (hub → agent): who called the sidecars of this agent otherwise than by the mesh's TLS? */
export const PlainCallersRequest = Type.Object({
  windowMs: Type.Integer({ minimum: 1_000, maximum: 3_600_000 }),
  namespace: Type.Optional(Type.String()),
});
export type PlainCallersRequest = Static<typeof PlainCallersRequest>;

/** Its answer. */
export const PlainCallersAccount = Type.Object({
  /** The agent's clock, RFC 3339. */
  now: Type.String(),
  workloads: Type.Array(CalledWorkload),
  /** Workloads beyond those listed. */
  omitted: Type.Integer(),
  /** Addresses of the cluster's endpoints, and `NAMESPACE/SERVICE` of what they serve: this agent has no sidecar there. */
  bare: Type.Array(Type.Object({ address: Type.String(), services: Type.Array(Type.String()) })),
});
export type PlainCallersAccount = Static<typeof PlainCallersAccount>;
export const PlainCallersResponse = Type.Union([PlainCallersAccount, Type.Object({ error: Type.String() })]);
export type PlainCallersResponse = Static<typeof PlainCallersResponse>;

/** `ready`: nobody would be cut off. `plain`: who would is listed. `unknown`: not watched for the whole window. */
export const Readiness = Type.Union([Type.Literal('ready'), Type.Literal('plain'), Type.Literal('unknown')]);
export type Readiness = Static<typeof Readiness>;

/** `GET /hawser/v1/access/strict-readiness?namespace=NS&window=1h`. */
export const StrictReadinessAnswer = Type.Object({
  /** Whether STRICT would cut off nobody of whom anything is known, and everything is known. */
  ready: Type.Boolean(),
  windowMs: Type.Integer(),
  clusters: Type.Array(
    Type.Object({
      cluster: Type.String(),
      state: Readiness,
      /** Why it is unknown. */
      reason: Type.Optional(Type.String()),
    }),
  ),
  workloads: Type.Array(
    Type.Object({
      cluster: Type.String(),
      ...CalledWorkload.properties,
      state: Readiness,
      reason: Type.Optional(Type.String()),
      ports: Type.Array(Type.Object({ ...CalledPort.properties, state: Readiness })),
    }),
  ),
  /** Endpoints without a sidecar: STRICT keeps nobody from them. */
  bare: Type.Array(Type.Object({ cluster: Type.String(), address: Type.String(), services: Type.Array(Type.String()) })),
});
export type StrictReadinessAnswer = Static<typeof StrictReadinessAnswer>;
