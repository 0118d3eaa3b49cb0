/**
 * Which drills are obeyed (decision 31): what a drill breaks is lifted when no sign of the hub came for as long as its lease, by the
 * monotonic clock; an agent that acts as if it were cut off comes back when the lease ends. Neither begins again for the same run.
 */
import { DRILL_RUN, type DrillForm, type DrillPartition, drillFormOf } from '@hawser/model/drill-form.ts';
import { parseDuration } from '@hawser/model/duration.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { DrillAccount } from '@hawser/wire/drill-lease.ts';

/** What it works with. */
export interface DrillLeasesParts {
  readonly cluster: string;
  /** Runs that were over here when the state was saved, by uid. */
  readonly saved: readonly string[];
  /** A fault is obeyed no more. */
  readonly onLapse: () => void;
  /** What an operator sees, or what is saved, differs. */
  readonly onChange: () => void;
  /** The agent is to act as if it were cut off from this, or no longer. */
  readonly onPartition: (from: DrillPartition['from'] | undefined) => void;
}

interface Course {
  form: DrillForm;
  /** When the hub was heard of it last, by the monotonic clock. */
  heardAt: number;
  readonly begunAt: number;
  state: DrillAccount['state'];
  at: string;
}

/** Before an agent acts as if it were cut off, it says that it has understood; milliseconds. */
const SAY_MS = 1_000;

/** The drills that this agent knows of. */
export class DrillLeases {
  readonly #parts: DrillLeasesParts;
  readonly #over: Set<string>;
  /** By uid. */
  readonly #courses = new Map<string, Course>();
  /** Forms without what was lifted, so that the same policy stays the same object. */
  readonly #lifted = new WeakMap<Resource, Resource>();
  #timer: NodeJS.Timeout | undefined;
  #cutFrom: DrillPartition['from'] | undefined;

  constructor(parts: DrillLeasesParts) {
    this.#parts = parts;
    this.#over = new Set(parts.saved);
  }

  /** What the agent acts as if it were cut off from. */
  get cutFrom(): DrillPartition['from'] | undefined {
    return this.#cutFrom;
  }

  /** Takes note of the drills among the newest policies, and gives what is obeyed; the same map when none was lifted. */
  obeyed(policies: ReadonlyMap<string, Resource>): ReadonlyMap<string, Resource> {
    const runs = [...policies].filter(([, { kind }]) => kind === DRILL_RUN);
    if (runs.length === 0 && this.#courses.size === 0) return policies;
    const known = new Set(runs.map(([, run]) => idOf(run)));
    for (const id of this.#courses.keys()) if (!known.has(id)) this.#courses.delete(id);
    for (const id of this.#over) if (!known.has(id)) this.#over.delete(id);
    for (const [, run] of runs) this.#note(run);
    this.#judge();
    const lifted = runs.filter(([, run]) => this.#courses.get(idOf(run))?.state === 'lifted');
    return lifted.length === 0 ? policies : new Map([...policies, ...lifted.map(([key, run]) => [key, this.#without(run)] as const)]);
  }

  /** The hub attends to a run; false when it is not obeyed here. */
  renew(run: string): boolean {
    const course = [...this.#courses.values()].find(({ form }) => form.run === run);
    if (course?.state !== 'obeyed') return false;
    course.heardAt = performance.now();
    this.#judge();
    return true;
  }

  /** For the agent's account of itself. */
  account(): DrillAccount[] {
    return [...this.#courses.values()].map(({ form, state, at }) => ({ run: form.run, state, at }));
  }

  /** Runs that are over here. */
  saved(): string[] {
    return [...this.#over];
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #note(run: Resource): void {
    const form = drillFormOf(run);
    if (form === undefined) return;
    const known = this.#courses.get(idOf(run));
    const isCut = this.#isCut(form);
    if (form.inject === undefined && !isCut) {
      this.#courses.delete(idOf(run));
      return;
    }
    if (known !== undefined) {
      known.form = form;
      return;
    }
    const state = this.#over.has(idOf(run)) ? (isCut ? 'rejoined' : 'lifted') : isCut ? 'cut' : 'obeyed';
    const now = performance.now();
    this.#courses.set(idOf(run), { form, state, heardAt: now, begunAt: now, at: new Date().toISOString() });
    this.#parts.onChange();
  }

  #isCut({ partition }: DrillForm): boolean {
    return partition?.clusters.includes(this.#parts.cluster) === true;
  }

  /** Ends what is over, and comes back when the next one may be. */
  #judge(): void {
    clearTimeout(this.#timer);
    const now = performance.now();
    let isLapsed = false;
    for (const [id, course] of this.#courses) {
      if (endOf(course) > now || (course.state !== 'obeyed' && course.state !== 'cut')) continue;
      isLapsed ||= course.state === 'obeyed';
      course.state = course.state === 'obeyed' ? 'lifted' : 'rejoined';
      course.at = new Date().toISOString();
      this.#over.add(id);
    }
    this.#partition(now);
    const next = Math.min(...[...this.#courses.values()].flatMap((course) => turnsOf(course)).filter((at) => at > now));
    if (Number.isFinite(next)) this.#timer = setTimeout(() => this.#judge(), next - now + 1).unref();
    if (isLapsed) this.#parts.onLapse();
  }

  #partition(now: number): void {
    const cut = [...this.#courses.values()].find(({ state, begunAt }) => state === 'cut' && begunAt + SAY_MS <= now);
    const from = cut?.form.partition?.from;
    if (from === this.#cutFrom) return;
    this.#cutFrom = from;
    this.#parts.onPartition(from);
    this.#parts.onChange();
  }

  #without(run: Resource): Resource {
    const known = this.#lifted.get(run);
    if (known !== undefined) return known;
    const { inject: _, ...form } = run.spec as DrillForm;
    const lifted = { ...run, spec: form };
    this.#lifted.set(run, lifted);
    return lifted;
  }
}

function idOf({ metadata }: Resource): string {
  return metadata.uid ?? metadata.name;
}

/** Nobody renews a lease on being cut off. */
function endOf({ form, state, heardAt, begunAt }: Course): number {
  const lease = parseDuration(form.lease) ?? 0;
  return state === 'cut' ? begunAt + SAY_MS + lease : heardAt + lease;
}

function turnsOf(course: Course): number[] {
  if (course.state === 'obeyed') return [endOf(course)];
  return course.state === 'cut' ? [course.begunAt + SAY_MS, endOf(course)] : [];
}
