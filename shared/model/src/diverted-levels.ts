/** What diversions make of an order of places: who takes what in the place of whom. Pure. */
import { type Diversion, type DivertedPlace, isFrom } from './diversion.ts';

/** A place and its weight, relative within its level. */
export interface Weighted<Place> {
  readonly place: Place;
  /** Integer ≥ 1. */
  readonly weight: number;
}

/** Places that share what comes; the levels after it stand in for it. */
export type Level<Place> = readonly Weighted<Place>[];

/** What a place must tell of itself. */
export type Divertible = DivertedPlace & { readonly endpoints: number };

/** Shares are counted in millionths. */
const WHOLE = 1_000_000;

/**
 * The levels with diversions, of which the strongest from a place counts. Of the first level's requests a place keeps what is not
 * taken from it. The rest goes where the diversion says, else to the nearest places that nothing is taken from, of the same level
 * or of one after it; who takes of it becomes part of the first level. What nobody could take stays. Places of which all is taken are
 * gone, or the last level of all where they are the last resort. Levels are the very same when no diversion is from any place.
 */
export function divertedLevels<Place extends Divertible>(
  levels: readonly Level<Place>[],
  diversions: readonly Diversion[],
): readonly Level<Place>[] {
  const over = strongest(levels, diversions);
  if (over.size === 0) return levels;
  const shares = new Map<Place, number>();
  settle(0, 1, { levels, over, shares });
  const isGone = (place: Place): boolean => (over.get(place)?.percent ?? 0) >= 100;
  const all = levels.flat();
  const first = all.flatMap(({ place }) => {
    const share = shares.get(place) ?? 0;
    return share > 0 ? [{ place, weight: Math.max(1, Math.round(share * WHOLE)) }] : [];
  });
  const rest = levels.map((level) => lessened(level, over).filter(({ place }) => !isGone(place) && !shares.has(place)));
  const last = all.filter(({ place }) => isGone(place) && over.get(place)?.isLastResort === true);
  const left = [reduced(first), ...rest, last].filter((level) => level.length > 0);
  return left.length > 0 ? left : [all.filter(({ place }) => over.get(place)?.keepsAlone === true)].filter((level) => level.length > 0);
}

/** Of several diversions from a place the one that takes most; of equal ones that which leaves nothing behind. */
function strongest<Place extends Divertible>(levels: readonly Level<Place>[], diversions: readonly Diversion[]): Map<Place, Diversion> {
  const over = new Map<Place, Diversion>();
  for (const { place } of levels.flat()) {
    const [first] = diversions
      .filter((diversion) => diversion.percent > 0 && isFrom(diversion, place))
      .sort((a, b) => b.percent - a.percent || Number(a.isLastResort) - Number(b.isLastResort));
    if (first !== undefined) over.set(place, first);
  }
  return over;
}

interface Settling<Place> {
  readonly levels: readonly Level<Place>[];
  readonly over: ReadonlyMap<Place, Diversion>;
  /** Of all requests, by the place that takes them. */
  readonly shares: Map<Place, number>;
}

/** Gives an amount to the first level of which not all is taken, and to those that its part is diverted to. */
function settle<Place extends Divertible>(index: number, amount: number, settling: Settling<Place>): void {
  const { levels, over } = settling;
  const level = levels[index];
  if (level === undefined || amount === 0) return;
  const free = levels.slice(index).map((one) => one.filter(({ place }) => !over.has(place)));
  const takers = free.find((one) => one.length > 0);
  const keeping = level.filter(({ place }) => (over.get(place)?.percent ?? 0) < 100);
  let moved = 0;
  for (const one of level) {
    const { place, weight } = one;
    const part = (amount * weight) / sumOf(level);
    const diversion = over.get(place);
    const taken = takers === undefined && keeping.includes(one) ? 0 : takenFrom(part, diversion);
    give(settling, place, part - taken);
    if (diversion === undefined || !isSent(diversion, taken, settling)) moved += taken;
  }
  if (keeping.length === 0) settle(index + 1, moved, settling);
  else spread(moved, takers ?? keeping, settling);
}

/** Of all nothing is left, which arithmetic alone would not say. */
function takenFrom(part: number, diversion: Diversion | undefined): number {
  const percent = diversion?.percent ?? 0;
  return percent >= 100 ? part : (part * percent) / 100;
}

/** Whether the places that a diversion names took the amount; false when none of them can. */
function isSent<Place extends Divertible>({ to = [] }: Diversion, amount: number, settling: Settling<Place>): boolean {
  const free = settling.levels.flat().filter(({ place }) => !settling.over.has(place));
  const targets = to.flatMap(({ region, cluster, weight = 1 }) => {
    const places = free.filter(({ place }) => (region === undefined ? place.cluster === cluster : place.region === region));
    return places.length === 0 ? [] : [{ weight, places: places.map(({ place }) => ({ place, weight: place.endpoints })) }];
  });
  const total = targets.reduce((sum, { weight }) => sum + weight, 0);
  for (const { places, weight } of targets) spread((amount * weight) / total, places, settling);
  return targets.length > 0;
}

/** Divides an amount by weights. */
function spread<Place>(amount: number, places: Level<Place>, settling: Settling<Place>): void {
  const total = sumOf(places);
  for (const { place, weight } of places) give(settling, place, (amount * weight) / total);
}

function give<Place>({ shares }: Settling<Place>, place: Place, amount: number): void {
  if (amount > 0) shares.set(place, (shares.get(place) ?? 0) + amount);
}

/** Of a level that stands in, a place takes as much less as is taken from it. */
function lessened<Place extends Divertible>(level: Level<Place>, over: ReadonlyMap<Place, Diversion>): Level<Place> {
  if (!level.some(({ place }) => over.has(place))) return level;
  return level.map(({ place, weight }) => ({
    place,
    weight: Math.max(1, Math.round(weight * (100 - Math.min(100, over.get(place)?.percent ?? 0)))),
  }));
}

function sumOf(places: Level<unknown>): number {
  return places.reduce((sum, { weight }) => sum + weight, 0);
}

/** The same shares by the smallest weights. */
function reduced<Place>(level: Level<Place>): Level<Place> {
  const factor = level.reduce((common, { weight }) => divisor(common, weight), 0);
  return factor <= 1 ? level : level.map(({ place, weight }) => ({ place, weight: weight / factor }));
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}
