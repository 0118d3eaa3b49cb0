/** Filter chains of one listener: Envoy refuses two of one name, and two that match the same. Pure. */
import type { FilterChainMatchSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_components_pb.ts';
import type { Init } from '../wire-values.ts';

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

/** Lets each combination of conditions through once: the first chain has it. */
export class UniqueMatches {
  readonly #taken = new Set<string>();

  /** What is left of a match; undefined when all of it is taken. */
  take(match: MatchInit): MatchInit | undefined {
    const { serverNames = [], ...others } = match;
    const id = (name: string): string => JSON.stringify([name, others.prefixRanges ?? [], others.sourcePrefixRanges ?? []]);
    const wanted = serverNames.length === 0 ? [''] : [...new Set(serverNames)];
    const free = wanted.filter((name) => !this.#taken.has(id(name)));
    if (free.length === 0) return undefined;
    for (const name of free) this.#taken.add(id(name));
    return serverNames.length === 0 ? match : { ...others, serverNames: free };
  }
}
