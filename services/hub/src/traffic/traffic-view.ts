/** Traffic as the API tells it: from memory by the second, or from the database by the minute. */
import { parseDuration } from '@hawser/model/duration.ts';
import { latencyQuantile } from '@hawser/model/latency-histogram.ts';
import {
  addTraffic,
  DESTINATION_FIELDS,
  NO_TRAFFIC,
  type SourceCoverage,
  type TrafficCounts,
  type TrafficDimension,
  type TrafficFilter,
  type TrafficKey,
  type TrafficQuery,
} from '@hawser/model/measured-traffic.ts';
import type { TrafficAnswer, TrafficParameters, TrafficRow } from '@hawser/wire/traffic-api.ts';
import type { Database } from '../db/database.ts';
import { StatusError } from '../http/status.ts';
import { namedCounts } from './counts.ts';
import { projected, type TrafficMemory } from './traffic-memory.ts';
import { type Minutes, readCoverage, readMinutes } from './traffic-store.ts';

/** What answers are made of. */
export interface TrafficViewParts {
  readonly memory: TrafficMemory;
  readonly database: Database;
  clusters(): readonly string[] | undefined;
}

const WINDOW = '10s';
const MINUTE_MS = 60_000;
/** By the minute: a day and some. */
const LONGEST_MS = 25 * 3_600_000;

/** The answer to what is asked for. Throws `BadRequest` for times that make no span. */
export async function trafficAnswer(parameters: TrafficParameters, parts: TrafficViewParts): Promise<TrafficAnswer> {
  const query = queryOf(parameters, parts.memory.knownUntil());
  const by = (parameters.by?.split(',') ?? []) as TrafficDimension[];
  // Fresh: what a window says ends at what is known.
  if (query.from >= parts.memory.keptSince()) return recentAnswer(query, by, parts.memory);
  return await pastAnswer(query, by, parts);
}

/** What is known by the second. */
export function recentAnswer(query: TrafficQuery, by: readonly TrafficDimension[], memory: TrafficMemory): TrafficAnswer {
  const { seconds, sources } = memory.window(query);
  const groups = memory.groups(query, by).map(({ sums, ...key }) => ({ key, counts: sums, inFlight: sums.inFlight }));
  return { ...spanOf(query, seconds), resolution: 'second', rows: rowsOf(groups, seconds), coverage: sources.map(toldCoverage) };
}

async function pastAnswer(query: TrafficQuery, by: readonly TrafficDimension[], parts: TrafficViewParts): Promise<TrafficAnswer> {
  const minutes: Minutes = { from: Math.floor(query.from / MINUTE_MS), to: Math.ceil(query.to / MINUTE_MS) };
  const { rows, known } = await parts.database.transaction(
    async (tx) => ({ rows: await readMinutes(tx, minutes, query), known: await readCoverage(tx, minutes) }),
    { accessMode: 'read only' },
  );
  if (rows === 'too-many') throw new StatusError('BadRequest', 'that is too much to add up: ask for a shorter time, or for one service');
  const groups = new Map<string, { readonly key: TrafficKey; counts: TrafficCounts; readonly inFlight: number }>();
  for (const { key, counts } of rows) {
    const under = projected(key, by);
    const text = JSON.stringify(under);
    const group = groups.get(text) ?? { key: under, counts: NO_TRAFFIC, inFlight: 0 };
    groups.set(text, { ...group, counts: addTraffic(group.counts, namedCounts(counts)) });
  }
  const clusters = query.source === undefined ? (parts.clusters() ?? [...known.keys()]) : [query.source];
  const seconds = (minutes.to - minutes.from) * 60;
  const coverage = clusters.map((cluster) =>
    toldCoverage({ cluster, seconds: known.get(cluster) ?? 0, newestAt: parts.memory.newestAt(cluster), unreadProxies: 0 }),
  );
  const span = { from: minutes.from * MINUTE_MS, to: minutes.to * MINUTE_MS };
  return { ...spanOf(span, seconds), resolution: 'minute', rows: rowsOf([...groups.values()], seconds), coverage };
}

interface Group {
  readonly key: TrafficKey;
  readonly counts: TrafficCounts;
  readonly inFlight: number;
}

function rowsOf(groups: readonly Group[], seconds: number): TrafficRow[] {
  const attempts = groups.reduce((sum, { counts }) => sum + counts.attempts, 0);
  return groups
    .map(({ key, counts: { latency, ...counts }, inFlight }) => ({
      ...{ source: key.source, service: key.service, destination: key.destination, ...counts, inFlight },
      perSecond: rounded(seconds === 0 ? 0 : counts.requests / seconds),
      share: rounded(attempts === 0 ? 0 : counts.attempts / attempts, 5),
      latency: { p50: quantile(latency, 0.5), p90: quantile(latency, 0.9), p99: quantile(latency, 0.99) },
      buckets: [...latency],
    }))
    .toSorted((a, b) => b.requests - a.requests || b.attempts - a.attempts || (sortText(a) < sortText(b) ? -1 : 1));
}

function sortText({ source, service, destination }: TrafficKey): string {
  return [source, service, ...DESTINATION_FIELDS.map((field) => destination[field])].join('|');
}

function quantile(latency: TrafficCounts['latency'], share: number): number | null {
  const found = latencyQuantile(latency, share);
  return found === undefined ? null : rounded(found);
}

function rounded(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}

function spanOf({ from, to }: { readonly from: number; readonly to: number }, seconds: number) {
  const whole = (ms: number): string => new Date(Math.floor(ms / 1_000) * 1_000).toISOString();
  return { from: whole(from), to: whole(to), seconds };
}

function toldCoverage({ newestAt, ...coverage }: SourceCoverage): TrafficAnswer['coverage'][number] {
  return { ...coverage, ...(newestAt === undefined ? {} : { newestAt: new Date(newestAt).toISOString() }) };
}

/** PURE: the span and the filter that parameters mean. */
export function queryOf(parameters: TrafficParameters, knownUntil: number): TrafficQuery {
  const { service, source, window = WINDOW, from, to } = parameters;
  const destination = Object.fromEntries(
    DESTINATION_FIELDS.flatMap((field) => (parameters[field] === undefined ? [] : [[field, parameters[field]]])),
  );
  const filter: TrafficFilter = { ...(service === undefined ? {} : { service }), ...(source === undefined ? {} : { source }), destination };
  const end = to === undefined ? knownUntil : timeOf('to', to);
  const begin = from === undefined ? end - (parseDuration(window) ?? 0) : timeOf('from', from);
  if (end - begin < 1_000) throw new StatusError('BadRequest', 'the time that is asked for is shorter than a second');
  if (end - begin > LONGEST_MS) throw new StatusError('BadRequest', 'the time that is asked for is longer than 25 hours');
  return { ...filter, from: begin, to: end };
}

function timeOf(name: string, text: string): number {
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new StatusError('BadRequest', `${name} is ${text}, which is no time such as 2026-11-21T15:00:00Z`);
  return time;
}
