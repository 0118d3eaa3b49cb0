/** PURE: what part of the requests was to go to each cluster in a run, and what part went. */
import { isLoss } from '@hawser/model/drill-course.ts';
import type { DrillEvidence } from '@hawser/model/drill-evidence.ts';
import type { DrillRunSpec } from '@hawser/model/drill-run.ts';
import { type RunSecond, sum } from './run-recovery.ts';
import type { RunAccount } from './run-report.ts';

const SECOND_MS = 1_000;
/** Points of one cluster that a document has at most. */
const MOST_POINTS = 600;

type Account = Pick<RunAccount, 'state' | 'seconds' | 'members' | 'plan' | 'run' | 'destinationOf'>;

/** In order of time. What others than the clusters that are hit should get is theirs to find: that is the drill. */
export function weightsOf(account: Account): DrillEvidence['weights'] {
  const { state, seconds, members, plan } = account;
  const { publishedAt, ackedAt, restoringAt, restoredAt } = state.marks;
  if (plan.course.type === 'trafficShift') return shiftWeights(account);
  if (publishedAt === undefined || !isLoss(plan.course.type)) return observed(seconds, members);
  const before = seconds.filter(({ at }) => at + SECOND_MS <= publishedAt);
  return observed(seconds, members).map((point) => {
    if (!state.clusters.includes(point.cluster)) return point;
    const usual = percentOf(before, point.cluster);
    const at = Date.parse(point.at);
    const isIn = (from: number | undefined, to: number | undefined): boolean =>
      from !== undefined && at >= from && at < (to ?? Number.POSITIVE_INFINITY);
    return { ...point, desired: isIn(publishedAt, restoringAt) ? 0 : usual, acked: isIn(ackedAt, restoredAt) ? 0 : usual };
  });
}

/** Of a shift, by its own destinations: those of its steps while it was there. */
function shiftWeights({ state, seconds, run, destinationOf }: Account): DrillEvidence['weights'] {
  const { destinations = [], totalWeight = 100 } = (run.spec as DrillRunSpec).plan.scenario.shift ?? {};
  const points = state.followed?.points ?? [];
  const goneAt = state.marks.restoringAt ?? Number.POSITIVE_INFINITY;
  return partsOf(seconds).flatMap((part) => {
    const at = part[0]?.at ?? 0;
    const cells = part.flatMap((second) => second.cells);
    const all = sum(cells, 'requests');
    const point = at < goneAt ? points.findLast((one) => Date.parse(one.at) <= at) : undefined;
    const share = (weights: Readonly<Record<string, number>> | undefined, name: string): number | null =>
      weights === undefined ? null : ((weights[name] ?? 0) / totalWeight) * 100;
    return destinations.map(({ name }) => {
      const own = cells.filter((cell) => destinationOf?.(cell) === name);
      return {
        ...{ at: new Date(at).toISOString(), cluster: name, desired: share(point?.weights, name), acked: share(point?.acked, name) },
        observed: all === 0 ? null : (sum(own, 'requests') / all) * 100,
      };
    });
  });
}

function partsOf(seconds: readonly RunSecond[]): readonly (readonly RunSecond[])[] {
  const step = Math.max(1, Math.ceil(seconds.length / MOST_POINTS));
  return Array.from({ length: Math.ceil(seconds.length / step) }, (_, index) => seconds.slice(index * step, (index + 1) * step));
}

function observed(seconds: readonly RunSecond[], members: Account['members']): DrillEvidence['weights'] {
  return partsOf(seconds).flatMap((part) =>
    members.map(({ name }) => ({
      ...{ at: new Date(part[0]?.at ?? 0).toISOString(), cluster: name, desired: null, acked: null },
      observed: percentOf(part, name),
    })),
  );
}

function percentOf(seconds: readonly RunSecond[], cluster: string): number | null {
  const cells = seconds.flatMap((second) => second.cells);
  const all = sum(cells, 'requests');
  if (all === 0) return null;
  const own = sum(
    cells.filter(({ destination }) => destination === cluster),
    'requests',
  );
  return (own / all) * 100;
}
