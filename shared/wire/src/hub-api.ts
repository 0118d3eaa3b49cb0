/** The hub's own views, beside the resource API: what the CLI and the page ask. All `GET`, below `/hawser/v1`. */
import Type, { type Static } from 'typebox';
import { ProxyStatus } from './messages.ts';

/** `GET /hawser/v1/rollouts/REVISION?timeout=30s`: answers when every connected agent has accounted for the revision and all
 * its proxies have answered, or when the time is over (`complete: false`). */
export const RolloutAnswer = Type.Object({
  epoch: Type.Integer(),
  revision: Type.Integer(),
  complete: Type.Boolean(),
  proxies: Type.Object({ expected: Type.Integer(), acked: Type.Integer(), nacked: Type.Integer() }),
  nacks: Type.Array(Type.Object({ cluster: Type.String(), proxy: Type.String(), message: Type.String() })),
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
      proxies: Type.Object({ connected: Type.Integer(), synced: Type.Integer(), nacked: Type.Integer() }),
      services: Type.Integer(),
      endpoints: Type.Object({ total: Type.Integer(), healthy: Type.Integer() }),
      warnings: Type.Array(Type.Object({ at: Type.String(), place: Type.String(), message: Type.String() })),
    }),
  ),
});
export type FleetAnswer = Static<typeof FleetAnswer>;
