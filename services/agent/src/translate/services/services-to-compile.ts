/** Which services a world gives reason to compile anew. What did not change is found by identity. Pure. */
import type { Dirty } from '../../state/federation.ts';
import type { World } from '../../state/world.ts';
import type { Fleet } from '../fleet.ts';
import type { Indexes } from '../indexes.ts';
import type { CompiledService } from './compiled-service.ts';
import { withSelecting } from './external-inputs.ts';
import type { EntryIndex } from './service-entries.ts';

/** What services are compiled from, beside their shards. */
export interface Grounds extends Pick<Indexes, 'policies' | 'entries'> {
  readonly fleet: Fleet | undefined;
}

/** The state as it was compiled last. */
export interface CompiledGrounds extends Grounds {
  readonly services: ReadonlyMap<string, CompiledService>;
  /** The shards, if all of them were compiled. */
  readonly shards: World['shards'] | undefined;
}

/** Keys of all services that may have to be compiled; one that has no reason to stays out, or costs a look. */
export function servicesToCompile(world: World, dirty: Dirty, now: Grounds, before: CompiledGrounds): ReadonlySet<string> {
  const isSame = now.policies === before.policies;
  if (dirty !== 'all' && isSame && now.fleet === before.fleet) return withGuests(withSelecting(dirty.services, now.entries), before);
  const touched = isSame ? NONE : now.policies.touched;
  if (now.fleet !== before.fleet || touched === undefined)
    return new Set([world.shards, now.entries.byKey, now.policies.hosts, before.services].flatMap((named) => [...named.keys()]));
  const differing = new Set([...(dirty === 'all' ? NONE : dirty.services), ...differingShards(world, before)]);
  return new Set([
    ...withGuests(withSelecting(differing, now.entries), before),
    ...differingEntries(before.entries, now.entries),
    ...touched,
  ]);
}

/** Any endpoint of the own cluster may take an address from guests, or give it back; few services have guests. */
function withGuests(keys: ReadonlySet<string>, { services }: CompiledGrounds): ReadonlySet<string> {
  if (keys.size === 0) return keys;
  const visited = [...services].filter(([, { input }]) => input.guests !== undefined).map(([key]) => key);
  return visited.length === 0 ? keys : new Set([...keys, ...visited]);
}

const NONE: ReadonlySet<string> = new Set();

function differingShards({ shards }: World, { shards: compiled, services }: CompiledGrounds): string[] {
  if (shards === compiled) return [];
  const gone = [...services].filter(([key, { input }]) => input.shards.size > 0 && !shards.has(key)).map(([key]) => key);
  return [...gone, ...[...shards.keys()].filter((key) => services.get(key)?.input.shards !== shards.get(key))];
}

function differingEntries({ byKey: before }: EntryIndex, { byKey: now }: EntryIndex): string[] {
  if (before === now) return [];
  return [...new Set([...before.keys(), ...now.keys()])].filter((key) => before.get(key) !== now.get(key));
}
