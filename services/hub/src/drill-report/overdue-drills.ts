/** Drills that were not passed for longer than they may be: in memory of each replica, out of the reports. */
import type { DrillSpec } from '@hawser/model/drill.ts';
import { drillCourse } from '@hawser/model/drill-course.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { gauges, type Registry } from '@hawser/runtime/metrics.ts';
import type { RunGroup } from '@hawser/runtime/run-group.ts';
import type { Database } from '../db/database.ts';
import { LookLoop } from '../distribute/look-loop.ts';
import { lastPassed } from './report-store.ts';

const LOOK_MS = 60_000;

/** What it works with. */
export interface OverdueParts {
  readonly database: Database;
  /** All drills there are. */
  drills(): readonly Resource[];
  readonly registry: Registry;
  readonly log: Logger;
  readonly group: Pick<RunGroup, 'onStop' | 'signal'>;
}

/**
 * PURE: for how many seconds a drill has been overdue, 0 while it is not: since `overdueAfter` after a live run of it passed, or after it was
 * made when none did. Undefined for drills that were only ever rehearsed, and are to be: nobody expects proof of those. Whether its
 * schedule is suspended makes no difference: what was proven grows old all the same.
 */
export function overdueSeconds({ metadata, spec }: Resource, passedAt: Date | undefined, now: number): number | undefined {
  const drill = spec as DrillSpec;
  const since = passedAt?.getTime() ?? (drill.mode === 'live' ? Date.parse(metadata.creationTimestamp ?? '') : Number.NaN);
  if (Number.isNaN(since)) return undefined;
  return Math.max(0, now - since - drillCourse(drill).overdueAfterMs) / 1_000;
}

/** Registers `hub_drill_overdue_seconds` and reads the reports until the group stops. Before they were read once, nothing is said. */
export function startOverdueDrills({ database, drills, registry, log, group }: OverdueParts): void {
  let passed: ReadonlyMap<string, Date> | undefined;
  gauges(registry, 'hub_drill_overdue_seconds', () => {
    const known = passed;
    if (known === undefined) return [];
    return drills().flatMap((drill) => {
      const seconds = overdueSeconds(drill, known.get(drill.metadata.name), Date.now());
      return seconds === undefined ? [] : [[{ drill: drill.metadata.name }, seconds] as const];
    });
  });
  const look = async (): Promise<void> => {
    passed = await database.transaction(lastPassed, { accessMode: 'read only' });
  };
  const problem = 'it could not be read which drills passed';
  const running = new LookLoop({ look, everyMs: LOOK_MS, problem, log, signal: group.signal }).run();
  group.onStop('overdue drills', () => running);
}
