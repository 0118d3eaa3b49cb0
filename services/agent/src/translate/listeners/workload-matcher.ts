/**
 * Which filter chain a connection to a workload gets, by the server name that the caller says, and by where the gateway leads it: one that
 * is led to a workload of one service cannot be had by the chain of another, nor by that of another port. What is not listed is refused. Pure.
 */
import { create } from '@bufbuild/protobuf';
import { StringValueSchema } from '@bufbuild/protobuf/wkt';
import {
  ApplicationProtocolInputSchema,
  DestinationIPInputSchema,
  DestinationPortInputSchema,
  ServerNameInputSchema,
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
  readonly server: string;
  /** The application's. */
  readonly port: number;
  readonly addresses: readonly string[];
  /** Whether only callers get it that say they speak HTTP/2, beside a chain for the others. */
  readonly isHttp2: boolean;
}

const SERVER_NAME = { name: 'server_name', typedConfig: packed(ServerNameInputSchema, {}) };
const PORT = { name: 'destination_port', typedConfig: packed(DestinationPortInputSchema, {}) };
const ADDRESS = { name: 'destination_ip', typedConfig: packed(DestinationIPInputSchema, {}) };
const PROTOCOLS = { name: 'application_protocol', typedConfig: packed(ApplicationProtocolInputSchema, {}) };

/** The tree: server name, then port, then address, then protocol where that decides. */
export function chainMatcher(places: readonly ChainPlace[]): Matcher {
  const byAddress = (there: readonly ChainPlace[]) => byText(there, ADDRESS, { textsOf: ({ addresses }) => addresses, next: byProtocol });
  const byPort = (served: readonly ChainPlace[]) =>
    byText(served, PORT, { textsOf: ({ port }) => [String(port)], next: (there) => within(byAddress(there)) });
  return byText(places, SERVER_NAME, { textsOf: ({ server }) => [server], next: (served) => within(byPort(served)) });
}

type Input = typeof SERVER_NAME;

interface Branching {
  readonly textsOf: (place: ChainPlace) => readonly string[];
  readonly next: (places: readonly ChainPlace[]) => OnMatch;
}

function byText(places: readonly ChainPlace[], input: Input, { textsOf, next }: Branching): Matcher {
  const grouped = new Map<string, ChainPlace[]>();
  for (const place of places) {
    for (const text of textsOf(place)) {
      const group = grouped.get(text);
      if (group === undefined) grouped.set(text, [place]);
      else group.push(place);
    }
  }
  return exactly(input, Object.fromEntries([...grouped.keys()].sort().map((text) => [text, next(grouped.get(text) ?? [])])));
}

function byProtocol(places: readonly ChainPlace[]): OnMatch {
  const [http2, other] = [places.find(({ isHttp2 }) => isHttp2), places.find(({ isHttp2 }) => !isHttp2)];
  if (http2 === undefined || other === undefined) return chain((http2 ?? other)?.name ?? '');
  return within({ ...exactly(PROTOCOLS, { "'h2'": chain(http2.name) }), onNoMatch: chain(other.name) });
}

function exactly(input: Input, map: Record<string, OnMatch>): Matcher {
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
