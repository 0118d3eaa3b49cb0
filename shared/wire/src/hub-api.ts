/** The hub's own views, beside the resource API: what the CLI and the page ask. All `GET`, below `/hawser/v1`. */
import Type, { type Static } from 'typebox';
import { FieldDifference, PolicyIssue, ProxyStatus, RolloutStatus, Validity, XdsDifference } from './messages.ts';

/** `GET /hawser/v1/rollouts/REVISION?timeout=30s`: answers when every connected agent has accounted for the revision and all
 * its proxies have answered, or when the time is over (`complete: false`). */
export const RolloutAnswer = Type.Object({
  epoch: Type.Integer(),
  revision: Type.Integer(),
  complete: Type.Boolean(),
  proxies: Type.Object({ expected: Type.Integer(), acked: Type.Integer(), nacked: Type.Integer() }),
  nacks: Type.Array(Type.Intersect([Type.Object({ cluster: Type.String() }), RolloutStatus.properties.nacks.items])),
  /** Connected clusters that have not accounted for the revision yet. */
  waitingFor: Type.Array(Type.String()),
  /** Members whose agent is not connected: they get the revision when they return. */
  disconnected: Type.Array(Type.String()),
  /** Commit of the revision → last ACK, milliseconds. */
  durationMs: Type.Number(),
});
export type RolloutAnswer = Static<typeof RolloutAnswer>;

/** `GET /hawser/v1/proxies`: as `proxy-status -o json`. */
export const ProxiesAnswer = Type.Object({
  proxies: Type.Array(Type.Intersect([Type.Object({ cluster: Type.String() }), ProxyStatus])),
  /** Policies that are not served as written, by the agents' word; absent when there are none. */
  policies: Type.Optional(Type.Array(Type.Intersect([Type.Object({ cluster: Type.String() }), PolicyIssue]))),
});
export type ProxiesAnswer = Static<typeof ProxiesAnswer>;

/** `GET /hawser/v1/services/NAMESPACE/SERVICE/answers?from=CLUSTER&without=REGION`: as `who-serves -o json`. */
export const WhoServesAnswer = Type.Object({
  service: Type.String(),
  answers: Type.Array(
    Type.Object({
      from: Type.String(),
      localities: Type.Array(
        Type.Object({
          cluster: Type.String(),
          region: Type.String(),
          priority: Type.Integer(),
          weight: Type.Integer(),
          endpoints: Type.Integer(),
          healthy: Type.Integer(),
          state: Type.Union([Type.Literal('KNOWN'), Type.Literal('STALE'), Type.Literal('UNKNOWN')]),
        }),
      ),
      /** Parts of `total` that TrafficShifts have in force for these callers; absent when none has. */
      shares: Type.Optional(
        Type.Array(Type.Object({ of: Type.String(), parts: Type.Record(Type.String(), Type.Integer()), total: Type.Integer() })),
      ),
      /** Clusters with endpoints that are not called, and why; absent when there are none. */
      excluded: Type.Optional(Type.Array(Type.Object({ cluster: Type.String(), endpoints: Type.Integer(), reason: Type.String() }))),
    }),
  ),
});
export type WhoServesAnswer = Static<typeof WhoServesAnswer>;

/** `GET /hawser/v1/status`: the federation at a glance. */
export const FleetAnswer = Type.Object({
  hub: Type.Object({
    version: Type.String(),
    startedAt: Type.String(),
    epoch: Type.Integer(),
    revision: Type.Integer(),
    published: Type.Integer(),
    database: Type.Boolean(),
    bus: Type.Boolean(),
    /** The replica that answers, and whether it is the one that publishes. */
    instance: Type.Optional(Type.String()),
    leads: Type.Optional(Type.Boolean()),
    /** The replica that publishes; missing while nobody is known to. */
    leader: Type.Optional(Type.Object({ instance: Type.String(), address: Type.String(), term: Type.Integer() })),
  }),
  clusters: Type.Array(
    Type.Object({
      name: Type.String(),
      region: Type.String(),
      zone: Type.String(),
      provider: Type.String(),
      state: Type.Union([Type.Literal('KNOWN'), Type.Literal('STALE'), Type.Literal('UNKNOWN')]),
      lastHeardAt: Type.String(),
      revision: Type.Integer(),
      ready: Type.Boolean(),
      /** The cluster's agents, of which one publishes its endpoints. */
      agents: Type.Optional(
        Type.Array(
          Type.Object({
            replica: Type.String(),
            publisher: Type.Boolean(),
            ready: Type.Boolean(),
            proxies: Type.Integer(),
            lastHeardAt: Type.String(),
            version: Type.Optional(Type.String()),
            /** What the agent lives on, and until when. */
            validity: Type.Optional(Type.Array(Validity)),
          }),
        ),
      ),
      proxies: Type.Object({ connected: Type.Integer(), synced: Type.Integer(), nacked: Type.Integer() }),
      services: Type.Integer(),
      endpoints: Type.Object({ total: Type.Integer(), healthy: Type.Integer() }),
      warnings: Type.Array(Type.Object({ at: Type.String(), place: Type.String(), message: Type.String() })),
    }),
  ),
});
export type FleetAnswer = Static<typeof FleetAnswer>;

/** Body of `POST /hawser/v1/diff`: what would change if these were written? Nothing is. */
export const DiffBody = Type.Object(
  {
    /** To be created or replaced; any served version. */
    resources: Type.Optional(Type.Array(Type.Unknown(), { maxItems: 1000 })),
    delete: Type.Optional(
      Type.Array(
        Type.Object({ kind: Type.String(), namespace: Type.Optional(Type.String()), name: Type.String() }, { additionalProperties: false }),
        { maxItems: 1000 },
      ),
    ),
    /** Whether clusters are asked what it would do to their proxies; default true. */
    envoy: Type.Optional(Type.Boolean()),
    /** Clusters to ask; default all that it would change. */
    clusters: Type.Optional(Type.Array(Type.String())),
  },
  { additionalProperties: false },
);
export type DiffBody = Static<typeof DiffBody>;

/** One proposed resource against what is stored. */
export const ResourceDifference = Type.Object({
  kind: Type.String(),
  namespace: Type.String(),
  name: Type.String(),
  action: Type.Union([
    Type.Literal('create'),
    Type.Literal('replace'),
    Type.Literal('delete'),
    Type.Literal('none'),
    Type.Literal('refused'),
  ]),
  fields: Type.Array(FieldDifference),
  /** A unified diff of the two in YAML; empty when they are equal. */
  text: Type.String(),
  /** Why the hub would refuse it (a `Status`). */
  error: Type.Optional(
    Type.Object({
      reason: Type.String(),
      message: Type.String(),
      details: Type.Object({
        causes: Type.Optional(Type.Array(Type.Object({ reason: Type.String(), message: Type.String(), field: Type.String() }))),
      }),
    }),
  ),
});
export type ResourceDifference = Static<typeof ResourceDifference>;

/** What one cluster would make of it. `unknown` is not "nothing": `reason` says why it did not answer. */
export const ClusterDifference = Type.Object({
  cluster: Type.String(),
  state: Type.Union([Type.Literal('answered'), Type.Literal('unknown')]),
  reason: Type.Optional(Type.String()),
  /** The revision of the policies that the cluster's agent compared with. */
  revision: Type.Integer(),
  resources: Type.Array(XdsDifference),
  resourcesOmitted: Type.Integer(),
  /** Connected proxies that would get at least one resource. */
  proxies: Type.Integer(),
  problems: Type.Array(Type.String()),
  /** Where policy of the cluster's own decides, and not what is written. */
  notes: Type.Optional(Type.Array(Type.String())),
});
export type ClusterDifference = Static<typeof ClusterDifference>;

/** Answer of `POST /hawser/v1/diff`. */
export const DiffAnswer = Type.Object({
  /** Whether any resource differs. */
  different: Type.Boolean(),
  resources: Type.Array(ResourceDifference),
  clusters: Type.Array(ClusterDifference),
});
export type DiffAnswer = Static<typeof DiffAnswer>;

/** Body of `POST /hawser/v1/apply`: policies to create or to replace, written in this order in one transaction. */
export const ApplyBody = Type.Object(
  {
    resources: Type.Array(Type.Unknown(), { minItems: 1, maxItems: 2_000 }),
    /** Check everything, write nothing. */
    dryRun: Type.Optional(Type.Boolean()),
    /** Accept references to what does not exist yet. */
    allowUnresolved: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
export type ApplyBody = Static<typeof ApplyBody>;

/** What the analysis found (`docs/analysis.md`). */
export const AnalysisFinding = Type.Object({
  /** Such as HW0105. */
  code: Type.String(),
  severity: Type.Union([Type.Literal('Error'), Type.Literal('Warning'), Type.Literal('Info')]),
  kind: Type.String(),
  /** Empty for cluster-scoped kinds. */
  namespace: Type.String(),
  name: Type.String(),
  /** Field path; empty when the whole resource is meant. */
  field: Type.String(),
  message: Type.String(),
  /** What to do. */
  fix: Type.String(),
});
export type AnalysisFinding = Static<typeof AnalysisFinding>;

/** Body of `POST /hawser/v1/analyze`: resources as they were written, valid or not; without any, what the hub holds is analysed. */
export const AnalyzeBody = Type.Object(
  { resources: Type.Optional(Type.Array(Type.Unknown(), { maxItems: 2_000 })) },
  { additionalProperties: false },
);
export type AnalyzeBody = Static<typeof AnalyzeBody>;

/** Answer of `POST /hawser/v1/analyze`: the worst first. With resources: about them, and what they would newly cause elsewhere. */
export const AnalyzeAnswer = Type.Object({
  findings: Type.Array(AnalysisFinding),
  /** Findings beyond those listed. */
  omitted: Type.Integer(),
  /** How many resources of the hub were looked at, beside those given. */
  stored: Type.Integer(),
  /** Whether the services of all clusters were known. */
  complete: Type.Boolean(),
});
export type AnalyzeAnswer = Static<typeof AnalyzeAnswer>;

/** Answer of `POST /hawser/v1/apply`: in the order of the request; one that is refused does not keep the others out. */
export const ApplyAnswer = Type.Object({
  results: Type.Array(
    Type.Object({
      action: Type.Union([Type.Literal('created'), Type.Literal('configured'), Type.Literal('unchanged'), Type.Literal('refused')]),
      /** Of the resource's last write. */
      revision: Type.Integer(),
      /** What is probably not meant; absent when there is nothing. */
      warnings: Type.Optional(Type.Array(AnalysisFinding)),
      /** Why it was refused (a `Status`). */
      error: Type.Optional(
        Type.Object({
          code: Type.Integer(),
          reason: Type.String(),
          message: Type.String(),
          details: Type.Object({
            causes: Type.Optional(Type.Array(Type.Object({ reason: Type.String(), message: Type.String(), field: Type.String() }))),
          }),
        }),
      ),
    }),
  ),
});
export type ApplyAnswer = Static<typeof ApplyAnswer>;
