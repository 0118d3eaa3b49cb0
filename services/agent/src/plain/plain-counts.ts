/** What one Envoy says of callers that do not come by the mesh's TLS: read from its statistics. Pure. */
import { PLAIN_SCOPES, PLAIN_TAG, PLAIN_WAYS, type PlainWay } from '@hawser/model/plain-stats.ts';
import { TRAFFIC_SCOPE } from '@hawser/model/traffic-stats.ts';

/** Sums since the process began, as the Envoy names them. */
export interface PlainCounts {
  /** By `WAY|PORT|ADDRESS`. */
  readonly at: ReadonlyMap<string, number>;
  /** By `WAY|ADDRESS`. */
  readonly by: ReadonlyMap<string, number>;
  /** By `WAY`. */
  readonly all: ReadonlyMap<string, number>;
  /** Connections in progress, by `passed|PORT|ADDRESS`. */
  readonly open: ReadonlyMap<string, number>;
}

type Place = keyof PlainCounts;

const PLACES = Object.keys(PLAIN_SCOPES) as Place[];
/** Beginning of a statistic's name → where it belongs. */
const PREFIXES = PLACES.flatMap((place) =>
  PLAIN_WAYS.map((way) => ({ place, way, prefix: `${PLAIN_SCOPES[place]}.${way}${place === 'all' ? '' : `.${PLAIN_TAG}.`}` })),
);

const ANY = `${TRAFFIC_SCOPE}.plain_`;

/** Picks them out of all statistics. */
export function readPlain(stats: readonly { readonly name?: string; readonly value?: number }[]): PlainCounts {
  const read = {
    at: new Map<string, number>(),
    by: new Map<string, number>(),
    all: new Map<string, number>(),
    open: new Map<string, number>(),
  };
  for (const { name = '', value = 0 } of stats) {
    if (!name.startsWith(ANY)) continue;
    const found = PREFIXES.find(({ place, prefix }) => (place === 'all' ? name === prefix : name.startsWith(prefix)));
    if (found === undefined || value <= 0) continue;
    const { place, way, prefix } = found;
    const key = place === 'all' ? way : `${way}|${name.slice(prefix.length)}`;
    read[place].set(key, (read[place].get(key) ?? 0) + value);
  }
  return read;
}

/** Who did what, where: `port` is undefined where ports were not told apart, `address` where callers were not. */
export interface PlainKey {
  readonly way: PlainWay;
  readonly port: number | undefined;
  readonly address: string | undefined;
}

/** The parts of `WAY|PORT|ADDRESS`. */
export function plainKey(key: string): PlainKey {
  const [way, port = '', address = ''] = key.split('|');
  return {
    way: way === 'refused' ? 'refused' : 'passed',
    port: port === '' ? undefined : Number(port),
    address: address === '' ? undefined : address,
  };
}
