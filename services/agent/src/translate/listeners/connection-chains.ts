/** Filter chains of connections that VirtualServices lead elsewhere than to the port that was called. */
import type { FilterChainMatchSchema, FilterChainSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_components_pb.ts';
import type { ConnectionRoute } from '../routes/connection-routes.ts';
import { UniqueMatches } from '../unique-chains.ts';
import { cidrRange, type Init } from '../wire-values.ts';
import { outboundSplit } from './outbound-listeners.ts';
import type { TcpRules } from './tcp-ports.ts';

type ChainInit = Init<typeof FilterChainSchema>;
type MatchInit = Init<typeof FilterChainMatchSchema>;

/** One chain for each route, within `at`; `name` with a number is theirs, and the name of their statistics is `name`. */
export function routedChains(name: string, rules: TcpRules, at: MatchInit = {}): (ChainInit & { readonly name: string })[] {
  // Rules may name a server or a range twice: the first has it.
  const matches = new UniqueMatches();
  return (rules.routes ?? []).flatMap((route, index) => {
    const filterChainMatch = matches.take({ ...at, ...conditionsOf(route) });
    if (filterChainMatch === undefined) return [];
    return [{ name: `${name}|${index}`, filterChainMatch, filters: [outboundSplit(name, route.clusters, rules)] }];
  });
}

/** Whether a route takes every connection. */
export function takesAll({ serverNames, destinations, sources }: ConnectionRoute): boolean {
  return serverNames === undefined && destinations === undefined && sources === undefined;
}

function conditionsOf({ serverNames, destinations, sources }: ConnectionRoute): MatchInit {
  return {
    ...(serverNames === undefined ? {} : { serverNames: [...serverNames], transportProtocol: 'tls' }),
    ...(destinations === undefined ? {} : { prefixRanges: destinations.map(cidrRange) }),
    ...(sources === undefined ? {} : { sourcePrefixRanges: sources.map(cidrRange) }),
  };
}
