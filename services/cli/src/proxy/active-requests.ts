import { STATIC_STAT_PREFIX } from './static-listener.ts';

/** Envoy's statistics that count what a drain waits for. */
export const ACTIVE_FILTER = '^(http|tcp)\\..*\\.downstream_(rq|cx)_active$';

/** TCP that the proxy opens itself, by its listeners' names: tunnels are kept open by pools. */
const OWN_TCP = ['tcp.tunnel|', 'tcp.passthrough.'];
/** A workload's connections to others, which end with it; those of an outbound gateway are its callers'. */
const OUTBOUND_TCP = 'tcp.outbound_tcp|';

/**
 * PURE: requests in progress and inbound TCP connections, by Envoy's `NAME: VALUE` statistics. Left out are the admin interface, our own
 * probes, HTTP connections (idle ones may stay open for ever) and TCP that leads out, unless the proxy calls `forOthers`.
 */
export function activeRequests(stats: string, forOthers = false): number {
  let active = 0;
  for (const line of stats.split('\n')) {
    const colon = line.lastIndexOf(': ');
    const value = Number(line.slice(colon + 2));
    if (colon > 0 && Number.isFinite(value) && counts(line.slice(0, colon), forOthers)) active += value;
  }
  return active;
}

function counts(name: string, forOthers: boolean): boolean {
  if (name.startsWith(OUTBOUND_TCP)) return forOthers && name.endsWith('.downstream_cx_active');
  if (name.startsWith('tcp.')) return name.endsWith('.downstream_cx_active') && !OWN_TCP.some((prefix) => name.startsWith(prefix));
  return name.endsWith('.downstream_rq_active') && !name.startsWith('http.admin.') && !name.startsWith(`http.${STATIC_STAT_PREFIX}`);
}
