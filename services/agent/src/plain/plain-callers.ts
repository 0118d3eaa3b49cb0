/**
 * Who called this agent's sidecars without the mesh's TLS in the last hour, by port and address, minute by minute. Bounded: a proxy
 * keeps so many callers apart, all others are one. No clock, no I/O.
 */
import { type PlainCounts, type PlainKey, plainKey } from './plain-counts.ts';

/** How far back it goes, ms. */
export const LONGEST_WINDOW_MS = 3_600_000;
/** Callers that are told apart: of one proxy, and of all. */
export const MOST_CALLERS = { proxy: 2_000, all: 20_000 } as const;
/** Proxies that are remembered. */
const MOST_PROXIES = 5_000;
const MINUTE_MS = 60_000;
/** A process that was last read this long before it ended told everything. */
const READ_LATELY_MS = 5_000;

/** A caller, or all that are not told apart. */
export interface PlainCaller extends PlainKey {
  /** Requests and connections that ended within the window, and connections that last. */
  readonly count: number;
  /** Connections that last. */
  readonly open: number;
  /** ms. */
  readonly lastSeen: number;
}

/** What is known of one proxy. */
export interface PlainAccount {
  /** Everything since then was counted, ms. */
  readonly since: number;
  /** When it was last read, ms. */
  readonly readAt: number;
  /** The busiest first. */
  readonly callers: readonly PlainCaller[];
}

/** A reading. */
export interface PlainReading {
  readonly counts: PlainCounts;
  /** Seconds that the process has been running. */
  readonly uptime: number;
  /** ms. */
  readonly now: number;
  /** Whether a process that is not known is counted from its beginning: else what it counted before happened nobody knows when. */
  readonly fromBeginning: boolean;
}

interface Entry {
  /** Ended, by minute. */
  readonly minutes: Map<number, number>;
  open: number;
  lastSeen: number;
}

interface Known {
  uptime: number;
  since: number;
  readAt: number;
  /** As last read: exact callers, and what is left to no port, or to no caller. */
  sums: Map<string, number>;
  by: PlainCounts['by'];
  all: PlainCounts['all'];
  readonly entries: Map<string, Entry>;
}

/** Accounts by proxy. */
export class PlainCallers {
  readonly #proxies = new Map<string, Known>();
  readonly #most: { readonly proxy: number; readonly all: number };
  #entries = 0;

  constructor(most: { readonly proxy: number; readonly all: number } = MOST_CALLERS) {
    this.#most = most;
  }

  /** Callers that are told apart now. */
  get size(): number {
    return this.#entries;
  }

  /** Takes a proxy's reading. */
  take(proxy: string, { counts, uptime, now, fromBeginning }: PlainReading): void {
    const before = this.#proxies.get(proxy);
    const known = before ?? this.#begin(proxy, fromBeginning ? now - uptime * 1_000 : now);
    if (before !== undefined && isAnother(before, uptime, now)) {
      // What the process before counted after it was last read is lost.
      if (now - uptime * 1_000 - before.readAt > READ_LATELY_MS) known.since = now - uptime * 1_000;
      Object.assign(known, { sums: new Map(), by: new Map(), all: new Map() });
    }
    const sums = sumsOf(counts, known);
    const isCounted = before !== undefined || fromBeginning;
    if (isCounted) for (const [key, sum] of sums) this.#add(known, key, { more: sum - (known.sums.get(key) ?? 0), now });
    for (const [key, entry] of known.entries) entry.open = counts.open.get(key) ?? 0;
    for (const [key, open] of counts.open) this.#open(known, key, { open, now });
    Object.assign(known, { uptime, readAt: now, sums, by: counts.by, all: counts.all });
    this.#forgetOld(known, now);
  }

  /** Proxies that were read within the hour, connected or not. */
  get proxies(): readonly string[] {
    return [...this.#proxies.keys()];
  }

  /** Forgets proxies that were not read for as long as anybody may ask about. */
  forgetGone(now: number): void {
    for (const [name, { readAt }] of this.#proxies) if (readAt < now - LONGEST_WINDOW_MS) this.#drop(name);
  }

  /** What is known of a proxy; undefined when it was never read. */
  account(proxy: string, { now, windowMs }: { readonly now: number; readonly windowMs: number }): PlainAccount | undefined {
    const known = this.#proxies.get(proxy);
    if (known === undefined) return undefined;
    const callers = [...known.entries].flatMap(([key, { minutes, open, lastSeen }]): PlainCaller[] => {
      if (open === 0 && lastSeen <= now - windowMs) return [];
      // A minute that the window cuts counts whole: rather too many than too few.
      const ended = [...minutes].reduce((sum, [minute, count]) => ((minute + 1) * MINUTE_MS > now - windowMs ? sum + count : sum), 0);
      return [{ ...plainKey(key), count: ended + open, open, lastSeen }];
    });
    return { since: known.since, readAt: known.readAt, callers: callers.sort((a, b) => b.count - a.count) };
  }

  #begin(proxy: string, since: number): Known {
    const [first] = this.#proxies.keys();
    if (this.#proxies.size >= MOST_PROXIES && first !== undefined) this.#drop(first);
    const known: Known = { uptime: 0, since, readAt: since, sums: new Map(), by: new Map(), all: new Map(), entries: new Map() };
    this.#proxies.set(proxy, known);
    return known;
  }

  #drop(proxy: string): void {
    this.#entries -= this.#proxies.get(proxy)?.entries.size ?? 0;
    this.#proxies.delete(proxy);
  }

  #add(known: Known, key: string, { more, now }: { readonly more: number; readonly now: number }): void {
    if (more <= 0) return;
    const entry = this.#entry(known, key);
    const minute = Math.floor(now / MINUTE_MS);
    entry.minutes.set(minute, (entry.minutes.get(minute) ?? 0) + more);
    entry.lastSeen = now;
  }

  #open(known: Known, key: string, { open, now }: { readonly open: number; readonly now: number }): void {
    const entry = this.#entry(known, key);
    // Those without room are one entry.
    entry.open = known.entries.get(key) === entry ? open : entry.open + open;
    entry.lastSeen = now;
  }

  /** Its own; where there is no room, that of all others which went the same way. */
  #entry(known: Known, key: string): Entry {
    const found = known.entries.get(key);
    if (found !== undefined) return found;
    const hasRoom = known.entries.size < this.#most.proxy && this.#entries < this.#most.all;
    const under = hasRoom ? key : `${plainKey(key).way}||`;
    const entry = known.entries.get(under) ?? { minutes: new Map<number, number>(), open: 0, lastSeen: 0 };
    if (!known.entries.has(under)) this.#entries += 1;
    known.entries.set(under, entry);
    return entry;
  }

  #forgetOld(known: Known, now: number): void {
    for (const [key, { minutes, open, lastSeen }] of known.entries) {
      for (const minute of minutes.keys()) {
        if ((minute + 1) * MINUTE_MS > now - LONGEST_WINDOW_MS) break;
        minutes.delete(minute);
      }
      if (open > 0 || lastSeen > now - LONGEST_WINDOW_MS) continue;
      known.entries.delete(key);
      this.#entries -= 1;
    }
  }
}

/** Whether the process is another than that which was read before: it runs for less long than it should by now. */
function isAnother({ uptime: before, readAt }: Known, uptime: number, now: number): boolean {
  return uptime < before || uptime < before + (now - readAt - READ_LATELY_MS) / 1_000;
}

/**
 * Exact callers, and what the Envoy had no room for: `WAY||ADDRESS` is a caller at ports that are not told apart, `WAY||` are callers
 * that are not. An Envoy counts the finest first, and is read while it counts: so the coarser sums are those of the reading before.
 */
function sumsOf(counts: PlainCounts, known: Pick<Known, 'sums' | 'by' | 'all'>): Map<string, number> {
  const sums = new Map(counts.at);
  const rest = (key: string, whole: number, parts: number): void => {
    const sum = Math.max(whole - parts, known.sums.get(key) ?? 0);
    if (sum > 0) sums.set(key, sum);
  };
  const atByCaller = totals(counts.at, (key) => key.replace(/\|[^|]*\|/, '|'));
  for (const [key, whole] of known.by) rest(key.replace('|', '||'), whole, atByCaller.get(key) ?? 0);
  const byWay = totals(counts.by, (key) => key.split('|')[0] ?? '');
  for (const [way, whole] of known.all) rest(`${way}||`, whole, byWay.get(way) ?? 0);
  return sums;
}

function totals(counts: ReadonlyMap<string, number>, keyOf: (key: string) => string): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [key, count] of counts) sums.set(keyOf(key), (sums.get(keyOf(key)) ?? 0) + count);
  return sums;
}
