import type { Resource } from '@hawser/model/resource.ts';
import type { AgentStatus, PolicyIssue, RolloutStatus } from '@hawser/wire/messages.ts';
import { describe, expect, it } from 'vitest';
import type { Condition } from '../hub-core.ts';
import { AgentAccounts } from './agent-accounts.ts';
import type { FleetContext } from './fleet-context.ts';
import { memberOf, policyOf, proxyOf, statusOf } from './fleet-fixture.ts';
import { FleetState } from './fleet-state.ts';
import { policyConditions } from './policy-conditions.ts';

const NOW = 1_000_000;
const OWN: readonly Condition[] = [
  { type: 'Accepted', status: 'True', reason: 'Accepted', message: '' },
  { type: 'ResolvedRefs', status: 'True', reason: 'Resolved', message: '' },
];
const { metadata, ...rest } = policyOf('VirtualService', 'reviews', {});
const POLICY: Resource = { ...rest, metadata: { ...metadata, resourceVersion: '10', generation: 3 } };

interface Case {
  readonly accounts?: (accounts: AgentAccounts) => void;
  readonly changes?: Partial<FleetContext>;
  readonly own?: readonly Condition[];
}

function conditions({ accounts: fill, changes, own = OWN }: Case): Record<string, Condition> {
  const accounts = new AgentAccounts();
  fill?.(accounts);
  const context: FleetContext = {
    ...{ fleet: new FleetState(() => NOW), accounts, bus: { connected: true }, version: '', startedAt: 0 },
    distribution: {
      desired: { epoch: 7, revision: 10, resources: [POLICY], members: [memberOf('east'), memberOf('west')] },
      published: 10,
      committedAt: () => NOW - 1000,
    },
    ...{ busConnectedSince: () => NOW - 60_000, startRevision: () => 5, databaseUp: () => true, now: () => NOW },
    ...changes,
  };
  return Object.fromEntries(policyConditions(POLICY, own, context).map((condition) => [condition.type, condition]));
}

const report = (acked: number, expected = acked, nacks: RolloutStatus['nacks'] = []): RolloutStatus => ({
  ...{ epoch: 7, revision: 10, expected, acked, nacks },
});
const bothAcked = (accounts: AgentAccounts): void => {
  accounts.putRollout('east', report(2), NOW - 500);
  accounts.putRollout('west', report(1), NOW - 300);
};
const issue = (changes: Partial<PolicyIssue>): PolicyIssue => ({
  ...{ kind: 'VirtualService', namespace: 'bookinfo', name: 'reviews', state: 'REFUSED', message: 'no', at: '2026-01-01T00:00:00Z' },
  ...changes,
});
const withIssue = (one: PolicyIssue, revision = 10): AgentStatus => ({ ...statusOf(revision, [proxyOf('p', revision)]), policies: [one] });

describe('the conditions of a policy', () => {
  it('are True when every connected agent accounted for it and its proxies acknowledged, since the last of their answers', () => {
    const { Programmed, Ready } = conditions({ accounts: bothAcked });
    const since = new Date(NOW - 300).toISOString();
    expect(Programmed).toMatchObject({ status: 'True', reason: 'Programmed', observedGeneration: 3, lastTransitionTime: since });
    expect(Ready).toMatchObject({ status: 'True', observedGeneration: 3, lastTransitionTime: since });
  });

  it('are Unknown while an agent or a proxy has not answered', () => {
    const { Programmed, Ready } = conditions({
      accounts: (accounts) => {
        accounts.putRollout('east', report(1, 2), NOW);
        accounts.putRollout('west', report(1), NOW);
      },
    });
    expect(Programmed).toMatchObject({ status: 'Unknown', reason: 'Pending', message: 'waiting for east' });
    expect(Ready).toMatchObject({ status: 'Unknown', message: 'Programmed: waiting for east' });
  });

  it('are False with cluster, proxy, type, resource and message of a refusal', () => {
    const nack = {
      proxy: 'p',
      message: 'too large',
      type: 'RDS' as const,
      resource: 'outbound',
      policy: 'VirtualService/bookinfo/reviews',
    };
    const { Programmed, Ready } = conditions({
      accounts: (accounts) => {
        bothAcked(accounts);
        accounts.putRollout('west', report(0, 1, [nack]), NOW);
      },
    });
    expect(Programmed).toMatchObject({ status: 'False', reason: 'Rejected', message: 'west/p refused RDS outbound: too large' });
    expect(Ready).toMatchObject({ status: 'False', reason: 'Rejected' });
  });

  it('are not touched by the refusal of another policy that came with it', () => {
    const nack = { proxy: 'p', message: 'too large', policy: 'VirtualService/bookinfo/details' };
    const { Programmed } = conditions({
      accounts: (accounts) => {
        bothAcked(accounts);
        accounts.putRollout('west', report(0, 1, [nack]), NOW);
      },
    });
    expect(Programmed?.status).toBe('True');
  });

  it('are what the agents hold back, also for a hub that was started since', () => {
    const refused = issue({ proxy: 'p', type: 'RDS', resource: 'outbound' });
    const restarted = { startRevision: () => 10 };
    const fill = (accounts: AgentAccounts): void => {
      accounts.putStatus('east', withIssue(refused), NOW);
      accounts.putStatus('west', statusOf(10), NOW);
    };
    const { Programmed } = conditions({ accounts: fill, changes: restarted });
    expect(Programmed).toMatchObject({ status: 'False', reason: 'Rejected', message: 'east/p refused RDS outbound: no' });
    expect(Programmed?.lastTransitionTime).toBe('2026-01-01T00:00:00Z');
    const older = (accounts: AgentAccounts): void => {
      fill(accounts);
      accounts.putStatus('east', withIssue(refused, 9), NOW);
    };
    expect(conditions({ accounts: older, changes: restarted })['Programmed']?.status).toBe('Unknown');
  });

  it('names the field and the cluster of a rule that is left out: programmed, and not ready', () => {
    const partial = issue({ state: 'PARTIAL', field: 'spec.http[0].match[1]', message: 'this match is left out' });
    const { Programmed, Ready } = conditions({
      accounts: (accounts) => {
        bothAcked(accounts);
        accounts.putStatus('west', withIssue(partial), NOW);
      },
    });
    expect(Programmed?.status).toBe('True');
    expect(Ready).toMatchObject({
      status: 'False',
      reason: 'PartlyServed',
      message: 'west: spec.http[0].match[1]: this match is left out',
    });
  });

  it('are never True by evidence that is stale: a bus that is down, agents that are silent, a hub that has heard nobody', () => {
    const down = conditions({ accounts: bothAcked, changes: { busConnectedSince: () => undefined } });
    expect(down['Programmed']).toMatchObject({ status: 'Unknown', reason: 'StaleEvidence' });
    const later = NOW + 60_000;
    const silent = conditions({ accounts: bothAcked, changes: { now: () => later } });
    expect(silent['Programmed']).toMatchObject({ status: 'Unknown', reason: 'StaleEvidence' });
    expect(silent['Programmed']?.message).toContain('east (last heard 1970-01-01T00:16:39.500Z)');
    const half = conditions({
      accounts: (accounts) => {
        bothAcked(accounts);
        accounts.putStatus('east', statusOf(10), later);
      },
      changes: { now: () => later },
    });
    expect(half['Programmed']).toMatchObject({ status: 'True' });
    expect(half['Programmed']?.message).toMatch(/not connected: west \(last heard/);
    expect(half['Ready']).toMatchObject({ status: 'Unknown', reason: 'ClusterSilent' });
    const started = conditions({ changes: { busConnectedSince: () => NOW } });
    expect(started['Programmed']).toMatchObject({ status: 'Unknown', message: 'waiting for east, west' });
  });

  it('has a reference to nothing make it not ready', () => {
    const own = [{ type: 'ResolvedRefs', status: 'False', reason: 'RefNotFound', message: 'spec.x names nothing' }] as const;
    expect(conditions({ accounts: bothAcked, own })['Ready']).toMatchObject({
      status: 'False',
      reason: 'RefNotFound',
      message: 'ResolvedRefs: spec.x names nothing',
    });
  });
});
