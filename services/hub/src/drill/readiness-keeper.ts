/** The readiness of every drill, looked at again when it is saved and from time to time: in memory of each replica. */

import type { Resource } from '@hawser/model/resource.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { gauges, type Registry } from '@hawser/runtime/metrics.ts';
import type { RunGroup } from '@hawser/runtime/run-group.ts';
import type { DrillReadinessView } from '@hawser/wire/drill-views.ts';
import { LookLoop } from '../distribute/look-loop.ts';
import type { DesiredState } from '../resource/resource-read-model.ts';
import { drillReadiness } from './drill-facts.ts';
import type { DrillPlanParts } from './drill-plan.ts';
import { drillsOf } from './drill-times.ts';

/** What is ready is looked at again after so long, and what is not after less: somebody works on it. */
const READY_MS = 30 * 60_000;
const ATTENTION_MS = 60_000;
/** Of a hub that has just begun, clusters that have not said anything yet are waited for this long. */
const BEGIN_MS = 30_000;
const LOOK_MS = 1_000;
const YIELD_MS = 10;

interface Kept {
  readonly uid: string;
  readonly version: string;
  readonly readiness: DrillReadinessView;
  /** By a clock that does not jump, milliseconds. */
  readonly again: number;
}

/** One replica's. */
export class ReadinessKeeper {
  readonly #parts: DrillPlanParts;
  readonly #clock: () => number;
  readonly #begun: number;
  #kept: ReadonlyMap<string, Kept> = new Map();
  #seen: DesiredState | undefined;

  constructor(parts: DrillPlanParts, clock: () => number = () => performance.now()) {
    this.#parts = parts;
    this.#clock = clock;
    this.#begun = clock();
  }

  /** What was found last of a drill as it is written now, by its uid; undefined while it was not looked at. */
  of({ metadata }: Resource): DrillReadinessView | undefined {
    const kept = this.#kept.get(metadata.name);
    if (kept === undefined || kept.uid !== metadata.uid || kept.version !== metadata.resourceVersion) return undefined;
    return kept.readiness;
  }

  all(): readonly DrillReadinessView[] {
    return [...this.#kept.values()].map(({ readiness }) => readiness);
  }

  /** Looks at the one drill that is due first; true when there are more. */
  look(): boolean {
    const { context } = this.#parts;
    const { desired } = context.distribution;
    const isEarly = context.fleet.knownServices() === undefined && this.#clock() - this.#begun < BEGIN_MS;
    if (desired === undefined || isEarly) return false;
    if (desired === this.#seen && ![...this.#kept.values()].some(({ again }) => again <= this.#clock())) return false;
    const drills = drillsOf(context);
    this.#kept = new Map([...this.#kept].filter(([name]) => drills.some(({ metadata }) => metadata.name === name)));
    const due = drills.filter((drill) => this.#isDue(drill));
    const [first, ...more] = due;
    if (first !== undefined) this.lookAt(first);
    if (more.length > 0) return true;
    this.#seen = desired;
    return false;
  }

  /** Looks at a drill now, and keeps what was found. */
  lookAt(drill: Resource): DrillReadinessView {
    const readiness = drillReadiness(drill, this.#parts);
    const again = this.#clock() + (readiness.state === 'Ready' ? READY_MS : ATTENTION_MS);
    const { name, uid = '', resourceVersion: version = '' } = drill.metadata;
    this.#kept = new Map(this.#kept).set(name, { uid, version, readiness, again });
    return readiness;
  }

  #isDue(drill: Resource): boolean {
    const again = this.#kept.get(drill.metadata.name)?.again ?? 0;
    return this.of(drill) === undefined || again <= this.#clock();
  }
}

/** Registers what is known of drills before they run. */
export function registerReadinessMetrics(registry: Registry, keeper: Pick<ReadinessKeeper, 'all'>): void {
  gauges(registry, 'hub_drill_ready', () => keeper.all().map(({ drill, state }) => [{ drill }, state === 'Ready' ? 1 : 0]));
  gauges(registry, 'hub_drill_next_start_timestamp_seconds', () =>
    keeper
      .all()
      .flatMap(({ drill, nextStartAt }) => (nextStartAt === undefined ? [] : [[{ drill }, Date.parse(nextStartAt) / 1_000] as const])),
  );
}

/** Looks until the group stops: about one drill at a time, so that nothing else waits for many. */
export function startReadiness(
  keeper: ReadinessKeeper,
  { log, group }: { readonly log: Logger; readonly group: Pick<RunGroup, 'onStop' | 'signal'> },
): void {
  const problem = 'the readiness of drills could not be looked at';
  const look = async (): Promise<boolean> => {
    const hasMore = keeper.look();
    // Requests are answered in between.
    await sleep(YIELD_MS);
    return hasMore;
  };
  const running = new LookLoop({ look, everyMs: LOOK_MS, problem, log, signal: group.signal }).run();
  group.onStop('readiness of drills', () => running);
}
