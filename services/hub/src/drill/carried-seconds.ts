/** PURE: what a leader heard of a run by itself, joined with what the one before it had kept. */
import { spread } from '../traffic/counts.ts';
import type { RunCell, RunSecond } from './run-recovery.ts';

/** A second as this hub heard it. */
export interface HeardSecond extends RunSecond {
  /** Of the unknown sources, those whose counts were dealt from a report about a longer time: they are in the cells, and when they were is not known. */
  readonly dealt: readonly string[];
}

/**
 * Second by second what is known, by either. Where a report tells of a time of which seconds were kept, they are taken from its sum, and the
 * rest belongs to the seconds that nobody heard.
 */
export function joinedSeconds(heard: readonly HeardSecond[], carried: ReadonlyMap<number, RunSecond>): readonly RunSecond[] {
  const joined = heard.map((second): RunSecond => joinedSecond(second, carried.get(second.at)));
  const sources = new Set(heard.flatMap(({ dealt }) => dealt));
  for (const source of sources) for (const stretch of stretches(heard, source)) settle(joined, heard, { ...stretch, source });
  return joined;
}

/** Sources that this hub did not hear itself are taken as they were kept. */
function joinedSecond({ at, unknown, cells }: HeardSecond, kept: RunSecond | undefined): RunSecond {
  const taken = kept === undefined ? [] : unknown.filter((source) => !kept.unknown.includes(source));
  if (kept === undefined || taken.length === 0) return { at, unknown, cells };
  return {
    at,
    unknown: unknown.filter((source) => !taken.includes(source)),
    cells: [...cells.filter(({ source }) => !taken.includes(source)), ...kept.cells.filter(({ source }) => taken.includes(source))],
  };
}

/** Places in a row: from one to before another. */
interface Stretch {
  readonly from: number;
  readonly to: number;
}

/** Seconds in a row that one report of a source tells of. */
function stretches(heard: readonly HeardSecond[], source: string): readonly Stretch[] {
  const found: Stretch[] = [];
  for (const [place, { dealt }] of heard.entries()) {
    if (!dealt.includes(source)) continue;
    const last = found.at(-1);
    if (last?.to === place) found[found.length - 1] = { from: last.from, to: place + 1 };
    else found.push({ from: place, to: place + 1 });
  }
  return found;
}

/** What is left of the sum, for the seconds that nobody heard. */
function settle(joined: RunSecond[], heard: readonly HeardSecond[], { from, to, source }: Stretch & { readonly source: string }): void {
  const places = Array.from({ length: to - from }, (_, index) => from + index);
  const open = places.filter((place) => joined[place]?.unknown.includes(source));
  if (open.length === 0 || open.length === places.length) return;
  const told = cellsOf(heard.slice(from, to), source);
  const known = cellsOf(
    joined.slice(from, to).filter(({ unknown }) => !unknown.includes(source)),
    source,
  );
  const rest = restOf(told, known);
  for (const [index, place] of open.entries()) {
    const second = joined[place];
    if (second === undefined) continue;
    const own = rest.map((cell) => part(cell, index, open.length)).filter(({ requests, attempts }) => requests > 0 || attempts > 0);
    joined[place] = { ...second, cells: [...second.cells.filter((cell) => cell.source !== source), ...own] };
  }
}

function cellsOf(seconds: readonly RunSecond[], source: string): readonly RunCell[] {
  return seconds.flatMap(({ cells }) => cells.filter((cell) => cell.source === source));
}

/** The sum of some less that of others, by service, destination and version. */
function restOf(told: readonly RunCell[], known: readonly RunCell[]): readonly RunCell[] {
  const rest = new Map<string, RunCell>();
  const add = (cell: RunCell, sign: 1 | -1): void => {
    const key = `${cell.service} ${cell.destination} ${cell.version ?? ''}`;
    const { requests = 0, failed = 0, attempts = 0 } = rest.get(key) ?? {};
    rest.set(key, {
      ...cell,
      requests: requests + sign * cell.requests,
      failed: failed + sign * cell.failed,
      attempts: attempts + sign * cell.attempts,
    });
  };
  for (const cell of told) add(cell, 1);
  for (const cell of known) add(cell, -1);
  return [...rest.values()].map((cell) => ({
    ...cell,
    ...{ requests: Math.max(0, cell.requests), failed: Math.max(0, cell.failed), attempts: Math.max(0, cell.attempts) },
  }));
}

/** An even part, in whole numbers whose sum is exact. */
function part(cell: RunCell, index: number, of: number): RunCell {
  const counts: number[][] = [];
  spread([cell.requests, cell.failed, cell.attempts], { from: 0, to: of }, (_, own) => counts.push([...own]), 1);
  const [requests = 0, failed = 0, attempts = 0] = counts[index] ?? [];
  return { ...cell, requests, failed, attempts };
}
