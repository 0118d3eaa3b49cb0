import { describe, expect, it } from 'vitest';
import { memberOf, shardOf } from './fleet-fixture.ts';
import { FleetState, STALE_AFTER_MS } from './fleet-state.ts';

const NOW = 1_000_000;

function fleetAt(clock: { now: number }): FleetState {
  const fleet = new FleetState(() => clock.now);
  fleet.setMembers([memberOf('west'), memberOf('east')]);
  return fleet;
}

describe('FleetState', () => {
  it('calls a cluster stale after three missed heartbeats, and known again when it is heard', () => {
    const clock = { now: NOW };
    const fleet = fleetAt(clock);
    expect(fleet.freshness('east')).toBe('UNKNOWN');
    fleet.heard('east', NOW);
    clock.now = NOW + STALE_AFTER_MS;
    expect(fleet.freshness('east')).toBe('KNOWN');
    clock.now += 1;
    expect(fleet.freshness('east')).toBe('STALE');
    fleet.heard('east', clock.now);
    expect(fleet.countByFreshness()).toEqual({ KNOWN: 1, STALE: 0, UNKNOWN: 1 });
  });

  it('keeps what a silent cluster exported', () => {
    const clock = { now: NOW };
    const fleet = fleetAt(clock);
    fleet.heard('east', NOW);
    fleet.putShard('east', shardOf('east', 'reviews', ['HEALTHY']));
    clock.now = NOW + 3_600_000;
    fleet.setMembers([memberOf('east')]);
    expect([...(fleet.cluster('east')?.shards.keys() ?? [])]).toEqual(['bookinfo/reviews']);
  });

  it('knows the services only when it was listed and every member was heard: unknown is not empty', () => {
    const fleet = fleetAt({ now: NOW });
    expect(new FleetState().knownServices()).toBeUndefined();
    fleet.putShard('east', shardOf('east', 'reviews', []));
    fleet.heard('east', NOW);
    fleet.heard('west', NOW);
    expect(fleet.knownServices()).toBeUndefined();
    fleet.setListed();
    expect(fleet.knownServices()).toEqual(new Map([['bookinfo/reviews', new Set([80])]]));
    fleet.setMembers([memberOf('east'), memberOf('west'), memberOf('new')]);
    expect(fleet.knownServices()).toBeUndefined();
  });

  it('forgets a shard by its owner’s word, and everything of a cluster that joined anew or left', () => {
    const fleet = fleetAt({ now: NOW });
    fleet.putShard('east', shardOf('east', 'reviews', []));
    fleet.putShard('east', shardOf('east', 'details', []));
    fleet.removeShard('east', { namespace: 'bookinfo', service: 'reviews' });
    expect([...(fleet.cluster('east')?.shards.keys() ?? [])]).toEqual(['bookinfo/details']);
    fleet.setMembers([memberOf('east', { epoch: 2 })]);
    expect(fleet.cluster('east')?.shards.size).toBe(0);
    expect(fleet.cluster('west')).toBeUndefined();
  });
});
