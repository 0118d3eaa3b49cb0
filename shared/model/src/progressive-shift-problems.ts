/** Rules of shifts in steps that their schema cannot say. Pure. */
import { checkProblems } from './check.ts';
import { parseDuration } from './duration.ts';
import { invalid } from './istio/rules/checks.ts';
import { requestProblems } from './istio/rules/http-match.ts';
import {
  DESTINATION_SORTS,
  PROGRESSIVE_FIELDS,
  type ProgressiveSpec,
  type ShiftDestination,
  type ShiftStep,
  targetOf,
} from './progressive-shift.ts';
import type { SchemaProblem } from './validate-schema.ts';

const STEPS = ['setWeights', 'pause', 'approval', 'analysis', 'setHeaderRoute', 'setMirror'] as const;
const DAY_MS = 86_400_000;

/** Rules that hold where a shift has steps, or fields that only steps make sense of. */
export function progressiveProblems(
  spec: ProgressiveSpec & { readonly totalWeight?: number; readonly match?: unknown },
): readonly SchemaProblem[] {
  const { destinations, steps } = spec;
  if (steps === undefined || destinations === undefined) {
    const [field] = Object.keys(PROGRESSIVE_FIELDS).filter((name) => spec[name as keyof ProgressiveSpec] !== undefined);
    if (field === undefined) return [];
    const missing = steps === undefined ? 'steps' : 'destinations';
    return [
      { steps: [missing], code: 'FieldValueRequired', message: `is required beside ${field}: a shift in steps has destinations and steps` },
    ];
  }
  return [
    ...destinationProblems(destinations),
    ...weightProblems(spec, destinations),
    ...steps.flatMap((step, index) => stepProblems(step, index, destinations)),
    ...timeProblems(spec),
    ...measureProblems(spec),
  ];
}

function destinationProblems(destinations: readonly ShiftDestination[]): SchemaProblem[] {
  const named = destinations.map(({ name }) => name);
  const sorts = destinations.map((one) => DESTINATION_SORTS.filter((sort) => one[sort] !== undefined));
  const targets = destinations.map((one) => targetOf(one).target);
  return destinations.flatMap((one, index) => {
    const at = ['destinations', index];
    if (sorts[index]?.length !== 1) return [invalid(at, 'must have exactly one of region, cluster, subset')];
    if (sorts[index]?.[0] !== sorts[0]?.[0])
      return [invalid(at, `is a ${sorts[index]?.[0]}, and the first is a ${sorts[0]?.[0]}: all are of one sort`)];
    if (named.indexOf(one.name) !== index) return [invalid([...at, 'name'], `is ${one.name}, as that of another destination`)];
    return targets.indexOf(targets[index] ?? '') === index ? [] : [invalid(at, `is ${targets[index]}, as another destination`)];
  });
}

function weightProblems(
  spec: ProgressiveSpec & { readonly totalWeight?: number },
  destinations: readonly ShiftDestination[],
): SchemaProblem[] {
  const { start, steps = [], totalWeight = 100 } = spec;
  const all = [
    ...(start === undefined ? [] : [{ at: ['start'], given: start }]),
    ...steps.flatMap(({ setWeights }, index) =>
      setWeights === undefined ? [] : [{ at: ['steps', index, 'setWeights'], given: setWeights }],
    ),
  ];
  return all.flatMap(({ at, given }) => {
    const sum = Object.values(given).reduce((total, part) => total + part, 0);
    const unknown = Object.keys(given).filter((name) => !destinations.some((one) => one.name === name));
    return [
      ...unknown.map((name) => invalid([...at, name], `is no destination; there are ${destinations.map((one) => one.name).join(', ')}`)),
      ...(sum === totalWeight ? [] : [invalid(at, `add up to ${sum}; they must add up to ${totalWeight}`)]),
    ];
  });
}

function stepProblems(step: ShiftStep, index: number, destinations: readonly ShiftDestination[]): SchemaProblem[] {
  const at = ['steps', index];
  if (STEPS.filter((name) => step[name] !== undefined).length !== 1) return [invalid(at, `must have exactly one of ${STEPS.join(', ')}`)];
  const { setHeaderRoute, setMirror } = step;
  const special = setHeaderRoute === undefined ? setMirror : setHeaderRoute;
  if (special === undefined) return [];
  const field = setHeaderRoute === undefined ? 'setMirror' : 'setHeaderRoute';
  if (destinations.some(({ subset }) => subset === undefined)) return [invalid([...at, field], 'is for shifts among subsets alone')];
  const isKnown = special.destination === undefined || destinations.some(({ name }) => name === special.destination);
  const unknown = isKnown ? [] : [invalid([...at, field, 'destination'], `is ${special.destination}, which is no destination`)];
  return [...unknown, ...(setHeaderRoute === undefined ? [] : headerRouteProblems(setHeaderRoute, [...at, field]))];
}

function headerRouteProblems(
  { match, destination }: NonNullable<ShiftStep['setHeaderRoute']>,
  at: readonly (string | number)[],
): SchemaProblem[] {
  if (match === undefined) return destination === undefined ? [] : [invalid([...at, 'match'], 'is needed beside a destination')];
  if (destination === undefined) return [invalid([...at, 'destination'], 'is needed beside a match')];
  if (Object.keys(match).length === 0) return [invalid([...at, 'match'], 'needs at least one header')];
  // The headers of a route are in `match` itself.
  return requestProblems(at, { headers: match }).map((problem) => ({
    ...problem,
    steps: problem.steps.map((step, index) => (index === at.length ? 'match' : step)),
  }));
}

/** What steps ask of measurements must be there to be measured. */
function measureProblems({ steps = [], analysis, advance, match }: ProgressiveSpec & { readonly match?: unknown }): SchemaProblem[] {
  const asking = analysis === undefined ? steps.findIndex((step) => step.analysis !== undefined) : -1;
  const blind = match !== undefined && advance?.observed?.minRequests !== 0;
  return [
    ...(analysis === undefined ? [] : checkProblems(analysis.checks, ['analysis', 'checks'])),
    ...(asking === -1 ? [] : [invalid(['steps', asking, 'analysis'], 'needs spec.analysis with its checks')]),
    ...(blind
      ? [invalid(['advance', 'observed', 'minRequests'], 'must be 0 beside match: traffic is not measured by what requests are like')]
      : []),
  ];
}

function timeProblems({ steps = [], advance, progressDeadline, schedule }: ProgressiveSpec): SchemaProblem[] {
  const times: [(string | number)[], string | undefined, number][] = [
    ...steps.map(({ pause }, index): [(string | number)[], string | undefined, number] => [
      ['steps', index, 'pause', 'duration'],
      pause?.duration,
      30 * DAY_MS,
    ]),
    [['advance', 'ackTimeout'], advance?.ackTimeout, DAY_MS],
    [['advance', 'observed', 'window'], advance?.observed?.window, 900_000],
    [['progressDeadline'], progressDeadline, 30 * DAY_MS],
    [['schedule', 'startingDeadline'], schedule?.startingDeadline, DAY_MS],
  ];
  return times.flatMap(([at, text, most]) => {
    const ms = text === undefined ? 1 : (parseDuration(text) ?? 0);
    return ms > 0 && ms <= most ? [] : [invalid(at, `is ${text}; it must be more than nothing and at most ${most / 60_000} minutes`)];
  });
}
