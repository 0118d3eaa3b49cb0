/**
 * Remembers the traffic of runs beyond what is kept in memory of all traffic. Another hub begins with what it has in memory, and with what
 * the one before it had kept beside the operation.
 */
import type { RunningTrace, TracedTraffic, TraceRow } from '../traffic/traffic-trace.ts';
import { type HeardSecond, joinedSeconds } from './carried-seconds.ts';
import { type KeptSeconds, keptSeconds, secondsKept } from './kept-seconds.ts';
import type { RunSecond } from './run-recovery.ts';

const SECOND_MS = 1_000;
/** Seconds before the run that belong to it: what is usual. */
const BEFORE_MS = 30_000;
/** What memory has, with some room. */
const MEMORY_MS = 840_000;
/** A second is remembered when nobody is expected to add to it. */
const SETTLED_MS = 30_000;

/** Which seconds of which services; times in Unix milliseconds. */
export interface RecordQuestion {
  readonly uid: string;
  readonly services: readonly string[];
  /** When it could begin to hurt. */
  readonly from: number;
  /** What a leader before has kept of it. */
  readonly kept: KeptSeconds | undefined;
  /** Whether versions are told apart. */
  readonly byVersion?: boolean | undefined;
}

interface Recorded {
  readonly question: RecordQuestion;
  readonly carried: ReadonlyMap<number, RunSecond>;
  /** What does not change any more, in order of time. */
  readonly settled: RunSecond[];
  traced: RunningTrace | undefined;
}

/** The seconds of the runs that are under way, by the uid of the run. */
export class RunRecord {
  readonly #traffic: () => TracedTraffic | undefined;
  readonly #recorded = new Map<string, Recorded>();

  constructor(traffic: () => TracedTraffic | undefined) {
    this.#traffic = traffic;
  }

  /** Remembers what is settled of these, and forgets all others. */
  attend(questions: readonly RecordQuestion[]): void {
    const wanted = new Set(questions.map(({ uid }) => uid));
    for (const uid of this.#recorded.keys()) if (!wanted.has(uid)) this.#forget(uid);
    const until = (this.#traffic()?.knownUntil() ?? 0) - SETTLED_MS;
    for (const question of questions) {
      const recorded = this.#recorded.get(question.uid) ?? recordedFrom(question);
      this.#recorded.set(question.uid, recorded);
      recorded.traced ??= this.#traffic()?.trace(question.services);
      const heard = this.#heard(recorded, until);
      // What one report tells of is settled together: its parts are made of its sum.
      const whole = heard.slice(0, heard.findLastIndex(({ dealt }) => dealt.length === 0) + 1);
      recorded.settled.push(...joinedSeconds(whole, recorded.carried));
    }
  }

  /** Every second since shortly before the run, as far as it is known. */
  seconds(question: RecordQuestion): readonly RunSecond[] {
    const recorded = this.#recorded.get(question.uid) ?? recordedFrom(question);
    const heard = this.#heard(recorded, this.#traffic()?.knownUntil() ?? 0);
    return [...recorded.settled, ...joinedSeconds(heard, recorded.carried)];
  }

  /** What whoever leads next goes on from; undefined for runs that are not attended to. */
  kept(uid: string): KeptSeconds | undefined {
    const recorded = this.#recorded.get(uid);
    return recorded === undefined ? undefined : keptSeconds(this.seconds(recorded.question));
  }

  /**
   * In finer steps, what was noted of it before `until` (Unix milliseconds) since it began or, after a change of leader, since then; none
   * where there was no room for all.
   */
  rows({ uid }: Pick<RecordQuestion, 'uid'>, until?: number): readonly TraceRow[] {
    const trace = this.#recorded.get(uid)?.traced?.trace;
    return trace?.isWhole === true ? trace.rows(until) : [];
  }

  #forget(uid: string): void {
    this.#recorded.get(uid)?.traced?.stop();
    this.#recorded.delete(uid);
  }

  #heard({ question: { services, from, byVersion = false }, carried, settled }: Recorded, until: number): HeardSecond[] {
    const traffic = this.#traffic();
    if (traffic === undefined) return [];
    const newest = settled.at(-1)?.at;
    const [oldest = Number.POSITIVE_INFINITY] = carried.keys();
    const first = newest === undefined ? Math.max(floor(from - BEFORE_MS), Math.min(oldest, floor(until - MEMORY_MS))) : newest + SECOND_MS;
    const seconds: HeardSecond[] = [];
    for (let at = first; at + SECOND_MS <= until; at += SECOND_MS) seconds.push(secondOf(traffic, { services, byVersion }, at));
    return seconds;
  }
}

function recordedFrom(question: RecordQuestion): Recorded {
  const seconds = question.kept === undefined ? [] : secondsKept(question.kept);
  return { question, carried: new Map(seconds.map((second) => [second.at, second])), settled: [], traced: undefined };
}

function floor(ms: number): number {
  return Math.floor(ms / SECOND_MS) * SECOND_MS;
}

interface Asked {
  readonly services: readonly string[];
  readonly byVersion: boolean;
}

function secondOf(traffic: TracedTraffic, { services, byVersion }: Asked, at: number): HeardSecond {
  const span = { from: at, to: at + SECOND_MS };
  const by = byVersion ? (['source', 'service', 'cluster', 'version'] as const) : (['source', 'service', 'cluster'] as const);
  const groups = traffic.groups({ ...span, services }, by);
  const { sources } = traffic.window({ ...span, services: [] });
  const dealt = sources.filter(({ cluster }) => traffic.isDealt(cluster, at)).map(({ cluster }) => cluster);
  return {
    ...{ at, dealt },
    unknown: sources.filter(({ cluster, seconds }) => seconds === 0 || dealt.includes(cluster)).map(({ cluster }) => cluster),
    cells: groups.flatMap(({ source, service, destination, sums: { requests, failures, attempts } }) =>
      requests === 0 && attempts === 0
        ? []
        : [
            {
              ...{ service, source, destination: destination.cluster, requests, failed: failures, attempts },
              ...(byVersion ? { version: destination.version } : {}),
            },
          ],
    ),
  };
}
