/** The checks of runs that are under way: they run beside the leader's looks, and are asked for what they say. */
import type { CheckSpec } from '@hawser/model/check.ts';
import type { CheckState } from '@hawser/model/check-verdict.ts';
import { RPO_CHECK } from '@hawser/model/drill-course.ts';
import type { DrillRunSpec } from '@hawser/model/drill-run.ts';
import type { RunningChecks } from '../checks/check-runner.ts';
import type { CheckSubject } from '../checks/hub-source.ts';
import type { UnderWay } from '../operations/operation-kind.ts';
import type { DrillState } from './drill-state.ts';
import type { KeptChecks } from './run-checks.ts';
import type { CheckWhen, RunCheck } from './run-evidence.ts';
import { isInForce } from './run-progress.ts';

/** Starts checks about services; those that are among `begun` go on from there. */
export type StartDrillChecks = (checks: readonly CheckSpec[], subject: CheckSubject, begun?: readonly CheckState[]) => RunningChecks;

interface Running {
  readonly part: CheckWhen;
  readonly specs: readonly Given[];
  readonly checks: RunningChecks;
}

type Given = Pick<RunCheck, 'role' | 'when'> & { readonly spec: CheckSpec };

/**
 * The running checks by the uid of their run. Each part begins them anew: what was so before says nothing of what is so after. Another
 * leader goes on within a part where the one before was.
 */
export class DrillGuardrails {
  readonly #start: StartDrillChecks;
  readonly #running = new Map<string, Running>();
  readonly #past = new Map<string, RunCheck[]>();

  constructor(start: StartDrillChecks) {
    this.#start = start;
  }

  /** Starts what is missing, and stops what is not needed any more; `servicesOf` is who a run is for. */
  attend(underWay: readonly UnderWay<DrillState>[], servicesOf: (run: UnderWay<DrillState>) => readonly string[]): void {
    const wanted = new Map(
      underWay.flatMap((one) => (partOf(one.state) === undefined ? [] : [[one.resource.metadata.uid ?? '', one] as const])),
    );
    const known = new Set(underWay.map(({ resource }) => resource.metadata.uid ?? ''));
    for (const uid of this.#past.keys()) if (!known.has(uid)) this.#past.delete(uid);
    for (const [uid, running] of this.#running) {
      const one = wanted.get(uid);
      if (one !== undefined && partOf(one.state) === running.part) continue;
      if (known.has(uid)) this.#past.set(uid, [...(this.#past.get(uid) ?? []), ...statesOf(running)]);
      running.checks.stop();
      this.#running.delete(uid);
    }
    for (const [uid, one] of wanted) {
      const part = partOf(one.state);
      if (part !== undefined && !this.#running.has(uid)) this.#running.set(uid, this.#begin(one, part, servicesOf(one)));
    }
  }

  #begin({ resource, state: { checked } }: UnderWay<DrillState>, part: CheckWhen, services: readonly string[]): Running {
    const uid = resource.metadata.uid ?? '';
    const isSame = checked?.part === part;
    if (checked !== undefined && !this.#past.has(uid)) this.#past.set(uid, isSame ? [...checked.past] : [...checked.past, ...checked.now]);
    const specs = givenOf(resource.spec as DrillRunSpec).filter(({ when }) => when.includes(part));
    const checks = this.#start(
      specs.map(({ spec }) => spec),
      { namespace: '', services },
      isSame ? checked.now.map(({ state }) => state) : [],
    );
    return { part, specs, checks };
  }

  /** What they say in this part; undefined while they were not begun for it. */
  checks(uid: string, state: DrillState): readonly RunCheck[] | undefined {
    const running = this.#running.get(uid);
    if (running === undefined || running.part !== partOf(state)) return undefined;
    return statesOf(running);
  }

  /** What whoever leads next goes on from; undefined where none runs. */
  kept(uid: string): KeptChecks | undefined {
    const running = this.#running.get(uid);
    return running === undefined ? undefined : { part: running.part, now: statesOf(running), past: this.#past.get(uid) ?? [] };
  }

  /** What they have said in all parts, as far as it was kept. */
  record(uid: string): readonly RunCheck[] {
    const running = this.#running.get(uid);
    return [...(this.#past.get(uid) ?? []), ...(running === undefined ? [] : statesOf(running))];
  }
}

function statesOf({ part, specs, checks }: Running): RunCheck[] {
  const states = checks.verdicts();
  return specs.flatMap(({ role }, index) => {
    const state = states[index];
    return state === undefined ? [] : [{ role, when: [part], state }];
  });
}

/** The checks of a plan. Guardrails hold in every part that they do not leave out. */
export function givenOf({ plan }: Pick<DrillRunSpec, 'plan'>): readonly Given[] {
  const { guardrails = [], steadyState = [], blockers = [], objectives } = plan;
  const when = (spec: CheckSpec): RunCheck['when'] => spec.when ?? ['before', 'during', 'after'];
  return [
    ...guardrails.map((spec): Given => ({ role: 'guardrail', when: when(spec), spec })),
    ...steadyState.map((spec): Given => ({ role: 'steadyState', when: when(spec), spec })),
    ...blockers.map((spec): Given => ({ role: 'blocker', when: ['before'], spec })),
    ...(objectives.rpoQuery === undefined ? [] : [recorded(objectives.rpoQuery)]),
  ];
}

/** Data that a loss would cost is read as soon as something is in force, and again when it is not any more. */
function recorded(prometheus: NonNullable<DrillRunSpec['plan']['objectives']['rpoQuery']>): Given {
  const when: RunCheck['when'] = ['during', 'after'];
  const spec: CheckSpec = {
    ...{ name: RPO_CHECK, source: { prometheus }, condition: 'result >= 0.0', when: [...when] },
    ...{ initialDelay: '0s', action: 'record' },
  };
  return { role: 'objective', when, spec };
}

function partOf({ phase, percent }: DrillState): CheckWhen | undefined {
  if (phase === 'Preflight') return 'before';
  if (!isInForce({ phase })) return undefined;
  if (phase !== 'Restoring') return 'during';
  return percent > 0 ? 'during' : 'after';
}
