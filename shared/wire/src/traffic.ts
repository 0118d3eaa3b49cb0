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
});
export type TrafficReport = Static<typeof TrafficReport>;
