/** PURE: what each step of a rotation does to the generations, and when it is refused. */
import { activeOf, type Generation, rootGenerationOf } from './generation.ts';
import type { GenerationState, RotationOrder } from './rotation.ts';

/** What a step is decided by. */
export interface StepFacts {
  readonly order: RotationOrder;
  /** A new generation, when an earlier attempt said that one is needed. */
  readonly made?: Generation | undefined;
  /** Until when certificates of a generation may be held by proxies that are not known to have replaced them; Unix ms. */
  readonly heldUntil: (generation: string) => number | undefined;
}

/**
 * The generations after the step (the same object when nothing changes), the wish for a new one, or the reason why not. `atOnce`: the
 * active one was replaced without a word before, because its key may be somebody else's.
 */
export type StepResult =
  | { readonly generations: readonly Generation[]; readonly atOnce?: true }
  | { readonly needs: 'generation' }
  | { readonly refused: string };

type Generations = readonly Generation[];

/** Retired generations are shown for some time, and take room. */
const MOST_RETIRED = 16;

/** Applies one step; the same step again changes nothing. */
export function rotationStep(generations: Generations, facts: StepFacts): StepResult {
  const { order } = facts;
  const target = generations.find(({ rotation }) => rotation === order.rotation);
  if (order.phase === 'prepare') return target === undefined ? prepare(generations, facts) : { generations };
  const begun = target !== undefined && target.state !== 'prepared';
  if (order.phase === 'retire' && order.emergency === true && !begun) return replaceAtOnce(generations, facts, target);
  if (target === undefined) return { refused: `rotation ${order.rotation} is not prepared here: order its prepare first` };
  if (order.phase === 'activate') return activate(generations, target);
  if (order.phase === 'rollback') return rollBack(generations, target);
  if (target.state === 'prepared') return { refused: `rotation ${order.rotation} is not active here: order its activate first` };
  if (order.phase === 'taint') return { generations: moved(generations, { old: 'tainted' }) };
  return retire(generations, facts);
}

function prepare(generations: Generations, { order, made }: StepFacts): StepResult {
  const open = generations.find(({ state, rotation }) => isLeaving(state) || (state === 'prepared' && rotation !== undefined));
  if (open !== undefined && order.emergency !== true) {
    const { rotation = open.id.slice(0, 16), state } = open;
    return { refused: `a generation of ${rotation} is still ${state}: finish that rotation (retire) or roll it back first` };
  }
  const brought = generations.find(({ state, rotation }) => state === 'prepared' && rotation === undefined);
  if (brought !== undefined) {
    if (brought.kind !== order.kind)
      return { refused: `what was imported is ${nameOf(brought)}: rotate the ${brought.kind}, not the ${order.kind}` };
    return { generations: generations.map((each) => (each === brought ? { ...each, rotation: order.rotation } : each)) };
  }
  return made === undefined ? { needs: 'generation' } : { generations: [...generations, { ...made, rotation: order.rotation }] };
}

function activate(generations: Generations, target: Generation): StepResult {
  if (target.state === 'active') return { generations };
  if (target.state !== 'prepared')
    return { refused: `${nameOf(target)} is ${target.state}, rolled back or replaced since: begin another rotation` };
  const next = generations.map((each) => {
    if (each === target) return { ...each, state: 'active' as const };
    return each.state === 'active' ? { ...each, state: 'old' as const } : each;
  });
  return { generations: next };
}

/** Refused while certificates of what would leave are still held: without its root in the bundles nobody would believe them. */
function retire(generations: Generations, { order, heldUntil }: StepFacts): StepResult {
  const leaving = generations.filter(({ state }) => isLeaving(state));
  if (leaving.length === 0) return { generations };
  for (const each of order.emergency === true ? [] : leaving) {
    const until = heldUntil(each.id);
    if (until === undefined) continue;
    const end = new Date(until).toISOString();
    return {
      refused: `proxies hold certificates of ${nameOf(each)} that are good until ${end} and were not replaced: wait until then, or bring these proxies back`,
    };
  }
  return { generations: tidied(moved(generations, { old: 'retired', tainted: 'retired' })) };
}

function rollBack(generations: Generations, target: Generation): StepResult {
  if (target.state === 'retired' || isLeaving(target.state)) return { generations };
  if (target.state === 'prepared') return { generations: tidied(replaced(generations, target, 'retired')) };
  const before = generations.findLast(({ state }) => isLeaving(state));
  if (before === undefined) return { refused: 'the generation before it is retired and its key destroyed: begin another rotation instead' };
  // What the new one signed must not be used any more; its root stays in the bundle until `retire`.
  return { generations: replaced(replaced(generations, target, 'tainted'), before, 'active') };
}

function replaceAtOnce(generations: Generations, { order, made }: StepFacts, target: Generation | undefined): StepResult {
  if (order.kind !== 'root')
    return { refused: 'an emergency replaces the root: another intermediate below the same root would leave the stolen one believed' };
  const next = target ?? (made === undefined ? undefined : { ...made, rotation: order.rotation });
  if (next === undefined) return { needs: 'generation' };
  const others = generations.filter((each) => each !== target);
  const retired = others.map((each) => ({ ...each, state: 'retired' as const }));
  return { generations: tidied([...retired, { ...next, state: 'active' }]), atOnce: true };
}

function moved(generations: Generations, states: Partial<Record<GenerationState, GenerationState>>): Generations {
  if (!generations.some(({ state }) => states[state] !== undefined)) return generations;
  return generations.map((each) => ({ ...each, state: states[each.state] ?? each.state }));
}

function replaced(generations: Generations, target: Generation, state: GenerationState): Generations {
  return generations.map((each) => (each.id === target.id ? { ...each, state } : each));
}

/** Keys of the retired are destroyed, but for a root's below which a generation still signs. */
function tidied(generations: Generations): Generations {
  const needed = new Set(generations.flatMap((each) => (each.state === 'retired' ? [] : [rootGenerationOf(generations, each)?.id ?? ''])));
  const retired = generations.filter(({ state, id }) => state === 'retired' && !needed.has(id));
  const forgotten = new Set(retired.slice(0, Math.max(0, retired.length - MOST_RETIRED)));
  return generations
    .filter((each) => !forgotten.has(each))
    .map(({ key, ...rest }) => (key === undefined || (rest.state === 'retired' && !needed.has(rest.id)) ? rest : { ...rest, key }));
}

function isLeaving(state: GenerationState): boolean {
  return state === 'old' || state === 'tainted';
}

function nameOf({ kind, id }: Generation): string {
  return `the ${kind} ${id.slice(0, 16)}`;
}

/** The root that a new intermediate is signed by: that of the active generation, if its key is here. */
export function parentOf(generations: Generations): Generation | undefined {
  const active = activeOf(generations);
  const root = active === undefined ? undefined : rootGenerationOf(generations, active);
  return root?.key === undefined ? undefined : root;
}
