import type { RolloutStatus } from '@hawser/wire/messages.ts';
import { describe, expect, it } from 'vitest';
import { AgentAccounts } from './agent-accounts.ts';
import { proxyOf, statusOf } from './fleet-fixture.ts';
import { type RolloutInput, rolloutAnswer } from './rollout.ts';

const START = 1_000_000;

function report(revision: number, expected: number, acked: number, nacks: RolloutStatus['nacks'] = []): RolloutStatus {
  return { epoch: 7, revision, expected, acked, nacks };
}

function answer(accounts: AgentAccounts, changes: Partial<RolloutInput> = {}) {
  return rolloutAnswer({
    epoch: 7,
    revision: 10,
    published: 10,
    committedAt: START,
    busConnectedSince: START - 60_000,
    startRevision: 5,
    members: ['east', 'west'],
    account: (cluster) => accounts.get(cluster),
    now: START + 1000,
    ...changes,
  });
}

describe('rolloutAnswer', () => {
  it('is complete when every connected agent accounted for the revision', () => {
    const accounts = new AgentAccounts();
    accounts.putRollout('east', report(10, 3, 3), START + 20);
    accounts.putRollout('west', report(10, 2, 1, [{ proxy: 'p', message: 'bad' }]), START + 40);
    expect(answer(accounts)).toEqual({
      epoch: 7,
      revision: 10,
      complete: true,
      proxies: { expected: 5, acked: 4, nacked: 1 },
      nacks: [{ cluster: 'west', proxy: 'p', message: 'bad' }],
      waitingFor: [],
      disconnected: [],
      answeredAt: START + 40,
      unaccounted: [],
      durationMs: 40,
    });
  });

  it('waits for proxies that have not answered', () => {
    const accounts = new AgentAccounts();
    accounts.putRollout('east', report(10, 3, 3), START);
    accounts.putRollout('west', report(10, 2, 1), START);
    expect(answer(accounts)).toMatchObject({ complete: false, waitingFor: ['west'], proxies: { expected: 5, acked: 4 } });
  });

  it('waits for a connected agent that reported an older revision only', () => {
    const accounts = new AgentAccounts();
    accounts.putRollout('east', report(10, 0, 0), START);
    accounts.putRollout('west', report(9, 2, 2), START);
    expect(answer(accounts)).toMatchObject({ complete: false, waitingFor: ['west'] });
  });

  it('takes the report of a newer revision that overtook it', () => {
    const accounts = new AgentAccounts();
    accounts.putRollout('east', report(12, 1, 1), START);
    accounts.putRollout('west', report(10, 4, 2), START);
    accounts.putRollout('west', report(11, 4, 4), START);
    expect(answer(accounts)).toMatchObject({ complete: true, proxies: { expected: 5, acked: 5 } });
  });

  it('does not believe reports of another epoch', () => {
    const accounts = new AgentAccounts();
    accounts.putRollout('east', { ...report(10, 0, 0), epoch: 6 }, START);
    expect(answer(accounts, { members: ['east'] }).complete).toBe(false);
  });

  it('names agents that were not heard for 15 s, and does not wait for them', () => {
    const accounts = new AgentAccounts();
    accounts.putRollout('east', report(10, 1, 1), START);
    accounts.putStatus('west', statusOf(9), START - 15_000);
    expect(answer(accounts)).toMatchObject({ complete: true, disconnected: ['west'], waitingFor: [] });
  });

  it('gives silent agents 15 s after the bus connected before it calls them disconnected', () => {
    const accounts = new AgentAccounts();
    expect(answer(accounts, { busConnectedSince: START })).toMatchObject({ waitingFor: ['east', 'west'], disconnected: [] });
    expect(answer(accounts, { busConnectedSince: START, now: START + 15_001 })).toMatchObject({
      complete: true,
      disconnected: ['east', 'west'],
    });
  });

  it('is never complete before the revision is on the bus, or while the bus is down', () => {
    const accounts = new AgentAccounts();
    expect(answer(accounts, { members: [] }).complete).toBe(true);
    expect(answer(accounts, { members: [], published: 9 }).complete).toBe(false);
    expect(answer(accounts, { members: [], busConnectedSince: undefined }).complete).toBe(false);
  });

  it('reads revisions from before the start out of the proxies themselves', () => {
    const accounts = new AgentAccounts();
    accounts.putStatus('east', statusOf(10, [proxyOf('p', 10)]), START);
    expect(answer(accounts, { members: ['east'], startRevision: 10 }).complete).toBe(true);
    accounts.putStatus('east', statusOf(10, [proxyOf('p', 9)]), START);
    expect(answer(accounts, { members: ['east'], startRevision: 10 }).complete).toBe(false);
    accounts.putStatus('east', statusOf(10, [proxyOf('p', 9, 'no such cluster')]), START);
    expect(answer(accounts, { members: ['east'], startRevision: 10 })).toMatchObject({
      complete: true,
      nacks: [{ cluster: 'east', proxy: 'p', message: 'RDS: no such cluster' }],
    });
  });

  it('lets a status stand in for a lost report only after a while', () => {
    const accounts = new AgentAccounts();
    accounts.putStatus('east', statusOf(10, [proxyOf('p', 10)]), START);
    expect(answer(accounts, { members: ['east'], now: START + 1999 }).complete).toBe(false);
    expect(answer(accounts, { members: ['east'], now: START + 2000 }).complete).toBe(true);
  });
});

describe('AgentAccounts', () => {
  it('keeps a bounded number of reports, the newest ones', () => {
    const accounts = new AgentAccounts();
    for (let revision = 1; revision <= 3000; revision += 1) accounts.putRollout('east', report(revision, 0, 0), START);
    const kept = [...(accounts.get('east')?.reports.keys() ?? [])];
    expect(kept.length).toBe(1024);
    expect(kept.at(-1)).toBe(3000);
  });

  it('forgets the reports of an earlier epoch', () => {
    const accounts = new AgentAccounts();
    accounts.putRollout('east', report(50, 1, 1), START);
    accounts.putRollout('east', { ...report(1, 1, 1), epoch: 8 }, START);
    expect([...(accounts.get('east')?.reports.keys() ?? [])]).toEqual([1]);
  });
});
