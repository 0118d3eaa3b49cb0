/** A fleet of three regions with measured traffic, for the tests of drills. */
import { createHash } from 'node:crypto';
import type { DrillSpec } from '@hawser/model/drill.ts';
import type { Endpoint } from '@hawser/model/endpoint-shard.ts';
import type { RosterMember } from '@hawser/model/fleet.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { AgentAccounts } from '../fleet/agent-accounts.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { memberOf, proxyOf, shardOf, statusOf } from '../fleet/fleet-fixture.ts';
import { FleetState } from '../fleet/fleet-state.ts';
import { TrafficMemory } from '../traffic/traffic-memory.ts';

/** A Monday, 10:00 UTC. */
export const NOW = Date.parse('2026-11-23T10:00:00Z');
export const MEMBERS = [memberOf('east'), memberOf('north'), memberOf('west')];
const HEALTHY: readonly Endpoint['health'][] = ['HEALTHY', 'HEALTHY'];

/** What differs from a fleet in which all is well. */
export interface DrillWorldChanges {
  readonly members?: readonly RosterMember[];
  readonly resources?: readonly object[];
  /** Endpoints by `CLUSTER SERVICE`; default: `reviews` everywhere, `ratings` in east alone. */
  readonly shards?: Readonly<Record<string, readonly Endpoint['health'][]>>;
  /** Requests/s by `SOURCE SERVICE CLUSTER`; undefined: nothing was measured. */
  readonly rates?: Readonly<Record<string, number>> | undefined;
  /** Clusters whose agents were never heard of. */
  readonly silent?: readonly string[];
}

const SHARDS = { 'east reviews': HEALTHY, 'west reviews': HEALTHY, 'north reviews': HEALTHY, 'east ratings': HEALTHY };
export const RATES = { 'east reviews east': 80, 'west reviews west': 100, 'north reviews north': 20 };

/** The context and the traffic. */
export function drillWorldOf(changes: DrillWorldChanges = {}) {
  const { members = MEMBERS, resources = [], shards = SHARDS, silent = [] } = changes;
  const fleet = new FleetState(() => NOW);
  const accounts = new AgentAccounts();
  fleet.setMembers(members);
  for (const { name } of members.filter((member) => !silent.includes(member.name))) {
    fleet.heard(name, NOW);
    accounts.putStatus(name, statusOf(5, [proxyOf(`${name}-proxy`, 5)]), NOW);
  }
  for (const [key, health] of Object.entries(shards)) {
    const [cluster = '', service = ''] = key.split(' ');
    fleet.putShard(cluster, shardOf(cluster, service, health));
  }
  fleet.setListed();
  const context: FleetContext = {
    ...{ fleet, accounts, bus: { connected: true }, version: '', startedAt: 0 },
    distribution: {
      desired: { epoch: 1, revision: 5, resources: resources as Resource[], members },
      ...{ published: 5, committedAt: () => undefined },
    },
    ...{ busConnectedSince: () => 0, startRevision: () => 1, databaseUp: () => true, now: () => NOW },
  };
  const rates = 'rates' in changes ? changes.rates : RATES;
  const memory = rates === undefined ? undefined : measured(members, rates);
  return { context, traffic: () => memory };
}

/** A minute of it, by the reports of agents. */
function measured(members: readonly RosterMember[], rates: Readonly<Record<string, number>>): TrafficMemory {
  const clock = { now: NOW - 60_000 };
  const memory = new TrafficMemory({ clusters: () => members.map(({ name }) => name), now: () => clock.now });
  for (let seconds = 0; seconds <= 60; seconds += 1) {
    clock.now = NOW - 60_000 + seconds * 1_000;
    for (const { name } of members) {
      const series = Object.entries(rates).flatMap(([key, rate]) => {
        const [source, service, cluster = ''] = key.split(' ');
        const region = members.find((member) => member.name === cluster)?.region ?? '';
        const count = rate * seconds;
        return source === name ? [[[`bookinfo/${service}`, cluster, region, '', ''], 0, [count, 0, count]] as never] : [];
      });
      memory.receive(name, 'a', { instance: 'one', age: 60_000 + seconds * 1_000, proxies: 1, missing: 0, series });
    }
  }
  return memory;
}

/** A drill of the loss of region east. */
export function drillOf(changes: Partial<DrillSpec> = {}, name = 'lose-east'): Resource {
  const spec: DrillSpec = {
    scenario: { type: 'regionLoss', from: { region: 'east' } },
    objectives: { rto: '5s' },
    blastRadius: { services: { names: ['bookinfo/reviews'] } },
    ...changes,
  };
  const uid = createHash('sha256').update(name).digest('hex').slice(0, 32);
  return { apiVersion: 'hawser.dev/v1alpha1', kind: 'Drill', metadata: { name, uid, resourceVersion: '3', generation: 1 }, spec };
}

/** A policy that says what every cluster can take, requests/s. */
export function capacityOf(clusters: Readonly<Record<string, number>>): object {
  const metadata = { name: 'capacity', namespace: 'bookinfo', creationTimestamp: '2026-01-01T00:00:00Z' };
  return { kind: 'FailoverPolicy', metadata, spec: { order: ['west', 'north'], capacity: { clusters } } };
}
