/** What a drill of scenario trafficShift moves, and how; and the TrafficShift that the hub makes of it. Pure. */
import Type, { type Static } from 'typebox';
import { invalid } from './istio/rules/checks.ts';
import { PROGRESSIVE_FIELDS, ShiftDestination, ShiftStep, type SteppedShift } from './progressive-shift.ts';
import { TrafficShiftSpec, trafficShiftProblems } from './traffic-shift.ts';
import type { SchemaProblem } from './validate-schema.ts';

const { totalWeight, match, stickiness } = TrafficShiftSpec.properties;
const { start, advance } = PROGRESSIVE_FIELDS;

/** As the fields of a TrafficShift, but for its services, which are those of the drill. */
export const DrillShift = Type.Object(
  {
    destinations: Type.Array(ShiftDestination, {
      minItems: 2,
      maxItems: 32,
      description: 'What the requests are divided among, by the steps.',
    }),
    steps: Type.Array(ShiftStep, {
      minItems: 1,
      maxItems: 100,
      description: 'What is done, one after the other: setWeights, pauses of a duration, setHeaderRoute and setMirror.',
    }),
    ...{ start, totalWeight, match, stickiness, advance },
  },
  {
    additionalProperties: false,
    description:
      'The TrafficShift that a run makes, under the name of the run, and takes away in the end; of trafficShift alone. What is inconclusive goes back.',
  },
);
export type DrillShift = Static<typeof DrillShift>;

type Steps = readonly (string | number)[];

/** Rules of it that its schema cannot say, at `scenario.shift`. */
export function drillShiftProblems(shift: DrillShift): readonly SchemaProblem[] {
  const at: Steps = ['scenario', 'shift'];
  const own = trafficShiftProblems({ services: ['any'], ...shift } as TrafficShiftSpec);
  return [
    ...own.map((problem) => ({ ...problem, steps: [...at, ...problem.steps] })),
    ...shift.steps.flatMap((step, index) => attended(step).map((text) => invalid([...at, 'steps', index], text))),
  ];
}

/** A run goes by itself: nobody is asked in between. */
function attended({ approval, analysis, pause }: ShiftStep): string[] {
  if (approval !== undefined) return ['is an approval: those of a drill are given before it begins (spec.approvals)'];
  if (analysis !== undefined) return ['is an analysis: the checks of a drill are its guardrails and steady state'];
  return pause !== undefined && pause.duration === undefined ? ['is a pause without a duration, which only a person would end'] : [];
}

/** How it is to be made. */
export interface ShiftOfRun {
  readonly shift: DrillShift;
  /** Names without their namespace. */
  readonly services: readonly string[];
  /** Part of the capacity of a destination that stays free, percent. */
  readonly minHeadroomPercent: number;
  /** SafetyRules and freezes that it goes on in spite of. */
  readonly overrides: readonly string[];
}

/** The spec of the TrafficShift: nobody attends to it, so what cannot be told goes back. */
export function shiftSpecOf({ shift, services, minHeadroomPercent, overrides }: ShiftOfRun): TrafficShiftSpec & SteppedShift {
  return {
    ...shift,
    services: [...services],
    capacityGuard: { maxDestinationUtilization: 1 - minHeadroomPercent / 100 },
    onInconclusive: 'rollback',
    ...(overrides.length === 0 ? {} : { overrideSafetyRules: [...overrides] }),
  };
}

/** From what to what, for people: `v1 to v2`, or with weights where there are several. */
export function shiftText({ destinations, steps, start: given }: DrillShift): string {
  const last = steps.findLast(({ setWeights }) => setWeights !== undefined)?.setWeights ?? {};
  return `${weightsText(given ?? { [destinations[0]?.name ?? '']: 1 })} to ${weightsText(last)}`;
}

/** Such as `v1 90, v2 10`; who has no weight is left out, and one that has all of it is alone. */
export function weightsText(weights: Readonly<Record<string, number>>): string {
  const some = Object.entries(weights).filter(([, weight]) => weight > 0);
  const [only] = some;
  return some.length === 1 && only !== undefined ? only[0] : some.map(([name, weight]) => `${name} ${weight}`).join(', ');
}
