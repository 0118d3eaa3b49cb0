/** Who answers for a service, as the clients of each cluster see it: the order that agents compile into EDS. Pure. */

import { diversionsOf } from '@hawser/model/diversion.ts';
import type { DrainScope, DrainSpec } from '@hawser/model/drain.ts';
import { effectiveFailover, effectiveLocality, effectiveShift, effectiveSplit } from '@hawser/model/effective-policy.ts';
import type { RosterMember } from '@hawser/model/fleet.ts';
import { localityPriorities } from '@hawser/model/locality-priorities.ts';
import { distance, type LocalitySetting, localityLabels, priorityLabels } from '@hawser/model/locality-setting.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { type ServiceName, serviceKey } from '@hawser/model/service-host.ts';
import { DIVISIONS, totalWeightOf } from '@hawser/model/traffic-shift.ts';
import { isMutual } from '@hawser/model/trust-domain.ts';
import type { WhoServesAnswer } from '@hawser/wire/hub-api.ts';
import { policiesOn } from '../placement/place.ts';
import type { Freshness } from './fleet-state.ts';
import type { ShardSummary } from './shard-summary.ts';

/** A cluster, and what it has of the service. */
export interface ServingCluster {
  readonly member: RosterMember;
  readonly shard: ShardSummary | undefined;
  /** What it exports without being allowed to. */
  readonly withheld?: ShardSummary | undefined;
  readonly state: Freshness;
}

/** What the answer is made of. */
export interface WhoServesInput {
  readonly service: ServiceName;
  /** Every cluster with its shard of this service, if it exports one. */
  readonly clusters: readonly ServingCluster[];
  readonly policies: readonly Resource[];
  /** Only the clients of this cluster; default: of each. */
  readonly from?: string | undefined;
  /** As if the clusters of this region had no endpoints. */
  readonly without?: string | undefined;
  /** As if this were wholly drained, beside what is. */
  readonly drained?: DrainScope | undefined;
}

type Answer = WhoServesAnswer['answers'][number];
type Locality = Answer['localities'][number];
type Excluded = NonNullable<WhoServesAnswer['answers'][number]['excluded']>[number];

/** The answer of `GET /hawser/v1/services/NAMESPACE/SERVICE/answers`, clusters in the order given, localities by priority. */
export function whoServes(asked: WhoServesInput): WhoServesAnswer {
  const input = asked.drained === undefined ? asked : { ...asked, policies: [...asked.policies, asDrain(asked.drained)] };
  const clients = input.clusters.filter(({ member }) => input.from === undefined || member.name === input.from);
  return {
    service: serviceKey(input.service),
    answers: clients.map(({ member }) => {
      const excluded = excludedFor(member, input);
      const shares = sharesFor(member, input);
      return {
        ...{ from: member.name, localities: localitiesFor(member, input) },
        ...(shares.length === 0 ? {} : { shares }),
        ...(excluded.length === 0 ? {} : { excluded }),
      };
    }),
  };
}

/** A Drain that nobody made: agents would obey it so. */
function asDrain(scope: DrainScope): Resource<DrainSpec> {
  return { apiVersion: 'hawser.dev/v1alpha1', kind: 'Drain', metadata: { name: '' }, spec: { scope, percent: 100 } };
}

/** What TrafficShifts have in force for these callers: one among places, and one among versions. */
function sharesFor(client: RosterMember, { policies, service }: WhoServesInput): NonNullable<Answer['shares']> {
  const placed = policiesOn(policies, client);
  return [effectiveShift(placed, service), effectiveSplit(placed, service)?.spec].flatMap((shift) => {
    const of = shift === undefined ? undefined : DIVISIONS.find((division) => shift[division] !== undefined);
    return shift === undefined || of === undefined ? [] : [{ of, parts: { ...shift[of] }, total: totalWeightOf(shift) }];
  });
}

function isCalled(client: RosterMember, member: RosterMember): boolean {
  return isMutual(client, member) && (member.draining !== true || member.name === client.name);
}

/** Clusters whose endpoints these clients do not call, though they are there. */
function excludedFor(client: RosterMember, { clusters, without }: WhoServesInput): Excluded[] {
  return clusters.flatMap(({ member, shard, withheld }) => {
    const [cluster, endpoints] = [member.name, (shard ?? withheld)?.total ?? 0];
    if (endpoints === 0 || member.region === without || cluster === client.name) return [];
    if (!isMutual(client, member)) {
      const reason = `${client.trustDomain} and ${member.trustDomain} do not federate with each other`;
      return [{ cluster, endpoints, reason }];
    }
    if (member.draining === true) return [{ cluster, endpoints, reason: `${cluster} is draining` }];
    const namespace = withheld?.namespace;
    return shard === undefined ? [{ cluster, endpoints, reason: `${cluster} may not export services of namespace ${namespace}` }] : [];
  });
}

function localitiesFor(client: RosterMember, input: WhoServesInput): Locality[] {
  const placed = policiesOn(input.policies, client);
  const serving = input.clusters.filter(
    ({ member, shard }) => member.region !== input.without && shard !== undefined && shard.total > 0 && isCalled(client, member),
  );
  const setting = effectiveLocality(placed, input.service);
  const failover = effectiveFailover(placed, input.service);
  const order = localityPriorities({
    from: { cluster: client.name, region: client.region, zone: client.zone },
    serving: serving.map(({ member, shard }) => ({
      cluster: member.name,
      region: member.region,
      zone: member.zone,
      endpoints: capacity(shard),
      throughGateway: member.name !== client.name && member.network !== client.network,
      ...farness(setting, { client, member }),
    })),
    setting,
    failover,
    shift: effectiveShift(placed, input.service),
    diversions: diversionsOf(placed, failover, input.service),
  });
  return order.map(({ distance: _distance, ...place }) => {
    const source = serving.find(({ member }) => member.name === place.cluster);
    const { total = 0, healthy = 0 } = source?.shard ?? {};
    return { ...place, endpoints: total, healthy, state: source?.state ?? 'UNKNOWN' };
  });
}

/** By the labels of places alone: summaries do not have those of workloads, which agents compare as well. */
function farness(setting: LocalitySetting | undefined, of: { client: RosterMember; member: RosterMember }): { distance?: number } {
  const wanted = priorityLabels(setting);
  if (wanted === undefined) return {};
  const [own, theirs] = [of.client, of.member].map((member) => localityLabels({ ...member, cluster: member.name }));
  return { distance: distance(wanted, own ?? {}, theirs ?? {}) };
}

/** As agents count: endpoints that are meant to take traffic, and at least one, so that a draining cluster keeps its place. */
function capacity(shard: ShardSummary | undefined): number {
  return Math.max(1, (shard?.total ?? 0) - (shard?.draining ?? 0));
}
