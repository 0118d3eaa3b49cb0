/** Filter chains of one listener: Envoy refuses two of one name, and two that match the same. Pure. */
import type { FilterChainMatchSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_components_pb.ts';
import type { Init } from './wire-values.ts';

/** What a chain is for. */
export type MatchInit = Init<typeof FilterChainMatchSchema>;

/** Gives each name once. */
export class UniqueNames {
  readonly #taken = new Set<string>();

  /** The name, or the next one that is free. */
  take(name: string): string {
    let free = name;
    for (let next = 2; this.#taken.has(free); next += 1) free = `${name}#${next}`;
    this.#taken.add(free);
    return free;
  }
}

/** Conditions of which any one of several values is enough: Envoy compares them one by one. */
const LISTS = ['serverNames', 'prefixRanges', 'sourcePrefixRanges'] as const;
type Combination = Readonly<Record<(typeof LISTS)[number], string>>;

/** Lets each combination of conditions through once: the first chain has it. */
export class UniqueMatches {
  readonly #taken = new Set<string>();

  /** What is left of a match; undefined when nothing of it is that a chain could have by itself. */
  take(match: MatchInit): MatchInit | undefined {
    const all = combinationsOf(match);
    const taken = all.filter((one) => this.#taken.has(idOf(match, one)));
    const free = taken.length === 0 ? match : narrowed(match, taken);
    if (free !== undefined) for (const one of combinationsOf(free)) this.#taken.add(idOf(match, one));
    return free;
  }
}

/** Without the values of one condition that are taken; undefined when that leaves none of any. */
function narrowed(match: MatchInit, taken: readonly Combination[]): MatchInit | undefined {
  for (const list of LISTS) {
    const gone = new Set(taken.map((one) => one[list]));
    const left = (match[list] ?? []).filter((value) => !gone.has(JSON.stringify(value)));
    if (left.length > 0) return { ...match, [list]: left };
  }
  return undefined;
}

function combinationsOf(match: MatchInit): Combination[] {
  const [names, ranges, sources] = LISTS.map((list) => [
    ...new Set(match[list]?.length ? match[list].map((one) => JSON.stringify(one)) : ['']),
  ]);
  return (names ?? []).flatMap((serverNames) =>
    (ranges ?? []).flatMap((prefixRanges) =>
      (sources ?? []).map((sourcePrefixRanges) => ({ serverNames, prefixRanges, sourcePrefixRanges })),
    ),
  );
}

function idOf({ destinationPort, transportProtocol, applicationProtocols = [] }: MatchInit, one: Combination): string {
  return JSON.stringify([destinationPort, transportProtocol, applicationProtocols, ...LISTS.map((list) => one[list])]);
}
