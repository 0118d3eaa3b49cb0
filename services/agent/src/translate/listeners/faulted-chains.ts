/**
 * What drills do to calls of the mesh at the proxy of the server (decision 31). Only what is named differs: its own chains, or its own
 * routes. A changed chain is taken by new connections at once; those of the chain before are told to go with their next answer. Pure.
 */

import type { DrillFault } from '@hawser/model/drill-form.ts';
import { parseDuration } from '@hawser/model/duration.ts';
import type { FilterChainSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_components_pb.ts';
import type { RouteSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import { HTTPFaultSchema } from '@hawser/xds/generated/envoy/extensions/filters/http/fault/v3/fault_pb.ts';
import { UNAVAILABLE_CLUSTER } from '../names.ts';
import { FAULT_FILTER, fraction } from '../routes/route-filters.ts';
import { extension, type Init, millis, structured } from '../wire-values.ts';
import { inboundTcp } from './inbound-tcp.ts';

type ChainInit = Init<typeof FilterChainSchema>;
type Fault = DrillFault | undefined;

/**
 * A chain with what is done to whole connections. `refuse` closes them before TLS, which callers take for a server that is not there;
 * `drop` takes them and is silent, TLS as well, which callers notice when they have waited long enough for a connection.
 */
export function faultedChain(chain: ChainInit, fault: Fault): ChainInit {
  if (fault === undefined) return chain;
  if ('refuse' in fault) return { ...chain, filters: [inboundTcp(chain.name ?? '', UNAVAILABLE_CLUSTER)] };
  if (!('drop' in fault)) return chain;
  const { transportSocket: _, ...silent } = chain;
  return { ...silent, filters: SILENCE };
}

/** Filters of a port's HTTP that make requests wait. */
export function delayFilters(fault: Fault, name = FAULT_FILTER): ReturnType<typeof extension>[] {
  if (fault === undefined || !('delay' in fault)) return [];
  const delay = { faultDelaySecifier: { case: 'fixedDelay' as const, value: millis(parseDuration(fault.delay) ?? 0) } };
  return [extension(name, HTTPFaultSchema, { delay: { ...delay, percentage: fraction(fault.percent ?? 100) } })];
}

/** The same of a port whose routes are not its own: errors are a filter of its chain as well, beside the idle one of the routes. */
export function chainFaultFilters(fault: Fault): ReturnType<typeof extension>[] {
  if (fault === undefined || !('error' in fault)) return delayFilters(fault, DRILL_FILTER);
  const abort = { errorType: { case: 'httpStatus' as const, value: fault.error }, percentage: fraction(fault.percent ?? 100) };
  return [extension(DRILL_FILTER, HTTPFaultSchema, { abort })];
}

/** Routes that answer some requests with an error in place of the application; they change without cutting anybody. */
export function failingRoutes(fault: Fault): Init<typeof RouteSchema>[] {
  if (fault === undefined || !('error' in fault)) return [];
  const share = { runtimeFraction: { defaultValue: fraction(fault.percent ?? 100) } };
  return [
    {
      match: { pathSpecifier: { case: 'prefix', value: '/' }, ...share },
      action: { case: 'directResponse', value: { status: fault.error } },
    },
  ];
}

/** Not the name by which routes configure faults of their own. */
const DRILL_FILTER = 'hawser.drill';

/** The first byte is denied, and the connection closed an hour later; so nothing ever comes to the last filter, which a chain must have. */
const SILENCE = [
  structured('envoy.filters.network.rbac', 'envoy.extensions.filters.network.rbac.v3.RBAC', {
    ...{ stat_prefix: 'drill', rules: { action: 'ALLOW', policies: {} }, delay_deny: '3600s' },
  }),
  structured('envoy.filters.network.echo', 'envoy.extensions.filters.network.echo.v3.Echo', {}),
];
