/** What a load client saw: its log lines, and the questions that figures ask of them. Pure. */

/** One request, written when it ended. */
export interface LoadEntry {
  /** When it was due, Unix time in milliseconds. */
  readonly t: number;
  readonly id: string;
  readonly method: 'GET' | 'POST';
  /** HTTP status; 0 when there was none. */
  readonly status: number;
  /** Why there was no good answer. */
  readonly error?: string;
  /** From due to answered, milliseconds. */
  readonly ms: number;
  /** Who answered. */
  readonly cluster?: string;
  readonly version?: string;
  readonly instance?: string;
}

/** A stretch of Unix time in milliseconds: `from` included, `to` not. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

/** The longest time a request may take before it counts as failed (DESIGN.md, what a figure means). */
export const DEADLINE_MS = 1_000;

/** Reads a log; a last line that was cut off is left out. */
export function parseLoadLog(text: string): LoadEntry[] {
  const lines = text.split('\n');
  lines.pop();
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as LoadEntry);
}

/** True when nobody answered well within the deadline. */
export function failed(entry: LoadEntry): boolean {
  return entry.status < 200 || entry.status > 299 || entry.ms > DEADLINE_MS;
}

/** The requests that were due in a window. */
export function within(entries: readonly LoadEntry[], window: Window): LoadEntry[] {
  return entries.filter((entry) => entry.t >= window.from && entry.t < window.to);
}

/** Requests of one method, and those of them that failed. */
export function countFailed(entries: readonly LoadEntry[], method: LoadEntry['method']): { total: number; failed: number } {
  const chosen = entries.filter((entry) => entry.method === method);
  return { total: chosen.length, failed: chosen.filter(failed).length };
}

/** Answered requests by who answered, as parts of 1. */
export function sharesBy(entries: readonly LoadEntry[], key: 'cluster' | 'version' | 'instance'): ReadonlyMap<string, number> {
  const answered = entries.filter((entry) => !failed(entry));
  const counts = new Map<string, number>();
  for (const entry of answered) counts.set(entry[key] ?? 'unknown', (counts.get(entry[key] ?? 'unknown') ?? 0) + 1);
  return new Map([...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => [name, count / answered.length]));
}

/** The largest difference between observed and asked shares, in percentage points; asked shares are parts of 1. */
export function splitError(observed: ReadonlyMap<string, number>, asked: Readonly<Record<string, number>>): number {
  const names = new Set([...observed.keys(), ...Object.keys(asked)]);
  return Math.max(...[...names].map((name) => Math.abs((observed.get(name) ?? 0) - (asked[name] ?? 0)) * 100));
}

/** The longest time without one good answer, milliseconds, by the times at which answers came. */
export function longestGapMs(entries: readonly LoadEntry[]): number {
  const times = entries.filter((entry) => !failed(entry)).map((entry) => entry.t + entry.ms);
  times.sort((a, b) => a - b);
  return times.reduce((longest, time, index) => Math.max(longest, time - (times[index - 1] ?? time)), 0);
}

/** The part of the requests in the 5 s before a kill that the victim answered, parts of 1. */
export function victimShare(entries: readonly LoadEntry[], killedAt: number, isVictim: (entry: LoadEntry) => boolean): number {
  const before = within(entries, { from: killedAt - 5_000, to: killedAt });
  return before.length === 0 ? 0 : before.filter((entry) => !failed(entry) && isVictim(entry)).length / before.length;
}

/** Ids that were delivered more than once, with how often. */
export function duplicates(ids: Iterable<string>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return new Map([...counts].filter(([, count]) => count > 1));
}
