/**
 * What an agent told while nobody heard it: its next report is held until it has told that again, so that each second has what was counted
 * in it. Who does not answer in time is taken at his word, as one report about all of the time.
 */
import type { TrafficReport } from '@hawser/wire/traffic.ts';
import type { ReportStream } from './report-stream.ts';

/** A report, and when it was heard, or was due; Unix milliseconds. */
export interface TimedReport {
  readonly report: TrafficReport;
  readonly at: number;
}

/** Asks one agent for what it counted in the last so many milliseconds; resolves false when it will not tell. */
export type AskAgain = (agent: { readonly cluster: string; readonly replica: string }, sinceMs: number) => Promise<boolean>;

interface Held {
  readonly reports: TimedReport[];
  readonly until: number;
}

/** It tells with its next report, which may be a second away. */
const WAIT_MS = 3_000;
/** An agent is not asked oftener. */
const PAUSE_MS = 10_000;
/** An agent tells ten a second. */
const MOST_HELD = 100;

/** Reports of one agent. No clock. */
export class MissedReports {
  readonly #ask: (sinceMs: number) => Promise<boolean>;
  #held: Held | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;
  /** It has said that it will not tell. */
  #isRefused = false;

  constructor(ask: (sinceMs: number) => Promise<boolean>) {
    this.#ask = ask;
  }

  /** Whether it was asked, and its reports wait for the answer; no longer than they may. */
  isWaiting(now: number): boolean {
    return this.#held !== undefined && now < this.#held.until;
  }

  /** What is to be taken now that this one was heard, in order of time; none while it is held. */
  next(heard: TimedReport, stream: Pick<ReportStream, 'at' | 'misses'>): readonly TimedReport[] {
    const held = this.#held;
    if (held === undefined) {
      if (!stream.misses(heard.report, heard.at) || heard.at - this.#askedAt < PAUSE_MS) return [heard];
      this.#begin(heard, heard.at - stream.at);
      return [];
    }
    held.reports.push(heard);
    const { past } = heard.report;
    const isOver = past !== undefined || this.#isRefused || heard.at >= held.until || held.reports.length >= MOST_HELD;
    if (!isOver) return [];
    this.#held = undefined;
    return [...pastOf(heard, { after: stream.at, before: held.reports[0]?.at ?? heard.at }), ...held.reports];
  }

  #begin(heard: TimedReport, sinceMs: number): void {
    this.#held = { reports: [heard], until: heard.at + WAIT_MS };
    this.#askedAt = heard.at;
    this.#isRefused = false;
    const refused = (): void => {
      this.#isRefused = true;
    };
    this.#ask(sinceMs).then((isTold) => (isTold ? undefined : refused()), refused);
  }
}

/** What it told again, as reports of then. */
function pastOf({ report, at }: TimedReport, span: { readonly after: number; readonly before: number }): readonly TimedReport[] {
  return (report.past ?? [])
    .map(({ ago, series }) => ({ at: at - ago, report: { ...report, series } }))
    .filter((one) => one.at > span.after && one.at < span.before)
    .sort((a, b) => a.at - b.at);
}
