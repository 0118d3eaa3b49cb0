/** PURE: what part of the requests was to go to each cluster in a run, and what part went. */
import type { DrillEvidence } from '@hawser/model/drill-evidence.ts';
import { type RunSecond, sum } from './run-recovery.ts';
import type { RunAccount } from './run-report.ts';

const SECOND_MS = 1_000;
/** Points of one cluster that a document has at most. */
const MOST_POINTS = 600;

type Account = Pick<RunAccount, 'state' | 'seconds' | 'members' | 'plan'>;

/** In order of time. What others than the clusters that are hit should get is theirs to find: that is the drill. */
export function weightsOf({ state, seconds, members, plan }: Account): DrillEvidence['weights'] {
  const { publishedAt, ackedAt, restoringAt, restoredAt } = state.marks;
  if (publishedAt === undefined || plan.course.type === 'drain') return observed(seconds, members);
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

function observed(seconds: readonly RunSecond[], members: Account['members']): DrillEvidence['weights'] {
  const step = Math.max(1, Math.ceil(seconds.length / MOST_POINTS));
  const parts = Array.from({ length: Math.ceil(seconds.length / step) }, (_, index) => seconds.slice(index * step, (index + 1) * step));
  return parts.flatMap((part) =>
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
