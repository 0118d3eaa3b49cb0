/** Connections to the addresses of a headless service's endpoints: DNS gives them out, and mTLS goes with them as with any other. Pure. */
import type { ServicePort } from '@hawser/model/endpoint-shard.ts';
import type { FilterChainMatchSchema, FilterChainSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_components_pb.ts';
import { outboundTcp } from '../listeners/outbound-listeners.ts';
import { endpointUpstreamName, tcpListenerName } from '../names.ts';
import { carriesBytes } from '../upstreams/clusters.ts';
import { cidrRange, type Init } from '../wire-values.ts';
import type { AddressedHost } from './named-hosts.ts';

type ChainInit = Init<typeof FilterChainSchema>;

/** A chain, and the port that was called. */
export interface CalledChain {
  readonly port: number;
  readonly chain: ChainInit & { readonly name: string; readonly filterChainMatch: Init<typeof FilterChainMatchSchema> };
  /** Whether what was called may speak HTTP as well. */
  readonly isAuto: boolean;
}

/** Of more endpoints one chain is for all of them: when one goes, connections to the others end with it, after Envoy's time to drain. */
const MOST_APART = 64;

/**
 * The chains of one port of a headless service, at the number that its Service gives it and at those where its endpoints listen, as SRV
 * records say. None where it speaks HTTP alone: that goes by its `Host`.
 */
export function endpointChains(host: AddressedHost, port: ServicePort, fetches: boolean): CalledChain[] {
  if (host.headless === undefined || !carriesBytes(port)) return [];
  const serving = host.headless.endpoints.flatMap(({ address, targets }) => {
    const target = targets[String(port.port)];
    return target === undefined ? [] : [...new Set([port.port, target])].map((called) => ({ address, called }));
  });
  const isApart = serving.length <= 2 * MOST_APART;
  const groups = Map.groupBy(serving, ({ address, called }) => (isApart ? `${address}|${called}` : String(called)));
  return [...groups].map(([id, group]) => {
    const name = `${tcpListenerName(port.port, host.host)}|${id}`;
    const called = group[0]?.called ?? port.port;
    const chain = {
      name,
      filterChainMatch: { destinationPort: called, prefixRanges: [...new Set(group.map(({ address }) => address))].map(cidrRange) },
      filters: [outboundTcp(name, endpointUpstreamName(port.port, host.host), { fetches })],
    };
    return { port: called, chain, isAuto: port.application === 'auto' };
  });
}
