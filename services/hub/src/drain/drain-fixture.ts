/** Builders for the tests of this folder: a fleet in memory, its traffic, and drains. */
import type { Endpoint } from '@hawser/model/endpoint-shard.ts';
import type { RosterMember } from '@hawser/model/fleet.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { AgentAccounts } from '../fleet/agent-accounts.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { memberOf, shardOf } from '../fleet/fleet-fixture.ts';
import { FleetState } from '../fleet/fleet-state.ts';
import { TrafficMemory } from '../traffic/traffic-memory.ts';

/** When it is. */
export const NOW = 1_800_000_000_000;
/** The service that clusters serve unless told otherwise. */
export const REVIEWS = 'bookinfo/reviews';

/** A fleet at rest: every cluster was heard and serves. */
export interface FleetGiven {
  readonly members: readonly RosterMember[];
  /** By cluster, then by service of `bookinfo`; default: `reviews` with two healthy endpoints everywhere. */
  readonly serving?: Readonly<Record<string, Readonly<Record<string, readonly Endpoint['health'][]>>>>;
  /** Members that nothing was heard of for a minute. */
  readonly silent?: readonly string[];
  readonly resources?: readonly Resource[];
}

/** What the hub knows of it. */
export function contextOf({ members, serving, silent = [], resources = [] }: FleetGiven): FleetContext {
  const fleet = new FleetState(() => NOW);
  fleet.setMembers(members);
  for (const { name } of members) {
    const services = serving === undefined ? { reviews: ['HEALTHY', 'HEALTHY'] as const } : (serving[name] ?? {});
    for (const [service, health] of Object.entries(services)) fleet.putShard(name, shardOf(name, service, health));
    fleet.heard(name, silent.includes(name) ? NOW - 60_000 : NOW);
  }
  fleet.setListed();
  return {
    fleet,
    accounts: new AgentAccounts(),
    distribution: {
      desired: { epoch: 7, revision: 5, resources, members },
      published: 5,
      committedAt: () => NOW,
    },
    bus: { connected: true },
    busConnectedSince: () => NOW - 60_000,
    startRevision: () => 0,
    databaseUp: () => true,
    version: '0.1.0',
    startedAt: NOW - 60_000,
    now: () => NOW,
  };
}

/** One stream of requests. */
export interface Stream {
  readonly from: string;
  readonly to: string;
  readonly perSecond: number;
  readonly service?: string;
}

/** What was measured in the last minute; clusters that are not `told` of said nothing. */
export function measured(members: readonly RosterMember[], streams: readonly Stream[], told?: readonly string[]): TrafficMemory {
  const clock = { now: NOW - 60_000 };
  const memory = new TrafficMemory({ clusters: () => members.map(({ name }) => name), now: () => clock.now });
  for (let second = 1; second <= 60; second += 1) {
    clock.now = NOW - 60_000 + second * 1_000;
    for (const cluster of told ?? members.map(({ name }) => name)) {
      const own = streams.filter(({ from }) => from === cluster);
      const series = own.map(({ to, perSecond, service = REVIEWS }): [[string, string, string, string, string], number, number[]] => {
        const count = perSecond * second;
        return [[service, to, members.find(({ name }) => name === to)?.region ?? '', 'a', 'v1'], 0, [count, 0, count]];
      });
      memory.receive(cluster, 'a', { instance: 'one', age: second * 1_000, proxies: 1, missing: 0, series });
    }
  }
  return memory;
}

/** A Drain, at a percentage where it is in force. */
export function drainOf(name: string, spec: object, percent?: number): Resource {
  const written: Resource = {
    apiVersion: 'hawser.dev/v1alpha1',
    kind: 'Drain',
    metadata: { name, uid: name, resourceVersion: '5', creationTimestamp: '2026-01-01T00:00:00Z' },
    spec: { reason: 'a test', ...spec },
  };
  return percent === undefined ? written : { ...written, inForce: { ...spec, percent }, inForceRevision: 5 };
}

/** `us-east` (two clusters of two zones), `us-west` and `eu-west`. */
export const MEMBERS: readonly RosterMember[] = [
  memberOf('east-1', { region: 'us-east', zone: 'a' }),
  memberOf('east-2', { region: 'us-east', zone: 'b' }),
  memberOf('us-west'),
  memberOf('eu-west'),
];
