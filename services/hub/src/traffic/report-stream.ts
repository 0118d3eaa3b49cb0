/** What one agent told of its traffic: its sums, and for which seconds they are known. No clock. */
import type { TrafficReport } from '@hawser/wire/traffic.ts';
import { type Counts, highest, progress, type Span } from './counts.ts';

/** Sums of an agent, as they are kept over a hub's restart. */
export interface SavedStream {
  readonly cluster: string;
  readonly replica: string;
  readonly instance: string;
  /** When they were heard, ms. */
  readonly at: number;
  readonly series: readonly (readonly [key: string, counts: Counts])[];
}

/** What a report adds. */
export interface Added {
  /** `SERVICE|CLUSTER|REGION|ZONE|VERSION`. */
  readonly key: string;
  readonly counts: Counts;
  readonly span: Span;
}

/** A little more than is kept, so that a second's place is its own. */
const REMEMBERED_S = 1_024;
/** An agent that is silent for this long while others of its cluster speak has left its proxies to them. */
const LEFT_MS = 10_000;
/** An agent counts far fewer; more are not believed. */
const MOST_SERIES = 5_000;
/** An agent has told all of its series in so many reports. */
const ALL_TOLD = 12;
/** What a first report is about. */
const FIRST_MS = 1_000;
/** Of a report that is about longer, nobody knows when in that time it was. */
const SHARP_MS = 3_000;

/** The word of one agent. */
export class ReportStream {
  #instance: string;
  #at: number;
  /** Where the first known second begins. */
  #since: number | undefined;
  readonly #sums = new Map<string, Counts>();
  /** What is known without a gap ends here; the second after the last whole one. */
  #coveredTo = Number.NEGATIVE_INFINITY;
  #next = 0;
  #inFlight: ReadonlyMap<string, number> = new Map();
  #missing = 0;
  readonly #known = new Float64Array(REMEMBERED_S).fill(-1);
  /** Of known seconds, whether a report about a long time accounted for them. */
  readonly #dealt = new Uint8Array(REMEMBERED_S);

  /** Reports in which a series that was not heard of yet is no news: what it counted before is not known. */
  #learning = 0;

  constructor(saved?: SavedStream) {
    this.#instance = saved?.instance ?? '';
    this.#at = saved?.at ?? Number.NEGATIVE_INFINITY;
    for (const [key, counts] of saved?.series ?? []) this.#sums.set(key, counts);
  }

  /** When it was last heard, ms. */
  get at(): number {
    return this.#at;
  }

  /** Whether more than one report of this count must have been missed before this one. */
  misses({ instance }: Pick<TrafficReport, 'instance'>, at: number): boolean {
    return instance === this.#instance && at - this.#at > SHARP_MS;
  }

  /** Attempts in progress by key. */
  get inFlight(): ReadonlyMap<string, number> {
    return this.#inFlight;
  }

  /** Proxies that it could not read. */
  get missing(): number {
    return this.#missing;
  }

  /** Takes a report that was heard at a time; answers what it adds. Instances that began before `horizon` were counted from by others. */
  take(report: TrafficReport, { at, horizon }: { readonly at: number; readonly horizon: number }): Added[] {
    const isNew = report.instance !== this.#instance;
    if (isNew) this.#sums.clear();
    if (isNew) this.#learning = at - report.age < horizon ? ALL_TOLD : 0;
    else this.#learning = Math.max(this.#learning - 1, 0);
    const from = isNew || this.#at >= at ? Math.max(this.#at, at - FIRST_MS) : Math.max(this.#at, at - REMEMBERED_S * 1_000);
    const span = { from: Math.min(from, at - 1), to: at };
    this.#instance = report.instance;
    this.#at = Math.max(this.#at, at);
    this.#missing = report.missing;
    if (this.#learning === 0) this.#cover(span);
    const inFlight = new Map<string, number>();
    const added: Added[] = [];
    for (const [names, active, counts] of report.series) {
      const key = names.join('|');
      if (active > 0) inFlight.set(key, active);
      const delta = this.#advance(key, counts);
      if (delta !== undefined) added.push({ key, counts: delta, span });
    }
    this.#inFlight = inFlight;
    return added;
  }

  /** Whether all of a second (Unix time) is accounted for. */
  knows(second: number): boolean {
    return this.#known[second % REMEMBERED_S] === second;
  }

  /** Whether a second is known from a report about a longer time alone, evenly dealt: its sum counts, and when it was is not known. */
  isDealt(second: number): boolean {
    return this.knows(second) && this.#dealt[second % REMEMBERED_S] === 1;
  }

  /** Whether it should have accounted for a second. */
  owes(second: number, hasLeft: boolean): boolean {
    if (this.#since === undefined || (second + 1) * 1_000 <= this.#since) return false;
    return !hasLeft || (second + 1) * 1_000 <= this.#at;
  }

  /** Whether it left its proxies to another, by the time that one spoke last. */
  hasLeft(othersAt: number): boolean {
    return othersAt - this.#at > LEFT_MS;
  }

  saved(cluster: string, replica: string): SavedStream {
    return { cluster, replica, instance: this.#instance, at: this.#at, series: [...this.#sums] };
  }

  #advance(key: string, counts: Counts): Counts | undefined {
    const before = this.#sums.get(key);
    if (before === undefined && this.#sums.size >= MOST_SERIES) return undefined;
    this.#sums.set(key, before === undefined ? counts : highest(before, counts));
    return before === undefined && this.#learning > 0 ? undefined : progress(before ?? [], counts);
  }

  /** Seconds that lie whole in what is known without a gap. */
  #cover({ from, to }: Span): void {
    this.#since ??= from;
    if (from > this.#coveredTo) this.#next = Math.ceil(from / 1_000);
    for (; (this.#next + 1) * 1_000 <= to; this.#next += 1) {
      this.#known[this.#next % REMEMBERED_S] = this.#next;
      this.#dealt[this.#next % REMEMBERED_S] = to - from > SHARP_MS ? 1 : 0;
    }
    this.#coveredTo = Math.max(this.#coveredTo, to);
  }
}
