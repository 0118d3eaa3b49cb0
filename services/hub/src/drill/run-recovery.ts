/** PURE: what callers went through in a run, from what their proxies counted second by second. */
import type { Recovery } from './run-evidence.ts';

/** One second of the services of a run. */
export interface RunSecond {
  /** Begin, Unix milliseconds. */
  readonly at: number;
  /** Callers' clusters of which it is not known what was in it; cells of theirs are an even part of what a later report told. */
  readonly unknown: readonly string[];
  readonly cells: readonly RunCell[];
}

/** Requests of one cluster's callers to one service, by where they ended. */
export interface RunCell {
  readonly service: string;
  readonly source: string;
  /** '' where no endpoint was found. */
  readonly destination: string;
  /** Of the workload, where it was asked for. */
  readonly version?: string | undefined;
  readonly requests: number;
  readonly failed: number;
  readonly attempts: number;
}

/** What is asked of the seconds. */
export interface RecoveryQuestion {
  /** Unix milliseconds since which requests count: a proxy may have it before anybody has heard so. */
  readonly countedFrom: number;
  /** Unix milliseconds since which it could hurt. */
  readonly begunAt: number;
  /** Unix milliseconds until which it did; undefined: it does. */
  readonly until: number | undefined;
  /** Clusters that it hits. */
  readonly scope: ReadonlySet<string>;
  readonly maxErrorRatePercent: number;
  /** Whether requests that end there are a sign that it goes on; not where they are only late, or only some of them are hit. */
  readonly isAway: boolean;
}

const SECOND_MS = 1_000;
/** Most of the requests that may still end there, percent. */
const RESIDUAL = 1;

/** What the callers measured; undefined while no second of it is known. */
export function recoveryOf(seconds: readonly RunSecond[], question: RecoveryQuestion): Recovery | undefined {
  const { begunAt, countedFrom, until = Number.POSITIVE_INFINITY } = question;
  const during = seconds.filter(({ at }) => at + SECOND_MS > begunAt && at < until);
  const last = during.at(-1);
  if (last === undefined) return undefined;
  // What fails on the way back belongs to it too.
  const counted = seconds.filter(({ at }) => at + SECOND_MS > countedFrom);
  const cells = counted.flatMap((second) => second.cells);
  const requests = sum(cells, 'requests');
  const firstFailed = during.find((second) => sum(knownCells(second), 'failed') > 0);
  const recovered = requests === 0 ? undefined : recoveredIn(during, question);
  return {
    recoveredAt: recovered?.at,
    // Nothing is known of where in the second it was: not before it could hurt.
    firstFailureAt: firstFailed === undefined ? undefined : Math.max(begunAt, firstFailed.at),
    detectedAt: detectedAt(seconds, question),
    resolutionMs: recovered?.resolutionMs ?? SECOND_MS,
    ...{ requests, failed: sum(cells, 'failed') },
    unknownSeconds: counted.reduce((total, { unknown }) => total + unknown.length, 0),
  };
}

interface Recovered {
  readonly at: number;
  readonly resolutionMs: number;
}

/**
 * The end of the last second in which callers failed beyond the objective, or were answered there. Of that second, the part in which
 * they were: as many of its requests as are bad. Where nobody knows what was next, the end of that. Undefined while they still are, and
 * where more is unknown than known.
 */
function recoveredIn(during: readonly RunSecond[], question: RecoveryQuestion): Recovered | undefined {
  const callers = new Set(during.flatMap(knownCells).map(({ source }) => source));
  const isKnown = ({ unknown }: RunSecond): boolean => !unknown.some((source) => callers.has(source));
  const known = during.filter(isKnown);
  const last = known.at(-1)?.at;
  if (last === undefined || known.length * 2 < during.length) return undefined;
  // What is lifted within a second may answer again in it.
  const asked = (at: number): RecoveryQuestion =>
    at + SECOND_MS > (question.until ?? at + SECOND_MS) ? { ...question, isAway: false } : question;
  const bad = during.findLast((second) => badPart(second, asked(second.at)) > 0);
  const next = during.find((second) => isKnown(second) && (bad === undefined || second.at > bad.at))?.at ?? last;
  if (bad === undefined) {
    const at = during[0]?.at === next ? question.begunAt : Math.max(question.begunAt, next);
    return { at, resolutionMs: Math.max(SECOND_MS, at - question.begunAt) };
  }
  if (bad.at >= last - SECOND_MS) return undefined;
  if (next > bad.at + SECOND_MS) return { at: next, resolutionMs: next - bad.at };
  const from = Math.max(bad.at, question.begunAt);
  return { at: Math.min(bad.at + SECOND_MS, Math.round(from + badPart(bad, asked(bad.at)) * SECOND_MS)), resolutionMs: SECOND_MS };
}

/** What is known to have been in a second. */
export function knownCells({ cells, unknown }: RunSecond): readonly RunCell[] {
  return unknown.length === 0 ? cells : cells.filter(({ source }) => !unknown.includes(source));
}

/** The worst part, 0 to 1, of any cluster's requests in the second that is bad; 0 when all are within the objective. */
function badPart(second: RunSecond, { scope, maxErrorRatePercent, isAway }: RecoveryQuestion): number {
  const bySource = Map.groupBy(knownCells(second), ({ source }) => source);
  return Math.max(
    0,
    ...[...bySource.values()].map((own) => {
      const requests = sum(own, 'requests');
      if (requests === 0) return 0;
      const failed = sum(own, 'failed');
      const there = isAway
        ? sum(
            own.filter(({ destination }) => scope.has(destination)),
            'requests',
          )
        : 0;
      const isBad = failed * 100 > requests * maxErrorRatePercent || there * 100 > requests * RESIDUAL;
      return isBad ? Math.min(1, Math.max(failed, there) / requests) : 0;
    }),
  );
}

/** The first second in which callers sent less than half of what they sent there before. */
function detectedAt(seconds: readonly RunSecond[], { begunAt, scope }: RecoveryQuestion): number | undefined {
  const share = (second: RunSecond): number => {
    const cells = knownCells(second);
    const all = sum(cells, 'attempts');
    return all === 0
      ? 0
      : sum(
          cells.filter(({ destination }) => scope.has(destination)),
          'attempts',
        ) / all;
  };
  const before = seconds.filter(({ at }) => at + SECOND_MS <= begunAt);
  const usual = before.reduce((total, second) => total + share(second), 0) / Math.max(1, before.length);
  if (usual === 0) return undefined;
  const found = seconds.find((second) => second.at >= begunAt && knownCells(second).length > 0 && share(second) < usual / 2);
  return found?.at;
}

/** Added up. */
export function sum(cells: readonly RunCell[], field: 'requests' | 'failed' | 'attempts'): number {
  return cells.reduce((total, cell) => total + cell[field], 0);
}
