/** What becomes of the excess of overloaded places: watched, moved, taken back. Pure. */
import type { FailoverPolicySpec } from '@hawser/model/failover-policy.ts';
import type { OperationState } from '../operations/operation-kind.ts';
import { nextSpills, type PlaceLoad, type SpillLimits, type Spills } from './spill-plan.ts';

/** Requests a second that places were seen to answer well. */
type Learned = Readonly<Record<string, number>>;

/** The state; JSON. */
export interface OverflowState extends OperationState {
  readonly phase: 'Watching' | 'Spilling' | 'Ended';
  /** By service. */
  readonly spills: Readonly<Record<string, Spills>>;
  /** By service, then by place. */
  readonly learned: Readonly<Record<string, Learned>>;
  /** The operation's clock at the last change. */
  readonly changedAt: number;
  /** Unix ms from which on loads are those under the spills; undefined while proxies may not have them yet. */
  readonly measureFrom?: number | undefined;
}

/** What a place bore of a service. */
export interface MeasuredPlace {
  /** `region NAME` or `cluster NAME`. */
  readonly place: string;
  readonly perSecond: number;
  /** Whether more of its answers were failures than happens anyway. */
  readonly isFailing: boolean;
}

/** Loads by service, of all places that serve it. */
export interface MeasuredLoads {
  readonly services: ReadonlyMap<string, readonly MeasuredPlace[]>;
  /** Whether the callers of all clusters are in them; else places bear at least that. */
  readonly isWhole: boolean;
}

/** What it is judged by. */
export interface OverflowEvidence {
  readonly now: number;
  readonly clock: number;
  /** Whether all proxies that are there have what is in force. */
  readonly isInForce: boolean;
  /** Loads since then; undefined while they are not known. */
  loads(since: number, spec: FailoverPolicySpec): MeasuredLoads | undefined;
}

const DEFAULT_AT = 0.9;
const DEFAULT_BAND = 0.1;
const DEFAULT_STEP_PERCENT = 20;
/** A proxy that does not answer is not waited for any longer. */
const ACK_MS = 10_000;
/** What is learned anew is worth a write. */
const WORTH = 1.1;

/** How it begins; undefined where the policy asks for none. */
export function startedOverflow({ overflow }: FailoverPolicySpec, now: number): OverflowState | undefined {
  return overflow === undefined ? undefined : { phase: 'Watching', spills: {}, learned: {}, changedAt: 0, measureFrom: now };
}

/** One look; the very same state when nothing changes. Where loads are not known, the last spill stays. */
export function advancedOverflow(state: OverflowState, spec: FailoverPolicySpec, evidence: OverflowEvidence): OverflowState {
  if (spec.overflow === undefined) return { ...state, phase: 'Ended', spills: {}, message: undefined };
  const { measureFrom } = state;
  if (measureFrom === undefined) {
    const isOver = evidence.isInForce || evidence.clock - state.changedAt >= ACK_MS;
    return isOver ? { ...state, measureFrom: evidence.now } : state;
  }
  // The wall clock went back.
  if (measureFrom > evidence.now) return { ...state, measureFrom: evidence.now };
  const loads = evidence.loads(measureFrom, spec);
  return loads === undefined ? state : judged(state, loads, { spec, evidence });
}

interface Judgement {
  readonly spec: FailoverPolicySpec;
  readonly evidence: OverflowEvidence;
}

function judged(state: OverflowState, { services, isWhole }: MeasuredLoads, { spec, evidence }: Judgement): OverflowState {
  const asked = limitsOf(spec, evidence.clock - state.changedAt);
  // Of what is not wholly known nothing is taken back.
  const limits = isWhole ? asked : { ...asked, returnBelow: 0 };
  const spills: Record<string, Spills> = {};
  const learned: Record<string, Learned> = {};
  for (const [service, places] of services) {
    const known = state.learned[service] ?? {};
    const before = state.spills[service] ?? {};
    const found = nextSpills(
      places.map((place) => loadOf(place, { spec, known, before })),
      before,
      limits,
    );
    if (Object.keys(found).length > 0) spills[service] = found;
    const more = spec.capacity?.learned === true ? learnedFrom(places, known) : known;
    if (Object.keys(more).length > 0) learned[service] = more;
  }
  const isSame = sameEntries(spills, state.spills);
  if (isSame && sameEntries(learned, state.learned)) return state;
  if (isSame) return { ...state, learned };
  const phase = Object.keys(spills).length === 0 ? 'Watching' : 'Spilling';
  return { phase, spills, learned, changedAt: evidence.clock, measureFrom: undefined, message: saidOf(spills) };
}

function limitsOf({ overflow }: FailoverPolicySpec, sinceMs: number): SpillLimits {
  const { at = DEFAULT_AT, returnBelow, stepPercent = DEFAULT_STEP_PERCENT } = overflow ?? {};
  const mostChange = Math.min(100, stepPercent * Math.max(1, Math.floor(sinceMs / 1_000)));
  return { at, returnBelow: returnBelow ?? Math.max(0.05, at - DEFAULT_BAND), mostChange };
}

/** A place whose capacity is learned has room until it fails; from then on it can take what it could before. */
function loadOf(
  { place, perSecond, isFailing }: MeasuredPlace,
  { spec, known, before }: { spec: FailoverPolicySpec; known: Learned; before: Spills },
): PlaceLoad {
  const [sort, name = ''] = place.split(' ');
  const declared = sort === 'region' ? spec.capacity?.regions?.[name] : spec.capacity?.clusters?.[name];
  const seen = spec.capacity?.learned === true && (isFailing || before[place] !== undefined) ? known[place] : undefined;
  return { place, perSecond, capacity: declared ?? seen };
}

function learnedFrom(places: readonly MeasuredPlace[], known: Learned): Learned {
  const better = places.filter(({ place, perSecond, isFailing }) => !isFailing && perSecond > WORTH * (known[place] ?? 0));
  return better.length === 0 ? known : { ...known, ...Object.fromEntries(better.map(({ place, perSecond }) => [place, perSecond])) };
}

function sameEntries(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

function saidOf(spills: OverflowState['spills']): string | undefined {
  const all = Object.entries(spills).flatMap(([service, of]) =>
    Object.entries(of).map(([place, { percent }]) => `${percent} % of what ${service} would get in ${place} goes elsewhere`),
  );
  return all.length === 0 ? undefined : all.join('; ');
}

/** The policy that agents get; undefined: as it is written. */
export function spillingForm(spec: FailoverPolicySpec, { spills }: OverflowState): FailoverPolicySpec | undefined {
  const spill = Object.entries(spills).flatMap(([service, of]) =>
    Object.entries(of).map(([place, { percent, to }]) => {
      const targets = Object.entries(to).map(([target, weight]) => ({ ...placeOf(target), weight }));
      return { service, from: placeOf(place), percent, ...(targets.length === 0 ? {} : { to: targets }) };
    }),
  );
  return spill.length === 0 ? undefined : { ...spec, spill };
}

function placeOf(place: string): { region: string } | { cluster: string } {
  const [sort, name = ''] = place.split(' ');
  return sort === 'region' ? { region: name } : { cluster: name };
}
