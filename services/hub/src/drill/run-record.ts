/** Remembers the traffic of runs beyond what is kept in memory of all traffic. Another hub begins with what it has in memory. */
import type { MeasuredTraffic } from '@hawser/model/measured-traffic.ts';
import type { TraceRow, TrafficTrace } from '../traffic/traffic-trace.ts';
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
}

/** Traffic that may be noted in finer steps, too. */
interface TracedTraffic extends MeasuredTraffic {
  trace?(services: Iterable<string>): Traced;
}

interface Traced {
  readonly trace: TrafficTrace;
  stop(): void;
}

/** The seconds of the runs that are under way, by the uid of the run. */
export class RunRecord {
  readonly #traffic: () => TracedTraffic | undefined;
  readonly #kept = new Map<string, RunSecond[]>();
  readonly #traces = new Map<string, Traced>();

  constructor(traffic: () => TracedTraffic | undefined) {
    this.#traffic = traffic;
  }

  /** Remembers what is settled of these, and forgets all others. */
  attend(questions: readonly RecordQuestion[]): void {
    const wanted = new Set(questions.map(({ uid }) => uid));
    for (const uid of this.#kept.keys()) if (!wanted.has(uid)) this.#forget(uid);
    const until = (this.#traffic()?.knownUntil() ?? 0) - SETTLED_MS;
    for (const question of questions) {
      const kept = this.#kept.get(question.uid) ?? [];
      this.#kept.set(question.uid, kept);
      const traced = this.#traces.get(question.uid) ?? this.#traffic()?.trace?.(question.services);
      if (traced !== undefined) this.#traces.set(question.uid, traced);
      kept.push(...this.#fresh(question, kept, until));
    }
  }

  /** Every second since shortly before the run, as far as it is known. */
  seconds(question: RecordQuestion): readonly RunSecond[] {
    const kept = this.#kept.get(question.uid) ?? [];
    return [...kept, ...this.#fresh(question, kept, this.#traffic()?.knownUntil() ?? 0)];
  }

  /** In finer steps, what was noted of it since it began or, after a change of leader, since then; none where there was no room for all. */
  rows({ uid }: Pick<RecordQuestion, 'uid'>): readonly TraceRow[] {
    const trace = this.#traces.get(uid)?.trace;
    return trace?.isWhole === true ? trace.rows() : [];
  }

  #forget(uid: string): void {
    this.#kept.delete(uid);
    this.#traces.get(uid)?.stop();
    this.#traces.delete(uid);
  }

  #fresh({ services, from }: RecordQuestion, kept: readonly RunSecond[], until: number): RunSecond[] {
    const traffic = this.#traffic();
    if (traffic === undefined) return [];
    const newest = kept.at(-1)?.at;
    const first = newest === undefined ? Math.max(floor(from - BEFORE_MS), floor(until - MEMORY_MS)) : newest + SECOND_MS;
    const seconds: RunSecond[] = [];
    for (let at = first; at + SECOND_MS <= until; at += SECOND_MS) seconds.push(secondOf(traffic, new Set(services), at));
    return seconds;
  }
}

function floor(ms: number): number {
  return Math.floor(ms / SECOND_MS) * SECOND_MS;
}

function secondOf(traffic: MeasuredTraffic, services: ReadonlySet<string>, at: number): RunSecond {
  const span = { from: at, to: at + SECOND_MS };
  const groups = traffic.groups(span, ['source', 'service', 'cluster']).filter(({ service }) => services.has(service));
  return {
    at,
    unknown: traffic
      .window(span)
      .sources.filter(({ seconds }) => seconds === 0)
      .map(({ cluster }) => cluster),
    cells: groups.map(({ source, service, destination, sums: { requests, failures, attempts } }) => ({
      ...{ service, source, destination: destination.cluster, requests, failed: failures, attempts },
    })),
  };
}
