/** FailoverPolicies whose overflow the hub works out, as operations: they begin with the policy and last as long as it asks for it. */
import type { FailoverPolicySpec } from '@hawser/model/failover-policy.ts';
import { CLUSTERS_ANNOTATION } from '@hawser/model/kinds.ts';
import type { MeasuredTraffic } from '@hawser/model/measured-traffic.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { currentRollout, type FleetContext } from '../fleet/fleet-context.ts';
import type { OperationKind } from '../operations/operation-kind.ts';
import { adoptedIn, isDisplaced } from '../placement/adopted.ts';
import { isPlacedOn } from '../placement/place.ts';
import { placedRevision } from '../placement/spec-in-force.ts';
import { type LearnedCapacity, learnedOf } from './learned-capacity.ts';
import { measuredLoads } from './overflow-loads.ts';
import { advancedOverflow, type OverflowEvidence, type OverflowState, spillingForm, startedOverflow } from './overflow-state.ts';

/** What it is worked out with. */
export interface OverflowParts {
  /** Undefined while nothing is measured. */
  readonly traffic?: (() => MeasuredTraffic | undefined) | undefined;
  /** Told what was learned, whenever the leader looks. */
  readonly onLearned?: (learned: LearnedCapacity) => void;
}

const specOf = (resource: Resource): FailoverPolicySpec => resource.spec as FailoverPolicySpec;

/** Builds the kind. */
export function overflowKind({ traffic, onLearned }: OverflowParts): OperationKind<OverflowState, OverflowEvidence> {
  return {
    kind: 'FailoverPolicy',
    commands: [],
    start: (resource, { now }) => startedOverflow(specOf(resource), now),
    evidence: ({ fleet, now, clock }, resource) => ({
      ...{ now, clock },
      get isInForce() {
        return hasEverybody(fleet, resource);
      },
      loads: (since, spec) => {
        const measured = traffic?.();
        const namespace = resource.metadata.namespace ?? '';
        if (measured === undefined) return undefined;
        const away = currentRollout(fleet, placedRevision(resource)).disconnected;
        const callers = obeyingClusters(fleet, resource);
        return measuredLoads(measured, { namespace, spec, since, away, callers, clusters: fleet.fleet.clusters() });
      },
    }),
    advance: (state, resource, evidence) => advancedOverflow(state, specOf(resource), evidence),
    command: (_state, command) => `${command} is nothing that overflow knows: change the policy`,
    inForce: (resource, state) => spillingForm(specOf(resource), state),
    statusOf: (state, resource) => {
      const { phase, message, learned } = state;
      const spill = spillingForm(specOf(resource), state)?.spill ?? [];
      return { overflow: { phase, ...(message === undefined ? {} : { message }), spill, learned } };
    },
    isEnded: ({ phase }) => phase === 'Ended',
    attend: (underWay) => {
      // What the callers of some clusters alone were answered is little of what a place can bear.
      const everywhere = underWay.filter(({ resource }) => resource.metadata.annotations?.[CLUSTERS_ANNOTATION] === undefined);
      onLearned?.(learnedOf(everywhere.map(({ resource, state }) => ({ namespace: resource.metadata.namespace ?? '', state }))));
    },
  };
}

/** Clusters where the policy is in force: it goes there, and the cluster has none of its own in its place. */
function obeyingClusters({ distribution: { desired } }: FleetContext, resource: Resource): ReadonlySet<string> {
  const adopted = desired?.adopted ?? adoptedIn(desired?.resources ?? []);
  const obeying = (desired?.members ?? []).filter((one) => isPlacedOn(resource, one) && !isDisplaced(resource, one.name, adopted));
  return new Set(obeying.map(({ name }) => name));
}

/** Whether every connected proxy has acknowledged what is in force of a policy. */
function hasEverybody(context: FleetContext, resource: Resource): boolean {
  const { desired, published } = context.distribution;
  const revision = placedRevision(resource);
  if (desired === undefined || desired.revision < revision || published < revision) return false;
  const { proxies, unaccounted, disconnected } = currentRollout(context, revision);
  return proxies.acked + proxies.nacked >= proxies.expected && unaccounted.every((cluster) => disconnected.includes(cluster));
}
