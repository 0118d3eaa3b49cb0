/**
 * Counts of one series by second, for a while. What is older than a minute is packed: a second with traffic takes a dozen bytes and one
 * without takes none, so that a hub can keep thousands of series.
 */
import { COUNTS, type Counts } from './counts.ts';

/** Minutes that are kept, the one that runs included. */
export const KEPT_MINUTES = 16;
const SECONDS = 60;

interface Minute {
  readonly sums: Float64Array;
  /** By second and count, while it is filled. */
  open: Float64Array | undefined;
  packed: Uint8Array | undefined;
}

/** The seconds of one series. */
export class SecondRing {
  readonly #minutes = new Map<number, Minute>();

  /** Whether nothing is left. */
  get isEmpty(): boolean {
    return this.#minutes.size === 0;
  }

  /** Adds to a second (Unix time). */
  add(second: number, counts: Counts): void {
    const minute = this.#minute(Math.floor(second / SECONDS));
    const open = opened(minute);
    const row = (second % SECONDS) * COUNTS;
    for (const [place, count] of counts.entries()) {
      if (count === 0) continue;
      open[row + place] = (open[row + place] ?? 0) + count;
      minute.sums[place] = (minute.sums[place] ?? 0) + count;
    }
  }

  /** Adds to a minute of which no seconds are known. */
  carry(minute: number, counts: Counts): void {
    const { sums } = this.#minute(minute);
    for (const [place, count] of counts.entries()) sums[place] = (sums[place] ?? 0) + count;
  }

  /** Adds what was counted from one second to before another to `into`. */
  sum(from: number, to: number, into: Float64Array): void {
    for (const [number, minute] of this.#minutes) {
      const begin = number * SECONDS;
      if (begin + SECONDS <= from || begin >= to) continue;
      const rows = minute.open ?? unpacked(minute.packed);
      for (let second = Math.max(from - begin, 0); second < Math.min(to - begin, SECONDS); second += 1)
        for (let place = 0; place < COUNTS; place += 1) into[place] = (into[place] ?? 0) + (rows[second * COUNTS + place] ?? 0);
    }
  }

  /** Sums of a minute, carried ones included; undefined when nothing was counted in it. */
  minuteSums(minute: number): Counts | undefined {
    const sums = this.#minutes.get(minute)?.sums;
    return sums === undefined ? undefined : Array.from(sums);
  }

  /** Forgets what is too old, and packs what will hardly change. */
  age(minuteNow: number): void {
    for (const [number, minute] of this.#minutes) {
      if (number <= minuteNow - KEPT_MINUTES) this.#minutes.delete(number);
      else if (number < minuteNow - 1 && minute.open !== undefined) {
        minute.packed = packed(minute.open);
        minute.open = undefined;
      }
    }
  }

  #minute(number: number): Minute {
    const known = this.#minutes.get(number);
    if (known !== undefined) return known;
    const made = { sums: new Float64Array(COUNTS), open: undefined, packed: undefined };
    this.#minutes.set(number, made);
    return made;
  }
}

function opened(minute: Minute): Float64Array {
  minute.open ??= unpacked(minute.packed);
  minute.packed = undefined;
  return minute.open;
}

/** Of each second with counts: its number, how many places, then each place and its count; as varints. */
function packed(rows: Float64Array): Uint8Array {
  const bytes: number[] = [];
  for (let second = 0; second < SECONDS; second += 1) {
    const row = rows.subarray(second * COUNTS, (second + 1) * COUNTS);
    const places = [...row.entries()].filter(([, count]) => count > 0);
    if (places.length === 0) continue;
    for (const value of [second, places.length, ...places.flat()]) putVarint(bytes, value);
  }
  return Uint8Array.from(bytes);
}

function unpacked(bytes: Uint8Array | undefined): Float64Array {
  const rows = new Float64Array(SECONDS * COUNTS);
  const reader = { bytes: bytes ?? new Uint8Array(), at: 0 };
  while (reader.at < reader.bytes.length) {
    const second = takeVarint(reader);
    for (let places = takeVarint(reader); places > 0; places -= 1) {
      const place = takeVarint(reader);
      rows[second * COUNTS + place] = takeVarint(reader);
    }
  }
  return rows;
}

function putVarint(bytes: number[], value: number): void {
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
}

function takeVarint(reader: { readonly bytes: Uint8Array; at: number }): number {
  let value = 0;
  for (let factor = 1; ; factor *= 128) {
    const byte = reader.bytes[reader.at++] ?? 0;
    value += (byte % 128) * factor;
    if (byte < 128) return value;
  }
}
