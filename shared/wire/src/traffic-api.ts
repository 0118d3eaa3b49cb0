/** Measured traffic as the hub's API tells it: `/hawser/v1/traffic` and `/hawser/v1/traffic/stream`. */
import { DnsLabel, GoDuration } from '@hawser/model/kind-specs.ts';
import Type, { type Static } from 'typebox';

const Text = Type.String({ maxLength: 253 });

/** What is asked for. */
export const TrafficParameters = Type.Object(
  {
    service: Type.Optional(
      Type.String({ maxLength: 520, pattern: '^[^/]+/[^/]+$', description: 'NAMESPACE/SERVICE; all of them unless given' }),
    ),
    source: Type.Optional({ ...DnsLabel, description: 'cluster of the callers' }),
    cluster: Type.Optional({ ...Text, description: 'cluster that was called' }),
    region: Type.Optional({ ...Text, description: 'region that was called' }),
    zone: Type.Optional({ ...Text, description: 'zone that was called' }),
    version: Type.Optional({ ...Text, description: 'version that was called' }),
    by: Type.Optional(
      Type.String({
        pattern: '^(source|service|cluster|region|zone|version)(,(source|service|cluster|region|zone|version))*$',
        description: 'what rows are told apart by, with commas between; all in one row unless given',
      }),
    ),
    window: Type.Optional({ ...GoDuration, description: 'the newest so long that is known; 10s unless given' }),
    from: Type.Optional(Type.String({ maxLength: 40, description: 'RFC 3339; in place of window' })),
    to: Type.Optional(Type.String({ maxLength: 40, description: 'RFC 3339; what is known up to now unless given' })),
  },
  { additionalProperties: false },
);
export type TrafficParameters = Static<typeof TrafficParameters>;

const Count = Type.Integer({ minimum: 0 });
const Milliseconds = Type.Union([Type.Number(), Type.Null()]);

/** Traffic of one kind; dimensions that were not asked for are ''. */
export const TrafficRow = Type.Object({
  source: Type.String(),
  service: Type.String(),
  destination: Type.Object({ cluster: Type.String(), region: Type.String(), zone: Type.String(), version: Type.String() }),
  /** Client requests that ended, and those of them that failed as the client saw it. */
  requests: Count,
  failures: Count,
  /** What proxies sent for them: more, where they tried again. */
  attempts: Count,
  failedAttempts: Count,
  retries: Count,
  /** Attempts in progress. */
  inFlight: Count,
  /** Client requests per second of the span. */
  perSecond: Type.Number(),
  /** Of all attempts in the answer, 0 to 1. */
  share: Type.Number(),
  /** Of client requests, ms; null without any. */
  latency: Type.Object({ p50: Milliseconds, p90: Milliseconds, p99: Milliseconds }),
  /** Client requests by bucket of OpenTelemetry's scale 1 from 0.5 ms. */
  buckets: Type.Array(Count),
});
export type TrafficRow = Static<typeof TrafficRow>;

/** The answer. Zero is zero only where `coverage` says that the time is known. */
export const TrafficAnswer = Type.Object({
  from: Type.String(),
  to: Type.String(),
  /** How fine the answer is: beyond a quarter of an hour, it is whole minutes. */
  resolution: Type.Union([Type.Literal('second'), Type.Literal('minute')]),
  seconds: Count,
  rows: Type.Array(TrafficRow),
  /** Each cluster whose callers are meant. */
  coverage: Type.Array(
    Type.Object({
      cluster: Type.String(),
      /** Of the span's, those that its agents have accounted for. */
      seconds: Count,
      /** RFC 3339; absent when nothing is known of it. */
      newestAt: Type.Optional(Type.String()),
      /** Proxies that could not be read: their traffic is not in the rows. */
      unreadProxies: Count,
    }),
  ),
});
export type TrafficAnswer = Static<typeof TrafficAnswer>;
