/** Which version of each name somebody has, and one digest over all of it that costs only the change to keep. */

/** What a table adds up to; tables without a name in common add up to the table of both. */
export interface VersionSum {
  readonly size: number;
  readonly low: number;
  readonly high: number;
}

/** 16 hex digits that stand for the content of all the tables together; empty for nothing. */
export function digestOf(...sums: readonly VersionSum[]): string {
  let [size, low, high] = [0, 0, 0];
  for (const sum of sums) {
    size += sum.size;
    low += sum.low;
    high += sum.high;
  }
  return size === 0 ? '' : hex(high >>> 0) + hex(low >>> 0);
}

/** The sum over pairs of a name and a version, modulo 2^64 in two halves: what `digestOf` stands for. */
export class PairSum implements VersionSum {
  size: number;
  low: number;
  high: number;

  constructor({ size, low, high }: VersionSum = { size: 0, low: 0, high: 0 }) {
    this.size = size;
    this.low = low;
    this.high = high;
  }

  /** Takes the pair of the name with `before` out and the one with `after` in; undefined stands for no pair. */
  replace(name: string, before: string | undefined, after: string | undefined): void {
    if (before === after) return;
    if (before !== undefined) this.#count(pairOf(name, before), -1);
    if (after !== undefined) this.#count(pairOf(name, after), 1);
  }

  #count({ low, high }: Pair, sign: 1 | -1): void {
    this.size += sign;
    this.low = (this.low + sign * low) >>> 0;
    this.high = (this.high + sign * high) >>> 0;
  }
}

/**
 * Name → version, with a digest that does not depend on the order in which it was filled. Many tables that say nearly the same
 * may share one as their base: each then keeps only what it says otherwise.
 */
export class VersionTable {
  #base: VersionTable | undefined;
  /** What is not as in the base; null for a name of the base that is not here. */
  #own = new Map<string, string | null>();
  #sum = new PairSum();

  get size(): number {
    return this.#sum.size;
  }

  get sum(): VersionSum {
    return this.#sum;
  }

  /** 16 hex digits that stand for the content; empty for nothing. */
  get digest(): string {
    return digestOf(this.sum);
  }

  /** How many names are kept here and not in the base. */
  get ownSize(): number {
    return this.#own.size;
  }

  /** Becomes equal to the base, which must never change again. */
  share(base: VersionTable): void {
    this.#base = base;
    this.#own = new Map();
    this.#sum = new PairSum(base.sum);
  }

  get(name: string): string | undefined {
    const own = this.#own.get(name);
    return own === undefined ? this.#base?.get(name) : (own ?? undefined);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  *keys(): Generator<string> {
    for (const [name, version] of this.#own) if (version !== null) yield name;
    if (this.#base !== undefined) for (const name of this.#base.keys()) if (!this.#own.has(name)) yield name;
  }

  /** Sets the version of a name, or takes the name out. */
  set(name: string, version: string | undefined): void {
    const before = this.get(name);
    if (before === version) return;
    if (version === this.#base?.get(name)) this.#own.delete(name);
    else this.#own.set(name, version ?? null);
    this.#sum.replace(name, before, version);
  }
}

interface Pair {
  readonly name: string;
  readonly low: number;
  readonly high: number;
}

/** Pairs hashed before, by version, which is a content hash and so belongs to one name: all streams are told the same ones. */
const pairs = new Map<string, Pair>();
const MOST_PAIRS = 20_000;

function pairOf(name: string, version: string): Pair {
  const known = pairs.get(version);
  if (known?.name === name) return known;
  const pair = { name, low: hash(name, version, 0x811c9dc5), high: hash(name, version, 0x2c1b3c6d) };
  if (pairs.size >= MOST_PAIRS) pairs.clear();
  pairs.set(version, pair);
  return pair;
}

/** FNV-1a over both texts with a final mix (MurmurHash3's), so that sums of many stay apart. */
function hash(name: string, version: string, seed: number): number {
  let state = seed;
  for (let at = 0; at < name.length; at += 1) state = Math.imul(state ^ name.charCodeAt(at), 0x01000193);
  state = Math.imul(state ^ 0xffff, 0x01000193);
  for (let at = 0; at < version.length; at += 1) state = Math.imul(state ^ version.charCodeAt(at), 0x01000193);
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}

function hex(half: number): string {
  return half.toString(16).padStart(8, '0');
}
