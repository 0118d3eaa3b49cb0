/** What an agent counted of its proxies' traffic, each second on core NATS. */
import Type, { type Static } from 'typebox';

/**
 * One series: [service, destination cluster, region, zone, version, in flight, counts…]. Counts are sums since the instance began and
 * never fall: requests, failures, attempts, failed attempts, retries, then latencies by bucket; zeros at the end are left out.
 */
export const TrafficSeries = Type.Tuple([
  Type.Tuple([
    Type.String({ maxLength: 520 }),
    Type.String({ maxLength: 253 }),
    Type.String({ maxLength: 253 }),
    Type.String({ maxLength: 253 }),
    Type.String({ maxLength: 253 }),
  ]),
  Type.Integer(),
  Type.Array(Type.Integer({ minimum: 0 }), { maxItems: 64 }),
]);
export type TrafficSeries = Static<typeof TrafficSeries>;

/** What the sums were a while ago: those that had changed since the one before it. */
export const PastReport = Type.Object({
  /** Milliseconds before the report that it comes with. */
  ago: Type.Integer({ minimum: 0 }),
  series: Type.Array(TrafficSeries, { maxItems: 20_000 }),
});
export type PastReport = Static<typeof PastReport>;

/** Message `traffic`: sums, so that a lost one loses nothing. Series that did not change lately come by turns. */
export const TrafficReport = Type.Object({
  /** One count: another instance began with zero. */
  instance: Type.String({ maxLength: 64 }),
  /** Since the instance began, milliseconds. */
  age: Type.Integer({ minimum: 0 }),
  /** Proxies that were read. */
  proxies: Type.Integer({ minimum: 0 }),
  /** Proxies whose counts could not be read in time. */
  missing: Type.Integer({ minimum: 0 }),
  series: Type.Array(TrafficSeries, { maxItems: 20_000 }),
  /** Where a hub asked for it: what it could not hear, as far as that is remembered; the oldest first. */
  past: Type.Optional(Type.Array(PastReport, { maxItems: 2_000 })),
});
export type TrafficReport = Static<typeof TrafficReport>;

/** Method of the request by which a hub asks one agent for what it could not hear; the next report has it. */
export const PAST_TRAFFIC = 'past-traffic';

/** Since how many milliseconds ago. */
export const PastTrafficRequest = Type.Object({ sinceMs: Type.Integer({ minimum: 0 }) });
export type PastTrafficRequest = Static<typeof PastTrafficRequest>;

/** That the next report has it. */
export const PastTrafficResponse = Type.Union([Type.Object({ telling: Type.Literal(true) }), Type.Object({ error: Type.String() })]);
export type PastTrafficResponse = Static<typeof PastTrafficResponse>;
