/** Why a TrafficShift cannot be stored, each time with the name of the rule that says so. */
import { isProgressive, type SteppedShift } from '@hawser/model/progressive-shift.ts';
import type { Issue, Resource } from '@hawser/model/resource.ts';
import type { TrafficShiftSpec } from '@hawser/model/traffic-shift.ts';
import { canonicalJson } from '@hawser/runtime/canonical-json.ts';
import type { Statements } from '../db/database.ts';
import type { ResourceRow } from '../db/schema.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { newestOperations } from '../operations/operation-store.ts';
import { readable } from '../resource/resource-status.ts';
import { findRow } from '../resource/resource-store.ts';
import { destinationFacts } from './shift-destinations.ts';
import { type KnownMoves, shiftInterruption, shiftPermit } from './shift-permit.ts';
import { scheduleProblem } from './shift-schedule.ts';
import { startWeights } from './shift-state.ts';

/** What it is judged beside. */
export interface AdmissionParts {
  readonly context: FleetContext;
  readonly moves?: KnownMoves | undefined;
  /** Accepted in the same write. */
  readonly alongside: readonly Resource[];
}

/** What may be changed of a shift that is under way. */
const CHANGEABLE: ReadonlySet<string> = new Set([
  ...['suspend', 'analysis', 'advance', 'capacityGuard', 'progressDeadline', 'onDeadline', 'onFailure', 'onInconclusive'],
  ...['revertOnDelete', 'overrideSafetyRules'],
]);

/** Every reason. */
export async function admissionIssues(tx: Statements, resource: Resource, parts: AdmissionParts): Promise<readonly Issue[]> {
  const overlapping = await overlaps(tx, resource, parts.alongside);
  const spec = resource.spec as TrafficShiftSpec;
  const { namespace = '', name } = resource.metadata;
  const row = await findRow(tx, { kind: resource.kind, namespace, name });
  const newest = row === undefined ? undefined : (await newestOperations(tx, [row.uid])).get(row.uid);
  if (row !== undefined && newest?.ended === false) return [...overlapping, ...fixed(row, spec, newest.phase)];
  if (!isProgressive(spec)) return overlapping;
  return [
    ...overlapping,
    ...timeIssues(spec),
    ...placeIssues(resource, spec as SteppedShift, parts.context),
    ...permitIssues(resource, parts),
  ];
}

async function overlaps(tx: Statements, resource: Resource, alongside: readonly Resource[]): Promise<readonly Issue[]> {
  const { namespace, name } = resource.metadata;
  const own = resource.spec as TrafficShiftSpec;
  const { services } = own;
  const others = [...(await readable(tx, resource.kind)), ...alongside].filter(
    (other) => other.kind === resource.kind && other.metadata.namespace === namespace && other.metadata.name !== name,
  );
  return services.flatMap((service, index): Issue[] => {
    const other = others.find(({ spec }) => shiftsMeet(own, spec as TrafficShiftSpec, service));
    if (other === undefined) return [];
    const message = `is ${service}, which the TrafficShift ${other.metadata.name} moves: one shift a service (rule overlapping-shifts); delete that one, or change it`;
    return [{ path: `spec.services[${index}]`, code: 'FieldValueForbidden', message }];
  });
}

/** Whether two shifts of a namespace are not to be beside each other. Of fixed shares the oldest counts, and each may be for clusters of its own; shares of places and of versions stand beside each other. */
export function shiftsMeet(own: TrafficShiftSpec, other: TrafficShiftSpec, service: string): boolean {
  if (!other.services.includes(service) || isAmongSubsets(own) !== isAmongSubsets(other)) return false;
  return isProgressive(own) || isProgressive(other);
}

function isAmongSubsets({ subsets, destinations }: TrafficShiftSpec): boolean {
  return subsets !== undefined || destinations?.[0]?.subset !== undefined;
}

/** What is in force of one that is under way would mean something else. */
function fixed(row: ResourceRow, spec: TrafficShiftSpec, phase: string): readonly Issue[] {
  const before = row.spec as Readonly<Record<string, unknown>>;
  const after = spec as unknown as Readonly<Record<string, unknown>>;
  const changed = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (field) => !CHANGEABLE.has(field) && canonicalJson(before[field] ?? null) !== canonicalJson(after[field] ?? null),
  );
  const message = `cannot be changed while the shift is ${phase} (rule shift-under-way): let it end, or hawser shift abort ${row.name} -n ${row.namespace}`;
  return changed.map((field) => ({ path: `spec.${field}`, code: 'FieldValueForbidden', message }));
}

function timeIssues({ schedule }: TrafficShiftSpec): readonly Issue[] {
  if (schedule === undefined) return [];
  const { cron, end, timeZone } = schedule;
  return Object.entries({ cron, end }).flatMap(([field, text]): Issue[] => {
    const problem = text === undefined ? undefined : scheduleProblem(text, timeZone);
    return problem === undefined ? [] : [{ path: `spec.schedule.${field}`, code: 'FieldValueInvalid', message: problem }];
  });
}

/** Weights to what is known to have no endpoint. */
function placeIssues(resource: Resource, spec: SteppedShift, context: FleetContext): readonly Issue[] {
  const facts = destinationFacts(context, { metadata: resource.metadata, spec });
  const used = new Set([startWeights(spec), ...spec.steps.map(({ setWeights = {} }) => setWeights)].flatMap(weighted));
  return spec.destinations.flatMap(({ name }, index): Issue[] => {
    if (!used.has(name) || facts[name]?.endpoints !== 0) return [];
    const message = `is ${name}, which has no endpoint that could take a request (rule destination-without-endpoints): have some first`;
    return [{ path: `spec.destinations[${index}]`, code: 'FieldValueForbidden', message }];
  });
}

function weighted(weights: Readonly<Record<string, number>>): string[] {
  return Object.entries(weights).flatMap(([name, weight]) => (weight > 0 ? [name] : []));
}

/** One that begins at once needs leave to; another asks when its time has come. */
function permitIssues(resource: Resource, { context, moves }: AdmissionParts): readonly Issue[] {
  const { schedule, steps } = resource.spec as SteppedShift;
  if (schedule !== undefined || context.distribution.desired === undefined) return [];
  const interruption = shiftInterruption(context, resource, moves);
  if (interruption !== undefined) return [{ path: 'spec', code: 'FieldValueForbidden', message: `${interruption} (rule emergency)` }];
  const step = steps.findIndex(({ setWeights }) => setWeights !== undefined);
  const permit = shiftPermit(context, { resource, weights: undefined, step }, moves);
  return permit.allowed ? [] : [{ path: 'spec', code: 'FieldValueForbidden', message: `${permit.message} (rule ${permit.rule})` }];
}
