import { STATIC_STAT_PREFIX } from './static-listener.ts';

/** Envoy's statistics that count what a drain waits for. */
export const ACTIVE_FILTER = '^(http|tcp)\\..*\\.downstream_(rq|cx)_active$';

/**
 * PURE: requests in progress and inbound TCP connections, by Envoy's `NAME: VALUE` statistics. Left out are the admin interface, our own probes,
 * HTTP connections (idle ones may stay open for ever) and TCP that this proxy opens itself (tunnels are kept open by pools).
 */
export function activeRequests(stats: string): number {
  let active = 0;
  for (const line of stats.split('\n')) {
    const colon = line.lastIndexOf(': ');
    const value = Number(line.slice(colon + 2));
    if (colon > 0 && Number.isFinite(value) && counts(line.slice(0, colon))) active += value;
  }
  return active;
}

function counts(name: string): boolean {
  if (name.startsWith('tcp.')) return name.startsWith('tcp.inbound') && name.endsWith('.downstream_cx_active');
  return name.endsWith('.downstream_rq_active') && !name.startsWith('http.admin.') && !name.startsWith(`http.${STATIC_STAT_PREFIX}`);
}
