/** TrafficShifts in steps as operations. */
import type { MeasuredTraffic } from '@hawser/model/measured-traffic.ts';
import { isProgressive, type SteppedShift } from '@hawser/model/progressive-shift.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { TrafficShiftSpec } from '@hawser/model/traffic-shift.ts';
import type { Registry } from '@hawser/runtime/metrics.ts';
import { currentRollout, type FleetContext } from '../fleet/fleet-context.ts';
import type { OperationContext, OperationKind, UnderWay } from '../operations/operation-kind.ts';
import { placedRevision } from '../placement/spec-in-force.ts';
import { admissionIssues } from './shift-admission.ts';
import { commanded, SHIFT_COMMANDS } from './shift-command.ts';
import { destinationFacts, loadOf, observedSince } from './shift-destinations.ts';
import { observedWindowMs, type ShiftEvidence, type ShiftRollout } from './shift-evidence.ts';
import { formOf } from './shift-form.ts';
import { ShiftGuardrails, type StartShiftChecks } from './shift-guardrails.ts';
import { registerShiftMetrics, ShiftAccounts } from './shift-metrics.ts';
import { type KnownMoves, shiftInterruption, shiftPermit } from './shift-permit.ts';
import { advance, isEnded, type ShiftState, started } from './shift-state.ts';
import { statusOf } from './shift-status.ts';

/** What shifts are moved with. */
export interface ShiftParts {
  readonly context: FleetContext;
  /** Undefined while nothing is measured. */
  readonly traffic?: () => MeasuredTraffic | undefined;
  readonly startChecks?: StartShiftChecks;
  readonly registry?: Registry;
  readonly moves?: KnownMoves;
}

const specOf = (resource: Resource): TrafficShiftSpec & SteppedShift => resource.spec as TrafficShiftSpec & SteppedShift;

/** Builds the kind. */
export function shiftKind(parts: ShiftParts): OperationKind<ShiftState, ShiftEvidence> {
  const guardrails = new ShiftGuardrails(parts.startChecks ?? (() => ({ verdicts: () => [], stop: () => undefined })));
  const accounts = new ShiftAccounts();
  const observe = (shift: UnderWay<ShiftState>): ShiftEvidence['observed'] =>
    evidenceOf(parts, guardrails, { context: { fleet: parts.context, now: parts.context.now(), clock: 0 }, ...shift }).observed;
  if (parts.registry !== undefined) registerShiftMetrics(parts.registry, accounts, observe);
  return {
    kind: 'TrafficShift',
    commands: SHIFT_COMMANDS,
    check: (tx, resource, alongside) => admissionIssues(tx, resource, { ...parts, alongside }),
    keepsResource: ({ phase }, resource) =>
      specOf(resource).revertOnDelete === false ? `it is ${phase}, and revertOnDelete is false: abort it first, or let it end` : undefined,
    start: (resource, evidence, { actor }) =>
      isProgressive(specOf(resource)) ? started(specOf(resource), evidence, { requestedBy: actor, run: 1 }) : undefined,
    evidence: (context, resource, state) => evidenceOf(parts, guardrails, { context, resource, state }),
    advance: (state, resource, evidence) => advance(state, specOf(resource), evidence),
    command: (state, command, { actor, resource }, evidence) => commanded(state, command, { spec: specOf(resource), evidence, actor }),
    inForce: (resource, state) => (isProgressive(specOf(resource)) ? formOf(specOf(resource), state) : undefined),
    statusOf: (state, resource, evidence) => statusOf(state, specOf(resource), evidence),
    isEnded,
    kept: ({ metadata }) => guardrails.kept(metadata.uid ?? ''),
    attend: (underWay) => {
      guardrails.attend(underWay);
      accounts.attend(underWay);
    },
  };
}

interface About {
  readonly context: OperationContext;
  readonly resource: Resource;
  readonly state: ShiftState | undefined;
}

/** What costs something is worked out when it is asked for. */
function evidenceOf(parts: ShiftParts, guardrails: ShiftGuardrails, { context, resource, state }: About): ShiftEvidence {
  const spec = specOf(resource);
  const shift = { metadata: resource.metadata, spec };
  const { fleet, now, clock } = context;
  const traffic = parts.traffic?.();
  const rollout = rolloutOf(fleet, resource);
  return {
    ...{ now, clock, rollout },
    checks: guardrails.verdicts(resource.metadata.uid ?? ''),
    get observed() {
      if (traffic === undefined || state?.measureFrom === undefined) return undefined;
      const span = { since: state.measureFrom, windowMs: observedWindowMs(spec), away: rollout?.away ?? [] };
      return observedSince(traffic, span, { shift, desired: fleet.distribution.desired });
    },
    get permit() {
      return shiftPermit(fleet, { resource, weights: state?.weights, step: state?.step ?? 0 }, parts.moves);
    },
    get interruption() {
      return shiftInterruption(fleet, resource, parts.moves);
    },
    get destinations() {
      return destinationFacts(fleet, shift);
    },
    get load() {
      return traffic === undefined ? undefined : loadOf(traffic, spec, resource.metadata.namespace ?? '');
    },
  };
}

function rolloutOf(fleet: FleetContext, resource: Resource): ShiftRollout | undefined {
  const { desired, published } = fleet.distribution;
  const revision = placedRevision(resource);
  if (desired === undefined || desired.revision < revision || fleet.busConnectedSince() === undefined) return undefined;
  const { proxies, nacks, unaccounted, disconnected } = currentRollout(fleet, revision);
  const [nack] = nacks;
  return {
    ...{ ...proxies, published: published >= revision, unaccounted, away: disconnected },
    connected: desired.members.length - disconnected.length,
    ...(nack === undefined ? {} : { refusal: `${nack.cluster}/${nack.proxy}: ${nack.message}` }),
  };
}
