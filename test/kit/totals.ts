/**
 * What all tests of sync, simulation and replicas looked at, and what of it was wrong. A test process adds its part to a file that
 * `npm test` names, sums and prints as one line; run by itself, a test adds to nothing.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';

/** What may never be: each must stay 0. */
export interface Wrongs {
  /** Acknowledged writes that somebody who should have them never got. */
  lost: number;
  /** Things that disappeared though their owner never took them away. */
  falseRemovals: number;
  /** Pushes that left a proxy without endpoints that are there. */
  emptyPushes: number;
  /** Documents that were acted on though their owner never said them, or had said something newer. */
  staleOrForged: number;
}

/** How much was looked at: a thing that nobody looks at is proven by nothing. */
export interface Looks {
  /** Acknowledged writes whose fate was followed to the end. */
  writes: number;
  /** Disappearances that were compared with their owner's word. */
  removals: number;
  /** Assignments given to proxies. */
  pushes: number;
  /** Documents acted on, compared with what their owner had said by then, and hostile ones offered. */
  documents: number;
}

/** Both. */
export interface Totals extends Wrongs, Looks {}

/** Names the file that parts are added to. */
export const TOTALS_FILE = 'HAWSER_TEST_TOTALS';

/** Nothing looked at, nothing wrong. */
export function noTotals(): Totals {
  return { lost: 0, falseRemovals: 0, emptyPushes: 0, staleOrForged: 0, writes: 0, removals: 0, pushes: 0, documents: 0 };
}

/** Adds one part to another. */
export function addTotals(to: Totals, part: Partial<Totals>): Totals {
  for (const key of Object.keys(to) as (keyof Totals)[]) to[key] += part[key] ?? 0;
  return to;
}

/** A test tells what it looked at. Call it before the assertions: what is wrong counts too. */
export function account(part: Partial<Totals>): void {
  const file = process.env[TOTALS_FILE];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(addTotals(noTotals(), part))}\n`);
}

/** Sums what the tests told. */
export function readTotals(file: string): Totals {
  const totals = noTotals();
  if (!existsSync(file)) return totals;
  for (const line of readFileSync(file, 'utf8').split('\n')) if (line !== '') addTotals(totals, JSON.parse(line) as Totals);
  return totals;
}

/** The line that `npm test` prints. */
export function totalsLine({ lost, falseRemovals, emptyPushes, staleOrForged, ...looks }: Totals): string {
  const wrongs = `acked writes lost ${lost}, false removals ${falseRemovals}, empty pushes ${emptyPushes}, stale or forged acted on ${staleOrForged}`;
  const { writes, removals, pushes, documents } = looks;
  return `${wrongs} (of ${writes} writes, ${removals} removals, ${pushes} pushes, ${documents} documents checked)`;
}

/** How many of the totals are not as they must be; of a run of all tests, each look must have been taken. */
export function wrongTotals({ lost, falseRemovals, emptyPushes, staleOrForged, ...looks }: Totals, whole: boolean): number {
  const wrongs = [lost, falseRemovals, emptyPushes, staleOrForged].filter((count) => count > 0).length;
  return wrongs + (whole ? Object.values(looks).filter((count) => count === 0).length : 0);
}
