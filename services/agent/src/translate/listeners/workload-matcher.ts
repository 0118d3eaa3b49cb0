/**
 * Which filter chain a connection to a workload gets: by the port and address that the gateway leads it to, not by anything that the caller says.
 * What is not listed is refused. Pure.
 */
import { create } from '@bufbuild/protobuf';
import { StringValueSchema } from '@bufbuild/protobuf/wkt';
import {
  ApplicationProtocolInputSchema,
  DestinationIPInputSchema,
  DestinationPortInputSchema,
} from '@hawser/xds/generated/envoy/extensions/matching/common_inputs/network/v3/network_inputs_pb.ts';
import {
  type Matcher,
  Matcher_OnMatchSchema,
  MatcherSchema,
  type Matcher_OnMatch as OnMatch,
} from '@hawser/xds/generated/xds/type/matcher/v3/matcher_pb.ts';
import { packed } from '../wire-values.ts';

/** A chain, and the connections that it is for. */
export interface ChainPlace {
  readonly name: string;
  /** The application's. */
  readonly port: number;
  readonly addresses: readonly string[];
  /** Whether only callers get it that say they speak HTTP/2, beside a chain for the others. */
  readonly isHttp2: boolean;
}

const PORT = { name: 'destination_port', typedConfig: packed(DestinationPortInputSchema, {}) };
const ADDRESS = { name: 'destination_ip', typedConfig: packed(DestinationIPInputSchema, {}) };
const PROTOCOLS = { name: 'application_protocol', typedConfig: packed(ApplicationProtocolInputSchema, {}) };

/** The tree: port, then address, then protocol where that decides. */
export function chainMatcher(places: readonly ChainPlace[]): Matcher {
  const byPort = [...Map.groupBy(places, ({ port }) => port)].sort(([a], [b]) => a - b);
  return exactly(PORT, Object.fromEntries(byPort.map(([port, group]) => [String(port), within(byAddress(group))])));
}

function byAddress(places: readonly ChainPlace[]): Matcher {
  const grouped = new Map<string, ChainPlace[]>();
  for (const place of places) {
    for (const address of place.addresses) {
      const group = grouped.get(address);
      if (group === undefined) grouped.set(address, [place]);
      else group.push(place);
    }
  }
  return exactly(
    ADDRESS,
    Object.fromEntries([...grouped.keys()].sort().map((address) => [address, byProtocol(grouped.get(address) ?? [])])),
  );
}

function byProtocol(places: readonly ChainPlace[]): OnMatch {
  const [http2, other] = [places.find(({ isHttp2 }) => isHttp2), places.find(({ isHttp2 }) => !isHttp2)];
  if (http2 === undefined || other === undefined) return chain((http2 ?? other)?.name ?? '');
  return within({ ...exactly(PROTOCOLS, { "'h2'": chain(http2.name) }), onNoMatch: chain(other.name) });
}

function exactly(input: typeof ADDRESS, map: Record<string, OnMatch>): Matcher {
  return create(MatcherSchema, {
    matcherType: { case: 'matcherTree', value: { input, treeType: { case: 'exactMatchMap', value: { map } } } },
  });
}

function within(matcher: Matcher): OnMatch {
  return create(Matcher_OnMatchSchema, { onMatch: { case: 'matcher', value: matcher } });
}

/** Envoy takes a chain's name as the action. */
function chain(value: string): OnMatch {
  return create(Matcher_OnMatchSchema, {
    onMatch: { case: 'action', value: { name: 'chain', typedConfig: packed(StringValueSchema, { value }) } },
  });
}
