/** PURE: where a rotation is, and what moves it on. What it waits for is worked out by `rotation-waits.ts`. */
import type { GenerationKind, RotationPhase, RotationWait, TrustOrder, TrustPhase } from '@hawser/wire/trust.ts';
import type { Evidence } from './rotation-evidence.ts';
import { refusalBy, waitsOf } from './rotation-waits.ts';

/** A rotation as it is stored. */
export interface Rotation {
  readonly id: string;
  /** Whose authority it is. */
  readonly cluster: string;
  /** Of its enrolment: what was meant for it is not meant for another cluster of that name. */
  readonly epoch: number;
  readonly kind: GenerationKind;
  readonly emergency: boolean;
  readonly phase: RotationPhase;
  readonly paused: boolean;
  /** An operator said that what is away is not to be waited for. */
  readonly retireNow: boolean;
  /** In `RollingBack`: that the one before signs again everywhere, and the new one goes. */
  readonly withdrawn: boolean;
  /** RFC 3339; when it is to start. */
  readonly at?: string;
  /** A silent cluster is waited for this long before the new root is used without it, milliseconds. */
  readonly awayAfterMs: number;
  readonly startedBy: string;
  readonly createdAt: string;
  /** In the order of time, the present one last. */
  readonly phases: readonly { readonly phase: RotationPhase; readonly at: string }[];
  readonly message?: string;
}

/** How a new one is asked for. */
export interface RotationStart {
  readonly id: string;
  readonly cluster: string;
  readonly epoch: number;
  readonly kind: GenerationKind;
  readonly emergency: boolean;
  readonly at?: string | undefined;
  readonly awayAfterMs: number;
  readonly startedBy: string;
  /** Unix milliseconds. */
  readonly now: number;
}

/** What an operator may do with one that is under way. */
export type RotationCommand = 'pause' | 'resume' | 'rollback' | 'retire-now';

const ENDS: readonly RotationPhase[] = ['Done', 'RolledBack', 'Failed'];
const NEXT: Readonly<Partial<Record<RotationPhase, RotationPhase>>> = {
  Preparing: 'Activating',
  Activating: 'Tainting',
  Tainting: 'Retiring',
  Retiring: 'Done',
};
const ORDERED: Readonly<Partial<Record<RotationPhase, TrustPhase>>> = {
  Preparing: 'prepare',
  Activating: 'activate',
  Tainting: 'taint',
  Retiring: 'retire',
};

/** Whether nothing moves it any more. */
export function isOver({ phase }: Pick<Rotation, 'phase'>): boolean {
  return ENDS.includes(phase);
}

/** A new rotation, which `advance` starts when its time has come. */
export function started({ now, at, ...given }: RotationStart): Rotation {
  const createdAt = new Date(now).toISOString();
  const flags = { paused: false, retireNow: false, withdrawn: false, phase: 'Pending' as const };
  return { ...given, ...flags, ...(at === undefined ? {} : { at }), createdAt, phases: [{ phase: 'Pending', at: createdAt }] };
}

/** The step that its cluster is told at present; undefined where that is none of its own. */
export function stepOf(rotation: Rotation): TrustPhase | undefined {
  if (rotation.phase === 'RollingBack') return rotation.withdrawn ? 'retire' : 'rollback';
  return ORDERED[rotation.phase];
}

/** The order for that step. */
export function orderOf(rotation: Rotation, now: number): TrustOrder | undefined {
  const phase = stepOf(rotation);
  if (phase === undefined) return undefined;
  const emergency = (rotation.emergency || rotation.retireNow) && phase === 'retire';
  return { rotation: rotation.id, kind: rotation.kind, phase, emergency, issuedAt: new Date(now).toISOString() };
}

/** As far as the evidence allows it to go by one step; the same object when that is nowhere. */
export function advance(rotation: Rotation, evidence: Evidence): Rotation {
  if (isOver(rotation)) return rotation;
  if (evidence.busSince !== undefined && evidence.epoch !== rotation.epoch)
    return { ...entered(rotation, 'Failed', evidence.now), message: `${rotation.cluster} left the federation, or joined it anew` };
  if (rotation.paused) return rotation;
  if (rotation.phase === 'Pending') {
    if (rotation.at !== undefined && Date.parse(rotation.at) > evidence.now) return rotation;
    return entered(rotation, rotation.emergency ? 'Retiring' : 'Preparing', evidence.now);
  }
  const refusal = refusalBy(rotation, evidence, stepOf(rotation));
  // Nothing was signed with the new one yet, so nothing is lost by giving up.
  if (refusal !== undefined && rotation.phase === 'Preparing')
    return { ...entered(rotation, 'Failed', evidence.now), message: `${rotation.cluster} refuses to prepare: ${refusal}` };
  if (refusal !== undefined && rotation.phase === 'RollingBack' && !wasActivated(rotation))
    return entered(rotation, 'RolledBack', evidence.now);
  if (waitsOf(rotation, evidence, stepOf(rotation)).some(({ blocks }) => blocks)) return rotation;
  if (rotation.phase === 'RollingBack') {
    if (!rotation.withdrawn) return { ...rotation, withdrawn: true };
    return entered(rotation, 'RolledBack', evidence.now);
  }
  const next = NEXT[rotation.phase];
  return next === undefined ? rotation : entered(rotation, next, evidence.now);
}

/** Whom it waits for now, and whom it goes on without. */
export function waiting(rotation: Rotation, evidence: Evidence): readonly RotationWait[] {
  return isOver(rotation) ? [] : waitsOf(rotation, evidence, stepOf(rotation));
}

/** What becomes of it by an operator's word; a text says why that cannot be, and what can. */
export function commanded(rotation: Rotation, command: RotationCommand, evidence: Evidence): Rotation | string {
  if (isOver(rotation)) return `it is over: ${rotation.phase}`;
  if (command === 'pause') return pauseProblem(rotation) ?? { ...rotation, paused: true };
  if (command === 'resume') return rotation.paused ? { ...rotation, paused: false } : 'it is not paused';
  return command === 'rollback' ? rolledBack(rotation, evidence) : retiredNow(rotation, evidence);
}

function pauseProblem({ phase, paused, emergency }: Rotation): string | undefined {
  if (paused) return 'it is paused already';
  if (emergency) return 'an emergency waits for nothing';
  return phase === 'Retiring' ? 'the old root is on its way out: nothing is left to wait with' : undefined;
}

function rolledBack(rotation: Rotation, { now }: Evidence): Rotation | string {
  const { phase, cluster } = rotation;
  if (phase === 'Retiring') return `the old one is retired: hawser trust rotate ${cluster} replaces the new one`;
  if (phase === 'RollingBack') return 'it is rolled back already';
  const resumed = { ...rotation, paused: false };
  return entered(resumed, phase === 'Pending' ? 'RolledBack' : 'RollingBack', now);
}

function wasActivated({ phases }: Rotation): boolean {
  return phases.some(({ phase }) => phase === 'Activating');
}

/** What is away is not waited for; what is connected must not be stranded whatever an operator says. */
function retiredNow(rotation: Rotation, evidence: Evidence): Rotation | string {
  const { phase } = rotation;
  const isLast = phase === 'Tainting' || (phase === 'RollingBack' && !rotation.withdrawn);
  if (!isLast) return `it is ${phase}: only what is Tainting, or rolled back, waits for who is away`;
  const now = { ...rotation, retireNow: true };
  const stranded = waitsOf(now, evidence, stepOf(now)).filter(({ blocks }) => blocks);
  if (stranded.length === 0) return now;
  return `it would strand ${stranded.map(({ cluster, reason }) => `${cluster} (${reason})`).join(', ')}`;
}

function entered(rotation: Rotation, phase: RotationPhase, now: number): Rotation {
  return { ...rotation, phase, phases: [...rotation.phases, { phase, at: new Date(now).toISOString() }] };
}
