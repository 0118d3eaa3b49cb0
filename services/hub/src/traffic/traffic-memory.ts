/** The last quarter of an hour of traffic, second by second: every replica of the hub hears it and answers from it. */
import {
  DESTINATION_FIELDS,
  meansTraffic,
  OVERFLOW,
  type SourceCoverage,
  type TrafficDimension,
  type TrafficGroup,
  type TrafficKey,
  type TrafficLoad,
  type TrafficQuery,
  type TrafficShare,
  type TrafficSums,
} from '@hawser/model/measured-traffic.ts';
import type { TrafficReport } from '@hawser/wire/traffic.ts';
import { COUNTS, type Counts, namedCounts, spread } from './counts.ts';
import { type AskAgain, MissedReports, type TimedReport } from './missed-reports.ts';
import { ReportStream, type SavedStream } from './report-stream.ts';
import { SecondRing } from './second-ring.ts';
import { type RunningTrace, type TracedTraffic, TrafficTrace } from './traffic-trace.ts';

/** What it works with. */
export interface TrafficMemoryParts {
  /** Members of the federation; undefined while they are not known. */
  clusters(): readonly string[] | undefined;
  readonly now?: () => number;
  /** Asks an agent for what was not heard of it; without it, that is taken from its next report. */
  readonly askAgain?: AskAgain;
  /** Series that are told apart at most. */
  readonly mostSeries?: number;
}

/** Counts of one minute (Unix time) of one series. */
export interface MinuteRow {
  readonly minute: number;
  readonly key: TrafficKey;
  readonly counts: Counts;
}

interface Series {
  readonly key: TrafficKey;
  readonly ring: SecondRing;
}

const MOST_SERIES = 20_000;
/** An agent that is silent for longer is not waited for. */
const FRESH_MS = 5_000;
/** Agents that spoke to the hub before this one are waited for so long, those that spoke lately. */
const AWAITED_MS = 10_000;
const LATELY_MS = 120_000;
const KEPT_MS = 15 * 60_000;
/** The sums of an agent that is silent are remembered this long. */
const REMEMBERED_MS = 24 * 3_600_000;

/** Takes in what agents tell. */
export class TrafficMemory implements TracedTraffic {
  readonly #parts: TrafficMemoryParts;
  readonly #now: () => number;
  readonly #series = new Map<string, Series>();
  readonly #byService = new Map<string, Set<Series>>();
  /** By cluster, then by replica. */
  readonly #streams = new Map<string, Map<string, ReportStream>>();
  readonly #missed = new WeakMap<ReportStream, MissedReports>();
  readonly #began: number;
  /** Minutes of series whose sums differ from what was asked for last. */
  #dirty = new Map<Series, Set<number>>();
  /** Counts that began before, and are not known, began unseen. */
  #horizon: number;
  readonly #listeners = new Set<() => void>();
  readonly #traces = new Set<TrafficTrace>();

  constructor(parts: TrafficMemoryParts) {
    this.#parts = parts;
    this.#now = parts.now ?? Date.now;
    this.#began = this.#now();
    this.#horizon = this.#began;
  }

  /** Goes on from what another hub, or this one before, had taken in. */
  restore(streams: readonly SavedStream[], rows: readonly MinuteRow[]): void {
    if (streams.length > 0) this.#horizon = Math.max(...streams.map(({ at }) => at));
    for (const saved of streams) this.#streamsOf(saved.cluster).set(saved.replica, new ReportStream(saved));
    for (const { minute, key, counts } of rows) this.#seriesOf(key).ring.carry(minute, counts);
  }

  /** Takes a report of one of a cluster's agents; it is held for a moment where the agent is asked for what was not heard before it. */
  receive(cluster: string, replica: string, report: TrafficReport): void {
    const now = this.#now();
    const streams = this.#streamsOf(cluster);
    const stream = streams.get(replica) ?? new ReportStream();
    streams.set(replica, stream);
    const heard = { report, at: now };
    const taken = this.#missedOf(stream, { cluster, replica })?.next(heard, stream) ?? [heard];
    for (const one of taken) this.#take(cluster, stream, one);
    if (taken.length > 0) for (const listener of this.#listeners) listener();
  }

  #take(cluster: string, stream: ReportStream, { report, at }: TimedReport): void {
    for (const { key: text, counts, span } of stream.take(report, { at, horizon: Math.max(this.#horizon, at - REMEMBERED_MS) })) {
      const key = keyOf(cluster, text);
      const series = this.#seriesOf(key);
      for (const trace of this.#traces) trace.add(key, counts, span);
      const minutes = this.#dirty.get(series) ?? new Set();
      this.#dirty.set(series, minutes);
      spread(counts, span, (second, part) => {
        series.ring.add(second, part);
        minutes.add(Math.floor(second / 60));
      });
    }
  }

  /** Calls back when a report was taken. Returns how to stop. */
  onReport(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  trace(services: Iterable<string>): RunningTrace {
    const trace = new TrafficTrace(services);
    this.#traces.add(trace);
    return { trace, stop: () => this.#traces.delete(trace) };
  }

  isDealt(cluster: string, at: number): boolean {
    return [...(this.#streams.get(cluster)?.values() ?? [])].some((stream) => stream.isDealt(Math.floor(at / 1_000)));
  }

  /** Series that are kept. */
  get size(): number {
    return this.#series.size;
  }

  window(query: TrafficQuery): TrafficSums {
    return this.#sums(query, this.#meant(query), this.#sources(query));
  }

  groups(query: TrafficQuery, by: readonly TrafficDimension[]): readonly TrafficGroup[] {
    const groups = new Map<string, { readonly key: TrafficKey; readonly series: Series[] }>();
    for (const series of this.#meant(query)) {
      const key = projected(series.key, by);
      const text = textOf(key);
      const group = groups.get(text) ?? { key, series: [] };
      groups.set(text, group);
      group.series.push(series);
    }
    const sources = this.#sources(query);
    return [...groups.values()]
      .map(({ key, series }) => ({ ...key, sums: this.#sums(query, series, sources) }))
      .filter(({ sums }) => sums.requests > 0 || sums.attempts > 0 || sums.inFlight > 0);
  }

  shares(service: string, windowMs: number): readonly TrafficShare[] {
    const to = this.knownUntil();
    const groups = this.groups({ service, from: to - windowMs, to }, ['source', 'cluster', 'version']);
    return groups.map(({ source, destination, sums: { attempts, requests } }) => {
      const all = groups.filter((group) => group.source === source);
      const of = (count: number, total: number): number => (total === 0 ? 0 : count / total);
      const share = of(attempts, total(all, 'attempts'));
      return { source, destination, attempts, requests, share, requestShare: of(requests, total(all, 'requests')) };
    });
  }

  services(): readonly string[] {
    return [...this.#byService.keys()];
  }

  load(windowMs: number, services: readonly string[]): readonly TrafficLoad[] {
    const to = this.knownUntil();
    return this.groups({ services, from: to - windowMs, to }, ['service', 'cluster']).map(({ service, destination, sums }) => ({
      ...{ cluster: destination.cluster, service, inFlight: sums.inFlight },
      perSecond: sums.attempts / (windowMs / 1_000),
    }));
  }

  newestAt(cluster: string): number | undefined {
    const streams = this.#presentOf(cluster);
    if (streams.length === 0) return undefined;
    return Math.min(...streams.map(({ at }) => Math.floor(at / 1_000) * 1_000));
  }

  knownUntil(): number {
    const now = this.#now();
    const waitedFor = this.#clusters().flatMap((cluster) => {
      const at = this.newestAt(cluster);
      return at !== undefined && (at > now - FRESH_MS || this.#isAwaited(cluster, at)) ? [at] : [];
    });
    return Math.min(Math.floor(now / 1_000) * 1_000, ...waitedFor);
  }

  /** Whether what was not heard of a cluster is about to be told. */
  #isAwaited(cluster: string, newestAt: number): boolean {
    const now = this.#now();
    const isSilent = newestAt < this.#began && newestAt > this.#began - LATELY_MS;
    return (isSilent && now < this.#began + AWAITED_MS) || this.#presentOf(cluster).some((one) => this.#missed.get(one)?.isWaiting(now));
  }

  /** Since when all is kept by the second, ms. */
  keptSince(): number {
    return this.#now() - KEPT_MS;
  }

  /** Forgets what is too old; to be called every few seconds. */
  age(): void {
    const minute = Math.floor(this.#now() / 60_000);
    for (const [text, series] of this.#series) {
      series.ring.age(minute);
      if (!series.ring.isEmpty) continue;
      this.#series.delete(text);
      this.#byService.get(series.key.service)?.delete(series);
      if (this.#byService.get(series.key.service)?.size === 0) this.#byService.delete(series.key.service);
    }
    const members = this.#parts.clusters();
    for (const [cluster, streams] of this.#streams) {
      for (const [replica, stream] of streams) if (stream.at < this.#now() - REMEMBERED_MS) streams.delete(replica);
      if (streams.size === 0 || members?.includes(cluster) === false) this.#streams.delete(cluster);
    }
  }

  /** What is to be written: sums of minutes that differ since this was asked last, and the agents' sums that belong to them; `undo` when it was not. */
  takeUnwritten(): { readonly rows: readonly MinuteRow[]; readonly streams: readonly SavedStream[]; undo(sinceMinute: number): void } {
    const dirty = this.#dirty;
    this.#dirty = new Map();
    const rows = [...dirty].flatMap(([{ key, ring }, minutes]) =>
      [...minutes].flatMap((minute) => {
        const counts = ring.minuteSums(minute);
        return counts === undefined ? [] : [{ minute, key, counts }];
      }),
    );
    const streams = [...this.#streams].flatMap(([cluster, all]) => [...all].map(([replica, stream]) => stream.saved(cluster, replica)));
    const undo = (sinceMinute: number): void => {
      for (const [series, minutes] of dirty) {
        const kept = [...minutes].filter((minute) => minute >= sinceMinute);
        if (kept.length > 0) this.#dirty.set(series, new Set([...kept, ...(this.#dirty.get(series) ?? [])]));
      }
    };
    return { rows, streams, undo };
  }

  /** Seconds of a minute (Unix time) that are known of a cluster's callers. */
  knownSeconds(cluster: string, from: number, to: number): number {
    const streams = [...(this.#streams.get(cluster)?.values() ?? [])];
    const newest = Math.max(...streams.map(({ at }) => at));
    const all = streams.map((stream) => ({ stream, hasLeft: stream.hasLeft(newest) }));
    let known = 0;
    for (let second = from; second < to; second += 1) {
      const isTold = all.some(({ stream }) => stream.knows(second));
      if (isTold && all.every(({ stream, hasLeft }) => stream.knows(second) || !stream.owes(second, hasLeft))) known += 1;
    }
    return known;
  }

  #sums({ from, to }: TrafficQuery, series: Iterable<Series>, sources: readonly SourceCoverage[]): TrafficSums {
    const [first, end] = secondsOf({ from, to });
    const into = new Float64Array(COUNTS);
    let inFlight = 0;
    for (const { key, ring } of series) {
      ring.sum(first, end, into);
      inFlight += this.#inFlightOf(key);
    }
    return { ...namedCounts(into), inFlight, seconds: end - first, sources };
  }

  /** How much is known of the callers, whatever they called. */
  #sources({ from, to, source }: TrafficQuery): readonly SourceCoverage[] {
    const [first, end] = secondsOf({ from, to });
    const clusters = source === undefined ? this.#clusters() : [source];
    return clusters.map((cluster) => this.#coverage(cluster, first, end));
  }

  #coverage(cluster: string, from: number, to: number): SourceCoverage {
    return {
      ...{ cluster, seconds: this.knownSeconds(cluster, from, to), newestAt: this.newestAt(cluster) },
      unreadProxies: this.#presentOf(cluster).reduce((sum, { missing }) => sum + missing, 0),
    };
  }

  #inFlightOf({ source, service, destination }: TrafficKey): number {
    const text = [service, ...DESTINATION_FIELDS.map((field) => destination[field])].join('|');
    const since = this.#now() - FRESH_MS;
    return this.#presentOf(source).reduce((sum, { at, inFlight }) => sum + (at > since ? (inFlight.get(text) ?? 0) : 0), 0);
  }

  /** The agents of a cluster, but for those that left their proxies to others. */
  #presentOf(cluster: string): readonly ReportStream[] {
    const streams = [...(this.#streams.get(cluster)?.values() ?? [])];
    const newest = Math.max(...streams.map(({ at }) => at));
    return streams.filter((stream) => !stream.hasLeft(newest));
  }

  #clusters(): readonly string[] {
    return this.#parts.clusters() ?? [...this.#streams.keys()];
  }

  #meant(query: TrafficQuery): Series[] {
    const { service, services = service === undefined ? undefined : [service] } = query;
    const candidates =
      services === undefined ? [...this.#series.values()] : services.flatMap((one) => [...(this.#byService.get(one) ?? [])]);
    return candidates.filter(({ key }) => meansTraffic(query, key));
  }

  #missedOf(stream: ReportStream, agent: { readonly cluster: string; readonly replica: string }): MissedReports | undefined {
    const { askAgain } = this.#parts;
    if (askAgain === undefined) return undefined;
    const known = this.#missed.get(stream) ?? new MissedReports((sinceMs) => askAgain(agent, sinceMs));
    this.#missed.set(stream, known);
    return known;
  }

  #streamsOf(cluster: string): Map<string, ReportStream> {
    const known = this.#streams.get(cluster) ?? new Map<string, ReportStream>();
    this.#streams.set(cluster, known);
    return known;
  }

  #seriesOf(key: TrafficKey): Series {
    const text = textOf(key);
    const known = this.#series.get(text);
    if (known !== undefined) return known;
    if (this.#series.size >= (this.#parts.mostSeries ?? MOST_SERIES) && key.service !== OVERFLOW)
      return this.#seriesOf({ source: key.source, service: OVERFLOW, destination: { cluster: '', region: '', zone: '', version: '' } });
    const made = { key, ring: new SecondRing() };
    this.#series.set(text, made);
    const ofService = this.#byService.get(key.service) ?? new Set();
    this.#byService.set(key.service, ofService.add(made));
    return made;
  }
}

/** Whole seconds, Unix time. */
function secondsOf({ from, to }: Pick<TrafficQuery, 'from' | 'to'>): readonly [first: number, end: number] {
  return [Math.floor(from / 1_000), Math.floor(to / 1_000)];
}

function total(groups: readonly TrafficGroup[], count: 'attempts' | 'requests'): number {
  return groups.reduce((sum, { sums }) => sum + sums[count], 0);
}

function keyOf(source: string, text: string): TrafficKey {
  const [service = '', cluster = '', region = '', zone = '', version = ''] = text.split('|');
  return { source, service, destination: { cluster, region, zone, version } };
}

function textOf({ source, service, destination }: TrafficKey): string {
  return [source, service, ...DESTINATION_FIELDS.map((field) => destination[field])].join('|');
}

/** The key with nothing but these dimensions. */
export function projected({ source, service, destination }: TrafficKey, by: readonly TrafficDimension[]): TrafficKey {
  const kept = (dimension: TrafficDimension, value: string): string => (by.includes(dimension) ? value : '');
  return {
    source: kept('source', source),
    service: kept('service', service),
    destination: {
      cluster: kept('cluster', destination.cluster),
      region: kept('region', destination.region),
      zone: kept('zone', destination.zone),
      version: kept('version', destination.version),
    },
  };
}
