/** What the scenario's steps share: the federation, the figures, and what was killed when. */
import type { FigureBook } from '../figures.ts';
import type { LoadEntry } from '../load-log.ts';
import type { RunningDemo } from '../start.ts';

/** One kill, for the log beside the report. */
export interface Kill {
  readonly step: string;
  /** Unix time, milliseconds. */
  readonly at: number;
  readonly victims: readonly { readonly name: string; readonly pid: number }[];
  /** The victims' part of the traffic in the 5 s before, parts of 1; 1 is all. */
  readonly share: number | undefined;
  /** POSTs from a second before the kill on that failed. */
  readonly failedPosts: number;
}

/** What a step works on. */
export interface StepContext {
  readonly demo: RunningDemo;
  readonly book: FigureBook;
  readonly kills: Kill[];
  /** Everything every client saw. */
  readonly seen: LoadEntry[][];
}

/** One part of the scenario. It leaves the federation whole, as it found it. */
export interface Step {
  readonly name: string;
  readonly title: string;
  /** Figures it notes. */
  readonly keys: readonly string[];
  run(context: StepContext): Promise<void>;
}

/** Requests a second in all, one in twenty a POST (issue, figures). */
export const RATE = 200;
export const POST_EVERY = 20;
/** Traffic before a kill, so that the victim's share over 5 s is known. */
export const BEFORE_MS = 7_000;
/** Traffic after a kill: at 190 GETs a second this alone is more than 8,000. */
export const AFTER_MS = 44_000;
