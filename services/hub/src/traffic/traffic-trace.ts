/** Traffic of some services in steps shorter than a second, for as long as somebody asks: as fine as agents tell it. No clock. */
import type { MeasuredTraffic, TrafficKey } from '@hawser/model/measured-traffic.ts';
import { type Counts, namedCounts, type Span, spread } from './counts.ts';

/** Length of a step. */
export const TRACE_STEP_MS = 100;
/** An hour of a drill of some services; beyond it nothing more is noted. */
const MOST_ROWS = 200_000;

/** What ended in one step. */
export interface TraceRow extends Pick<TrafficKey, 'service' | 'source'> {
  /** Begin of the step, Unix milliseconds. */
  readonly at: number;
  /** Cluster of the last attempt; '' where no endpoint was found. */
  readonly destination: string;
  readonly requests: number;
  readonly failures: number;
  readonly attempts: number;
  /** How long the span was that it was dealt from: it ended somewhere in there. */
  readonly spanMs: number;
}

/** A trace that goes on until it is stopped. */
export interface RunningTrace {
  readonly trace: TrafficTrace;
  stop(): void;
}

/** Traffic as runs of drills are judged by it. */
export interface TracedTraffic extends MeasuredTraffic {
  /** Notes what comes of some services in finer steps. */
  trace(services: Iterable<string>): RunningTrace;
  /** Whether a second (its begin, Unix ms) of a cluster's callers was dealt from a report about a longer time: its sum counts, and when it was is not known. */
  isDealt(cluster: string, at: number): boolean;
}

/** Notes until it is left off. */
export class TrafficTrace {
  readonly #services: ReadonlySet<string>;
  readonly #most: number;
  /** By step, then by caller, service and destination. */
  readonly #steps = new Map<number, Map<string, TraceRow>>();
  #rows = 0;

  constructor(services: Iterable<string>, most = MOST_ROWS) {
    this.#services = new Set(services);
    this.#most = most;
  }

  /** Takes what was counted in a span. */
  add({ source, service, destination: { cluster } }: TrafficKey, counts: Counts, span: Span): void {
    if (!this.#services.has(service)) return;
    spread(
      counts,
      span,
      (step, part) => this.#note(step, { source, service, destination: cluster, spanMs: span.to - span.from }, part),
      TRACE_STEP_MS,
    );
  }

  /** Whether there was room for everything. */
  get isWhole(): boolean {
    return this.#rows < this.#most;
  }

  /** What was noted of the time before `until` (Unix milliseconds), in order of time. */
  rows(until = Number.POSITIVE_INFINITY): readonly TraceRow[] {
    const steps = [...this.#steps.keys()].filter((step) => step * TRACE_STEP_MS < until).sort((a, b) => a - b);
    return steps.flatMap((step) => [...(this.#steps.get(step)?.values() ?? [])]);
  }

  #note(step: number, of: Pick<TraceRow, 'source' | 'service' | 'destination' | 'spanMs'>, part: Counts): void {
    const { requests, failures, attempts } = namedCounts(part);
    if (requests === 0 && attempts === 0) return;
    const rows = this.#steps.get(step) ?? new Map<string, TraceRow>();
    const key = `${of.source}|${of.service}|${of.destination}`;
    const before = rows.get(key);
    if (before === undefined && !this.isWhole) return;
    if (before === undefined) this.#rows += 1;
    this.#steps.set(step, rows);
    rows.set(key, {
      ...{ at: step * TRACE_STEP_MS, ...of },
      requests: (before?.requests ?? 0) + requests,
      failures: (before?.failures ?? 0) + failures,
      attempts: (before?.attempts ?? 0) + attempts,
      spanMs: Math.max(before?.spanMs ?? 0, of.spanMs),
    });
  }
}
