/** Rules of drills that their schema cannot say. Pure. */
import { checkProblems } from './check.ts';
import type { DrillSpec, ScenarioType } from './drill.ts';
import { DRILL_LIMITS, isFollowed, isLoss, isPartition, RPO_CHECK } from './drill-course.ts';
import { drillShiftProblems } from './drill-shift.ts';
import { parseDuration } from './duration.ts';
import { wallClock } from './freeze-window.ts';
import { invalid } from './istio/rules/checks.ts';
import { targetProblems } from './move-target.ts';
import type { SchemaProblem } from './validate-schema.ts';

/** The one field of `from` that names what a loss is of. */
const NAMED_BY: Partial<Record<ScenarioType, 'region' | 'cluster' | 'zone'>> = {
  regionLoss: 'region',
  clusterLoss: 'cluster',
  zoneLoss: 'zone',
};
type Path = readonly (string | number)[];

/** Every problem. */
export function drillProblems(spec: DrillSpec): readonly SchemaProblem[] {
  const { guardrails = [], steadyState = [], blockers = [] } = spec;
  const unguarded = spec.mode === 'live' && guardrails.length === 0;
  return [
    ...(unguarded
      ? [{ steps: ['guardrails'], code: 'FieldValueRequired' as const, message: 'are required of a live drill: say what ends it' }]
      : []),
    ...fromProblems(spec),
    ...faultProblems(spec),
    ...followedProblems(spec),
    ...selectionProblems(spec),
    ...checkProblems(guardrails, ['guardrails']),
    ...checkProblems(steadyState, ['steadyState']),
    ...checkProblems(blockers, ['blockers']),
    ...nameProblems(spec),
    ...blockerProblems(spec),
    ...targetProblems(['scenario', 'to'], spec.scenario.to ?? []),
    ...onlyOfDrains(spec),
    ...planProblems(spec),
    ...timeProblems(spec),
    ...windowProblems(spec),
  ];
}

/** Checks are told apart by name, whatever they are for. */
function nameProblems({ guardrails = [], steadyState = [], blockers = [], objectives: { rpoQuery } }: DrillSpec): SchemaProblem[] {
  const taken = new Map<string, string>(rpoQuery === undefined ? [] : [[RPO_CHECK, 'objectives.rpoQuery']]);
  return Object.entries({ guardrails, steadyState, blockers }).flatMap(([field, checks]) => {
    const found = checks.flatMap(({ name }, index) => {
      const other = taken.get(name);
      return other === undefined ? [] : [invalid([field, index, 'name'], `is ${name}, as that of ${other}`)];
    });
    for (const { name } of checks) taken.set(name, field);
    return found;
  });
}

function blockerProblems({ blockers = [] }: DrillSpec): SchemaProblem[] {
  return blockers.flatMap(({ when }, index) =>
    when === undefined || (when.length === 1 && when[0] === 'before')
      ? []
      : [invalid(['blockers', index, 'when'], 'is before alone: what ends a run that has begun is a guardrail')],
  );
}

function onlyOfDrains({ scenario: { type, to }, restore = {} }: DrillSpec): SchemaProblem[] {
  const ofDrains = (steps: Path): SchemaProblem => invalid(steps, `is of drains alone, and this is a ${type}`);
  return [
    ...(to !== undefined && type !== 'drain' ? [ofDrains(['scenario', 'to'])] : []),
    ...(restore.requireReadiness !== undefined && type !== 'drain' ? [ofDrains(['restore', 'requireReadiness'])] : []),
    ...(restore.mode === 'manual' && isPartition(type)
      ? [invalid(['restore', 'mode'], `is manual, and nobody can call back who is cut off: a ${type} ends when plan.hold is over`)]
      : []),
    ...(restore.mode === 'manual' && type === 'trustRotation'
      ? [invalid(['restore', 'mode'], 'is manual, and a trustRotation has nothing to restore: the cluster keeps what it has then')]
      : []),
  ];
}

function fromProblems({ scenario: { type, from } }: DrillSpec): SchemaProblem[] {
  const at: Path = ['scenario', 'from'];
  if (from === undefined)
    return isPartition(type) || isFollowed(type)
      ? []
      : [{ steps: at, code: 'FieldValueRequired', message: `is required of ${type}: name what is lost` }];
  if (isFollowed(type))
    return [invalid(at, `is not of a ${type}: ${type === 'trafficShift' ? 'shift.destinations say' : 'cluster says'} it`)];
  const fields = Object.keys(from);
  if (fields.length !== 1) return [invalid(at, 'must have exactly one of region, cluster, zone')];
  const wanted = NAMED_BY[type];
  return wanted === undefined || fields[0] === wanted ? [] : [invalid(at, `has ${fields[0]}; a ${type} is of a ${wanted}`)];
}

/** What has a course of its own says which. */
function followedProblems({ scenario, blastRadius }: DrillSpec): SchemaProblem[] {
  const { type, shift } = scenario;
  const own = { shift: 'trafficShift', cluster: 'trustRotation', authority: 'trustRotation' } as const;
  const fields = (['shift', 'cluster', 'authority'] as const).flatMap((field): SchemaProblem[] => {
    const isGiven = scenario[field] !== undefined;
    const at = ['scenario', field];
    if (isGiven && own[field] !== type) return [invalid(at, `is of a ${own[field]} alone, and this is a ${type}`)];
    const isMissing = !isGiven && own[field] === type && field !== 'authority';
    return isMissing ? [{ steps: at, code: 'FieldValueRequired', message: `is required of a ${type}` }] : [];
  });
  if (type !== 'trafficShift' || shift === undefined) return fields;
  const namespaces = shiftNamespaces(blastRadius);
  const apart =
    namespaces.length === 1
      ? []
      : [invalid(['blastRadius', 'services'], `are of ${namespaces.length} namespaces; a shift is of services of one`)];
  return [...fields, ...apart, ...drillShiftProblems(shift)];
}

/** Namespaces that the services of a drill are in. */
export function shiftNamespaces({ services: { namespaces = [], names = [] } }: DrillSpec['blastRadius']): readonly string[] {
  return [...new Set([...namespaces, ...names.map((name) => name.split('/')[0] ?? '')])];
}

/** What says how a fault is must go with that fault. */
function faultProblems({ scenario }: DrillSpec): SchemaProblem[] {
  const { type, fault = 'refuse', delay, status, percent } = scenario;
  const at = (field: string, message: string): SchemaProblem => invalid(['scenario', field], message);
  if (!isLoss(type)) {
    const given = (['fault', 'delay', 'status', 'percent'] as const).filter((field) => scenario[field] !== undefined);
    return given.map((field) => at(field, `is of losses alone, and this is a ${type}`));
  }
  return [
    ...(delay !== undefined && fault !== 'delay' ? [at('delay', `is of fault delay, and this is ${fault}`)] : []),
    ...(status !== undefined && fault !== 'error' ? [at('status', `is of fault error, and this is ${fault}`)] : []),
    ...(percent !== undefined && (fault === 'refuse' || fault === 'drop')
      ? [at('percent', `is of faults delay and error, and this is ${fault}`)]
      : []),
  ];
}

function selectionProblems({ blastRadius: { services, exclude } }: DrillSpec): SchemaProblem[] {
  return Object.entries({ services, exclude }).flatMap(([field, selection]) =>
    selection !== undefined && selection.namespaces === undefined && selection.names === undefined
      ? [invalid(['blastRadius', field], 'names nothing: name namespaces or services')]
      : [],
  );
}

function planProblems({ scenario: { type }, plan = {} }: DrillSpec): SchemaProblem[] {
  return (['steps', 'restoreSteps'] as const).flatMap((field): SchemaProblem[] => {
    const steps = plan[field];
    if (steps === undefined) return [];
    if (type !== 'drain') return [invalid(['plan', field], `are of drains alone, and this is a ${type}`)];
    const falls = steps.flatMap(({ percent }, index) => {
      const before = steps[index - 1]?.percent ?? 0;
      return percent > before
        ? []
        : [invalid(['plan', field, index, 'percent'], `is ${percent}, after ${before}: each step is more than the one before`)];
    });
    const last = steps.at(-1)?.percent;
    return last === 100 ? falls : [...falls, invalid(['plan', field], `end at ${last}: the last step is 100`)];
  });
}

function timeProblems(spec: DrillSpec): SchemaProblem[] {
  const { objectives, plan, approvals, schedule, scenario, readiness, overdueAfter, report } = spec;
  const times: readonly (readonly [Path, string | undefined, number])[] = [
    [['objectives', 'rto'], objectives.rto, DRILL_LIMITS.longestMs],
    [['objectives', 'propagation'], objectives.propagation, DRILL_LIMITS.longestMs],
    [['plan', 'hold'], plan?.hold, isPartition(scenario.type) ? DRILL_LIMITS.longestCutMs : DRILL_LIMITS.longestMs],
    [['plan', 'maxDuration'], plan?.maxDuration, DRILL_LIMITS.longestMs],
    ...(['steps', 'restoreSteps'] as const).flatMap((field) =>
      (plan?.[field] ?? []).map(({ hold }, index) => [['plan', field, index, 'hold'], hold, DRILL_LIMITS.longestMs] as const),
    ),
    [['approvals', 'expiresAfter'], approvals?.expiresAfter, 72 * 3_600_000],
    [['schedule', 'startingDeadline'], schedule?.startingDeadline, DRILL_LIMITS.longestMs],
    [['scenario', 'delay'], scenario.delay, 600_000],
    [['readiness', 'maxAgentLag'], readiness?.maxAgentLag, 3_600_000],
    [['overdueAfter'], overdueAfter, DRILL_LIMITS.longestKeptMs],
    [['report', 'retention'], report?.retention, DRILL_LIMITS.longestKeptMs],
  ];
  return times.flatMap(([at, text, most]) => {
    const ms = text === undefined ? 1 : (parseDuration(text) ?? 0);
    return ms > 0 && ms <= most ? [] : [invalid(at, `is ${text}; it must be more than nothing and at most ${most / 60_000} minutes`)];
  });
}

function windowProblems({ windows: { allowed = [], blocked = [], blockedDates = [], timeZone } = {} }: DrillSpec): SchemaProblem[] {
  const empty = Object.entries({ allowed, blocked }).flatMap(([field, texts]) =>
    texts.flatMap((text, index) => {
      const [from, to] = text.split('-');
      return from === to ? [invalid(['windows', field, index], `is ${text}, which ends where it begins`)] : [];
    }),
  );
  const days = blockedDates.flatMap((date, index) =>
    new Date(`${date}T00:00:00Z`).toJSON()?.slice(0, 10) === date
      ? []
      : [invalid(['windows', 'blockedDates', index], `is ${date}, a day that is not in the calendar`)],
  );
  const isZone = timeZone === undefined || wallClock(new Date(0), timeZone) !== undefined;
  return [
    ...empty,
    ...days,
    ...(isZone ? [] : [invalid(['windows', 'timeZone'], `is ${timeZone}, which is no time zone: write UTC, or one such as Europe/Berlin`)]),
  ];
}
