/** What the hub's core asks of the fleet: known services, derived resources, conditions. Answered from memory. */
import { type FreezeSpec, isFrozen } from '@hawser/model/freeze.ts';
import { KINDS } from '@hawser/model/kinds.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { ruleOutcome, type SafetyRuleSpec } from '@hawser/model/safety-rule.ts';
import { warningsOf } from '../analysis/fleet-analysis.ts';
import type { Condition, FleetView } from '../hub-core.ts';
import { regionFacts } from '../safety/steering-world.ts';
import type { FleetContext } from './fleet-context.ts';
import { policyConditions } from './policy-conditions.ts';
import { serviceImports } from './service-imports.ts';

/** The fleet as the core sees it. */
export function coreView(context: FleetContext): FleetView {
  return {
    knownServices: () => context.fleet.knownServices(),
    derived: (kind) =>
      kind === 'ServiceImport' ? serviceImports(context.fleet.clusters().flatMap(({ shards }) => [...shards.values()])) : [],
    warningsOf: (written) => warningsOf(context, written),
    refusedBy: (guard) => context.refused?.of(guard) ?? [],
    keyOwner: (keyId) => context.fleet.keyOwner(keyId),
    conditionsOf: (resource, own) => conditionsOf(resource, own, context),
  };
}

const POLICIES: ReadonlySet<string> = new Set(KINDS.filter((kind) => kind.policy).map((kind) => kind.kind));

function conditionsOf(resource: Resource, own: readonly Condition[], context: FleetContext): readonly Condition[] {
  const { generation } = resource.metadata;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  if (resource.kind === 'Cluster') return [{ ...ready(resource.metadata.name, context), ...observed }];
  if (resource.kind === 'Freeze') return [{ ...active(resource.spec as FreezeSpec, context), ...observed }];
  if (resource.kind === 'SafetyRule') return [{ ...holding(resource.spec as SafetyRuleSpec, context), ...observed }];
  return POLICIES.has(resource.kind) ? policyConditions(resource, own, context) : [];
}

function active(spec: FreezeSpec, context: FleetContext): Condition {
  const holds = isFrozen(spec, new Date(context.now()));
  const message = holds ? `traffic is not moved: ${spec.reason}` : 'traffic may be moved, as far as it goes';
  return { type: 'Active', status: holds ? 'True' : 'False', reason: holds ? 'Frozen' : 'OutsideOfItsTimes', message };
}

/** By the regions as they are: what a drain by hand would be told that moves nothing. */
function holding(spec: SafetyRuleSpec, context: FleetContext): Condition {
  const { desired } = context.distribution;
  const type = 'Holds';
  if (desired === undefined)
    return { type, status: 'Unknown', reason: 'NotRead', message: 'the hub has not read yet which clusters there are' };
  const regions = regionFacts(context, desired, {});
  const { holds, message } = ruleOutcome(spec, { verb: 'drain', urgency: 'manual', services: [], regions });
  if (holds === undefined) return { type, status: 'Unknown', reason: 'NotKnown', message };
  if (!holds) return { type, status: 'False', reason: 'Broken', message: `as regions are now: ${message}` };
  return { type, status: 'True', reason: 'Evaluated', message: 'as regions are now' };
}

function ready(name: string, { fleet, accounts }: FleetContext): Condition {
  const state = fleet.freshness(name);
  const heardAt = fleet.cluster(name)?.lastHeardAt;
  const heard = heardAt === undefined ? 'nothing was heard of it yet' : `last heard ${new Date(heardAt).toISOString()}`;
  if (state === 'UNKNOWN') return { type: 'Ready', status: 'Unknown', reason: 'NotHeard', message: heard };
  if (state === 'STALE') return { type: 'Ready', status: 'False', reason: 'Silent', message: `its agent is silent: ${heard}` };
  const status = accounts.get(name)?.status;
  if (status?.ready === false) return { type: 'Ready', status: 'False', reason: 'AgentNotReady', message: 'its agent is not complete yet' };
  return { type: 'Ready', status: 'True', reason: 'Heard', message: heard };
}
