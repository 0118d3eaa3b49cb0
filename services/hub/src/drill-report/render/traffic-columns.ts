/** PURE: the traffic of a run in columns of a chart, and added up by phase. */
import type { DrillEvidence } from '@hawser/model/drill-evidence.ts';

/** One column: what went where during one step, or several of a long run. */
export interface TrafficColumn {
  /** Unix milliseconds. */
  readonly from: number;
  readonly to: number;
  /** Requests per second by destination. */
  readonly rates: ReadonlyMap<string, number>;
  /** Failed requests per second. */
  readonly failed: number;
  /** Whether some callers did not account for it: the numbers are too low then. */
  readonly isPartial: boolean;
}

/** What a destination got during one phase. */
export interface PhaseTraffic {
  readonly phase: string;
  readonly requests: ReadonlyMap<string, number>;
  readonly failed: number;
  readonly unknownSteps: number;
}

/** More than this are not told apart on paper. */
const MOST_COLUMNS = 240;

type Series = DrillEvidence['traffic']['series'][number];

/** Every destination of the run in the order of the clusters; '' is last. */
export function destinationsOf({ traffic, clusters }: DrillEvidence): readonly string[] {
  const order = new Map(clusters.map(({ name }, index) => [name, index]));
  const place = (name: string): number => (name === '' ? Number.MAX_SAFE_INTEGER : (order.get(name) ?? clusters.length));
  return [...new Set(traffic.series.map(({ destination }) => destination))].sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1));
}

/** The traffic of all services, or of one. */
export function trafficColumns({ traffic }: DrillEvidence, service?: string): readonly TrafficColumn[] {
  const series = traffic.series.filter((one) => service === undefined || one.service === service);
  const steps = stepsOf(series);
  const width = Math.max(1, Math.ceil(steps / MOST_COLUMNS));
  const begin = Date.parse(traffic.from);
  return Array.from({ length: Math.ceil(steps / width) }, (_, index) => {
    const [first, last] = [index * width, Math.min(steps, (index + 1) * width)];
    const seconds = ((last - first) * traffic.stepMs) / 1_000;
    const sums = summed(series, first, last);
    return {
      ...{ from: begin + first * traffic.stepMs, to: begin + last * traffic.stepMs, isPartial: sums.unknownSteps > 0 },
      rates: new Map([...sums.requests].map(([name, requests]) => [name, requests / seconds])),
      failed: sums.failed / seconds,
    };
  });
}

/** The same by phase; phases in which nothing was measured are not there. */
export function trafficByPhase({ traffic, phases }: DrillEvidence): readonly PhaseTraffic[] {
  const begin = Date.parse(traffic.from);
  const steps = stepsOf(traffic.series);
  const stepAt = (at: string): number => Math.min(steps, Math.max(0, Math.round((Date.parse(at) - begin) / traffic.stepMs)));
  return phases.flatMap(({ phase, from, to }) => {
    const [first, last] = [stepAt(from), stepAt(to)];
    return first < last ? [{ phase, ...summed(traffic.series, first, last) }] : [];
  });
}

function stepsOf(series: readonly Series[]): number {
  return series.reduce((most, { requests }) => Math.max(most, requests.length), 0);
}

function summed(series: readonly Series[], first: number, last: number): Omit<PhaseTraffic, 'phase'> {
  const requests = new Map<string, number>();
  const unknown = new Set<number>();
  let failed = 0;
  for (const one of series) {
    let sum = 0;
    for (let step = first; step < last; step += 1) {
      const known = one.requests[step] ?? null;
      if (known === null) unknown.add(step);
      sum += known ?? 0;
      failed += one.failed[step] ?? 0;
    }
    requests.set(one.destination, (requests.get(one.destination) ?? 0) + sum);
  }
  return { requests, failed, unknownSteps: unknown.size };
}
