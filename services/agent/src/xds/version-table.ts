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

/** Name → version, with a digest that does not depend on the order in which it was filled. */
export class VersionTable {
  readonly #versions = new Map<string, string>();
  #low = 0;
  #high = 0;

  get size(): number {
    return this.#versions.size;
  }

  get sum(): VersionSum {
    return { size: this.#versions.size, low: this.#low, high: this.#high };
  }

  /** 16 hex digits that stand for the content; empty for nothing. */
  get digest(): string {
    return digestOf(this.sum);
  }

  get(name: string): string | undefined {
    return this.#versions.get(name);
  }

  has(name: string): boolean {
    return this.#versions.has(name);
  }

  keys(): IterableIterator<string> {
    return this.#versions.keys();
  }

  set(name: string, version: string): void {
    const before = this.#versions.get(name);
    if (before === version) return;
    if (before !== undefined) this.#count(name, before, -1);
    this.#versions.set(name, version);
    this.#count(name, version, 1);
  }

  delete(name: string): void {
    const before = this.#versions.get(name);
    if (before === undefined) return;
    this.#versions.delete(name);
    this.#count(name, before, -1);
  }

  /** The sum of the pairs' hashes modulo 2^64, in two halves. */
  #count(name: string, version: string, sign: 1 | -1): void {
    const { low, high } = pairOf(name, version);
    this.#low = (this.#low + sign * low) >>> 0;
    this.#high = (this.#high + sign * high) >>> 0;
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
