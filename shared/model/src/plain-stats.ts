/** How an Envoy names what it counts of callers that do not come by the mesh's TLS: known to listeners and agent alike. Pure. */
import { TRAFFIC_SCOPE } from './traffic-stats.ts';

/** What became of a connection or request: let through, or refused because of STRICT. */
export const PLAIN_WAYS = ['passed', 'refused'] as const;
export type PlainWay = (typeof PLAIN_WAYS)[number];

/**
 * Scopes, each with a bound of its own; they lie in the scope of traffic, so that one reading has both. `at` counts by port and caller,
 * `by` by caller alone, `all` everything; `open` holds connections in progress, by port and caller.
 */
export const PLAIN_SCOPES = {
  at: `${TRAFFIC_SCOPE}.plain_at`,
  by: `${TRAFFIC_SCOPE}.plain_by`,
  all: `${TRAFFIC_SCOPE}.plain_all`,
  open: `${TRAFFIC_SCOPE}.plain_open`,
} as const;

/** The one tag of each but `all`; its value is `PORT|ADDRESS`, or `ADDRESS` in `by`. */
export const PLAIN_TAG = 'of';

/** Series that a proxy keeps in each scope: whoever comes from more addresses, or asks at more ports, is counted in the next coarser one. */
export const MOST_PLAIN_SERIES = 1_000;
