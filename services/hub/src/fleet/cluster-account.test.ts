import type { AgentStatus, ProxyStatus } from '@hawser/wire/messages.ts';
import { expect, it } from 'vitest';
import { AgentAccounts } from './agent-accounts.ts';
import { rolloutAnswer } from './rollout.ts';

const [A, B] = ['aaaaaaaaaaaa', 'bbbbbbbbbbbb'] as const;
const proxy = (name: string, connectedAt: string): ProxyStatus => ({
  ...{ proxy: name, namespace: 'n', serviceAccount: 's', address: '127.0.0.1', role: 'sidecar', types: {}, revision: 3, connectedAt },
});
const status = (instance: string, changes: Partial<AgentStatus>): AgentStatus => ({
  ...{ instance, startedAt: '', version: '', epoch: 1, revision: 3, ready: true, warnings: [], proxies: [], peers: [] },
  ...changes,
});

it('counts the proxies of all agents, one that moved once, and forgets an agent that fell silent', () => {
  const accounts = new AgentAccounts();
  const say = (replica: string, at: number, changes: Partial<AgentStatus>): void =>
    accounts.putStatus({ cluster: 'east', replica }, status(replica, changes), at);
  say(A, 1_000, { revision: 4, proxies: [proxy('one', '2026-01-01T00:00:01Z'), proxy('two', '2026-01-01T00:00:01Z')] });
  say(B, 2_000, { publisher: true, proxies: [proxy('one', '2026-01-01T00:00:02Z'), proxy('three', '2026-01-01T00:00:02Z')] });
  expect(accounts.get('east')?.status).toMatchObject({ instance: B, revision: 3 });
  expect(
    accounts
      .get('east')
      ?.status?.proxies.map((one) => one.proxy)
      .sort(),
  ).toEqual(['one', 'three', 'two']);
  expect([accounts.replicaOf('east', 'one'), accounts.replicaOf('east', 'two'), accounts.replicaOf('east', 'four')]).toEqual([
    B,
    A,
    undefined,
  ]);
  say(B, 20_000, {});
  expect(accounts.replicas('east')).toHaveLength(1);
});

it('calls a revision complete when every agent of the cluster has accounted for it', () => {
  const accounts = new AgentAccounts();
  const rollout = { epoch: 1, revision: 5, expected: 2, acked: 2, nacks: [] };
  const answer = () =>
    rolloutAnswer({
      ...{ epoch: 1, revision: 5, published: 5, committedAt: 0, busConnectedSince: 0, startRevision: 1, members: ['east'], now: 1_000 },
      account: (cluster) => accounts.get(cluster),
      replicas: (cluster) => accounts.replicas(cluster),
    });
  accounts.putStatus({ cluster: 'east', replica: A }, status(A, {}), 900);
  accounts.putStatus({ cluster: 'east', replica: B }, status(B, {}), 900);
  accounts.putRollout({ cluster: 'east', replica: A }, rollout, 950);
  expect(answer()).toMatchObject({ complete: false, waitingFor: ['east'] });
  accounts.putRollout({ cluster: 'east', replica: B }, { ...rollout, expected: 1, acked: 1 }, 960);
  expect(answer()).toMatchObject({ complete: true, proxies: { expected: 3, acked: 3, nacked: 0 } });
});
