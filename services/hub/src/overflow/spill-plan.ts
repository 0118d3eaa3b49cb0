/** How much of what would go to overloaded places goes elsewhere, and where: what one look at their loads makes of it. Pure. */
import { isDeepStrictEqual } from 'node:util';

/** What one place bears of one service, and what it can. */
export interface PlaceLoad {
  /** `region NAME` or `cluster NAME`. */
  readonly place: string;
  /** Requests a second that it can take; undefined: not known, it is taken to have room. */
  readonly capacity: number | undefined;
  /** Requests a second that arrive, all callers together. */
  readonly perSecond: number;
}

/** What is taken from a place. */
export interface Spilling {
  /** Of what would go there; 0.1 steps. */
  readonly percent: number;
  /** Who takes it, by weight; empty: the next in the order of the service. */
  readonly to: Readonly<Record<string, number>>;
}

/** Spilling places; the others bear what comes to them. */
export type Spills = Readonly<Record<string, Spilling>>;

/** How eagerly excess is moved. */
export interface SpillLimits {
  /** Part of its capacity that a place is loaded up to. */
  readonly at: number;
  /** Part of its capacity below which a place takes back what was moved: less than `at`, so that it does not go to and fro. */
  readonly returnBelow: number;
  /** Most that a percentage changes by. */
  readonly mostChange: number;
}

/** Beyond it too little arrives to tell what would. */
const MOST_PERCENT = 95;
/** Smaller changes are not worth one. */
const LEAST_CHANGE = 1;

/**
 * The spills after a look at loads that were measured under `before`. A place whose demand (what would arrive if nothing were moved) is
 * above `at` of its capacity spills the excess; it takes back what keeps it below `returnBelow`; in between nothing changes. The excess
 * goes to places by the room that they have, and no more than there is room for; where room is not known, the order decides. The very
 * same object when nothing is to change.
 */
export function nextSpills(loads: readonly PlaceLoad[], before: Spills, limits: SpillLimits): Spills {
  const demands = demandsOf(loads, before);
  const asked = new Map(
    loads.flatMap((load) => {
      const percent = askedPercent(load, demands.get(load.place) ?? 0, { before: before[load.place]?.percent ?? 0, limits });
      return percent > 0 ? [[load.place, percent] as const] : [];
    }),
  );
  const rooms = roomsOf(loads, { demands, asked, at: limits.at });
  const excess = [...asked].reduce((sum, [place, percent]) => sum + ((demands.get(place) ?? 0) * percent) / 100, 0);
  const part = rooms.isBounded && excess > rooms.known ? rooms.known / excess : 1;
  const to = rooms.isBounded || rooms.known >= excess ? weightsOf(rooms.byPlace) : {};
  const next = Object.fromEntries(
    [...asked].flatMap(([place, percent]) => {
      const found = rounded(percent * part);
      return found > 0 ? [[place, { percent: found, to }] as const] : [];
    }),
  );
  return isSettled(before, next, loads, limits) || isDeepStrictEqual(before, next) ? before : next;
}

/** What would arrive at each place if nothing were moved: what does, and what is moved away, without what is moved there. */
function demandsOf(loads: readonly PlaceLoad[], spills: Spills): ReadonlyMap<string, number> {
  const moved = Object.entries(spills).map(([place, { percent, to }]) => {
    const kept = loads.find((load) => load.place === place)?.perSecond ?? 0;
    return { amount: (kept * percent) / (100 - percent), to, total: Object.values(to).reduce((sum, weight) => sum + weight, 0) };
  });
  return new Map(
    loads.map(({ place, perSecond }) => {
      const spilling = spills[place];
      if (spilling !== undefined) return [place, (perSecond * 100) / (100 - spilling.percent)];
      const taken = moved.reduce((sum, { amount, to, total }) => sum + (total === 0 ? 0 : (amount * (to[place] ?? 0)) / total), 0);
      return [place, Math.max(0, perSecond - taken)];
    }),
  );
}

function askedPercent({ capacity }: PlaceLoad, demand: number, { before, limits }: { before: number; limits: SpillLimits }): number {
  if (capacity === undefined) return 0;
  const beyond = (part: number): number => (demand <= part * capacity ? 0 : 100 * (1 - (part * capacity) / demand));
  const [least, most] = [beyond(limits.at), beyond(limits.returnBelow)];
  const wanted = before < least ? least : before > most ? most : before;
  const bounded = Math.min(before + limits.mostChange, Math.max(before - limits.mostChange, wanted));
  return Math.min(MOST_PERCENT, bounded);
}

interface Rooms {
  readonly byPlace: ReadonlyMap<string, number>;
  /** All of it. */
  readonly known: number;
  /** Whether there is no place whose room is not known. */
  readonly isBounded: boolean;
}

function roomsOf(
  loads: readonly PlaceLoad[],
  { demands, asked, at }: { demands: ReadonlyMap<string, number>; asked: ReadonlyMap<string, number>; at: number },
): Rooms {
  const others = loads.filter(({ place }) => !asked.has(place));
  const byPlace = new Map(
    others.flatMap(({ place, capacity }) => {
      const room = capacity === undefined ? 0 : at * capacity - (demands.get(place) ?? 0);
      return room > 0 ? [[place, room] as const] : [];
    }),
  );
  const known = [...byPlace.values()].reduce((sum, room) => sum + room, 0);
  return { byPlace, known, isBounded: others.every(({ capacity }) => capacity !== undefined) };
}

/** Whole hundredths of the room, each at least one. */
function weightsOf(rooms: ReadonlyMap<string, number>): Readonly<Record<string, number>> {
  const total = [...rooms.values()].reduce((sum, room) => sum + room, 0);
  return Object.fromEntries([...rooms].map(([place, room]) => [place, Math.max(1, Math.round((100 * room) / total))]));
}

/** Whether a change is not worth one: no percentage moves by much, and nobody who takes is loaded beyond what it should be. */
function isSettled(before: Spills, next: Spills, loads: readonly PlaceLoad[], { at }: SpillLimits): boolean {
  const [was, is] = [Object.keys(before), Object.keys(next)];
  if (was.length !== is.length || is.some((place) => before[place] === undefined)) return false;
  if (is.some((place) => Math.abs((next[place]?.percent ?? 0) - (before[place]?.percent ?? 0)) >= LEAST_CHANGE)) return false;
  const takers = new Set(Object.values(before).flatMap(({ to }) => Object.keys(to)));
  return !loads.some(({ place, capacity, perSecond }) => takers.has(place) && capacity !== undefined && perSecond > at * capacity * 1.02);
}

function rounded(percent: number): number {
  return Math.round(percent * 10) / 10;
}
