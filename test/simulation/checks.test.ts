import type { Shards } from '@hawser/agent/state/endpoint-brake.ts';
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import { describe, expect, it } from 'vitest';
import { Breach, Checks, FORGED } from './checks.ts';
import type { CommittedLog } from './committed-log.ts';
import type { SimAgent } from './sim-agent.ts';

const log = { statesAt: (_epoch: number, revision: number) => (revision < 5 ? [{ resources: new Map(), members: [] }] : []) };
const world = { self: 'us-east', clusters: new Map(), shards: new Map(), policies: new Map() };

function shardOf(...addresses: readonly string[]): EndpointShard {
  const endpoints = addresses.map((address) => ({
    ...{ address, targetPorts: { '80': 9080 }, labels: {}, serviceAccount: 'cart', health: 'HEALTHY' as const },
  }));
  return { cluster: 'us-west', namespace: 'shop', service: 'cart', exported: true, ports: [], endpoints };
}

function agentThatSees(shard: EndpointShard | undefined, cluster = 'us-east'): SimAgent {
  const shards = shard === undefined ? new Map() : new Map([['shop/cart', new Map([['us-west', shard]])]]);
  const life = { federation: { world: () => ({ ...world, shards }), roster: { members: [] } } };
  return { cluster, actor: { name: cluster, life: 1, paused: false }, life } as unknown as SimAgent;
}

describe('the checks of a simulation', () => {
  const made = (): Checks => new Checks(log as unknown as CommittedLog);

  it('find an agent that goes back', () => {
    const checks = made();
    checks.onRevision(agentThatSees(undefined), { epoch: 1, revision: 3 }, world);
    expect(() => checks.onRevision(agentThatSees(undefined), { epoch: 1, revision: 2 }, world)).toThrow(Breach);
  });

  it('find a state that was never committed', () => {
    expect(() => made().onRevision(agentThatSees(undefined), { epoch: 1, revision: 9 }, world)).toThrow('committed was nothing');
  });

  it('find an endpoint that is gone though its owner never said so', () => {
    const checks = made();
    checks.onServed(agentThatSees(shardOf('10.0.0.1', '10.0.0.2')));
    expect(() => checks.onServed(agentThatSees(shardOf('10.0.0.1')))).toThrow('10.0.0.2');
  });

  it('let an endpoint go that its owner withdrew', () => {
    const checks = made();
    const owner = agentThatSees(undefined, 'us-west');
    const word = (...addresses: readonly string[]): Shards => new Map([['shop/cart', shardOf(...addresses)]]);
    checks.onWord(owner, word('10.0.0.1', '10.0.0.2'));
    checks.onServed(agentThatSees(shardOf('10.0.0.1', '10.0.0.2')));
    checks.onWord(owner, word('10.0.0.1'));
    expect(() => checks.onServed(agentThatSees(shardOf('10.0.0.1')))).not.toThrow();
  });

  it('find a push that takes from a proxy what its owner never withdrew', () => {
    const checks = made();
    const push = (before: readonly string[], now: readonly string[]) => (): void =>
      checks.onPush('proxy', 'cart', { before: new Set(before), now: new Set(now) });
    expect(push(['10.0.0.1', '10.0.0.2'], ['10.0.0.2'])).toThrow(expect.objectContaining({ wrong: 'falseRemovals' }));
    expect(push(['10.0.0.1'], [])).toThrow(expect.objectContaining({ wrong: 'emptyPushes' }));
    const owner = agentThatSees(undefined, 'us-west');
    checks.onWord(owner, new Map([['shop/cart', shardOf('10.0.0.1')]]));
    checks.onWord(owner, new Map([['shop/cart', shardOf()]]));
    expect(push(['10.0.0.1'], [])).not.toThrow();
  });

  it('find what was forged', () => {
    expect(() => made().onServed(agentThatSees(shardOf(FORGED)))).toThrow('forged');
  });
});
