/**
 * Scaled to replicas, as processes: three hubs behind one address, two agents in a cluster, three NATS servers. Leaders are killed, stand
 * still and go on, and everything is restarted in turn, under requests, writes and changing endpoints. Nobody may notice.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type RunningAgentProcess, untilReady } from '../kit/hawser-processes.ts';
import { ScaledFederation } from '../kit/scaled-federation.ts';
import { eventually } from '../kit/served.ts';
import { account } from '../kit/totals.ts';

describe('three hubs, two agents in a cluster, three NATS servers, under traffic', { timeout: 180_000 }, () => {
  const federation = new ScaledFederation();
  const times: string[] = [];
  let began = performance.now();

  /** The agents of the cluster that has two, the one that publishes first. */
  const agents = async (): Promise<readonly [RunningAgentProcess, RunningAgentProcess]> => {
    const { east, second } = federation;
    let publishing: readonly boolean[] = [];
    await eventually(async () => {
      publishing = await Promise.all([federation.publishes(east), federation.publishes(second)]);
      return publishing.filter(Boolean).length === 1;
    }, 'not one agent publishes');
    return publishing[0] === true ? [east, second] : [second, east];
  };

  beforeAll(async () => {
    await federation.start();
    times.push(`started in ${Math.round((performance.now() - began) / 100) / 10} s`);
    federation.stir();
    await federation.passes();
  }, 180_000);
  beforeEach(() => {
    began = performance.now();
  });
  afterEach(({ task }) => {
    times.push(`${task.name}: ${Math.round((performance.now() - began) / 100) / 10} s`);
  });
  afterAll(async () => {
    await federation.stop();
    console.log(times.join('\n'));
  }, 120_000);

  it('another hub leads when the leading one is killed', async () => {
    const { hubs } = federation;
    const leader = await hubs.leader();
    await leader.process.end('SIGKILL');
    await hubs.leader(hubs.all.filter((hub) => hub !== leader));
    await Promise.all([federation.passes(), leader.startAgain()]);
  });

  it('a hub that stood still while it led stands by when it goes on, and publishes nothing', async () => {
    const { hubs } = federation;
    const leader = await hubs.leader();
    const others = hubs.all.filter((hub) => hub !== leader);
    const term = (await hubs.status(leader))?.hub.leader?.term ?? 0;
    leader.process.kill('SIGSTOP');
    const next = await hubs.leader(others);
    await eventually(async () => ((await hubs.status(next))?.hub.leader?.term ?? 0) > term, 'the term is not a later one');
    await federation.passes();
    leader.process.kill('SIGCONT');
    await eventually(async () => (await hubs.status(leader))?.hub.leads === false, 'the one that stood still still leads');
    expect((await hubs.leader()).name).toBe(next.name);
    await federation.passes();
    expect(federation.streams.stale()).toEqual([]);
  });

  it('the other agent publishes when the publishing one is killed', async () => {
    const [publisher, other] = await agents();
    const observer = publisher === federation.second ? federation.observers.second : federation.observers.first;
    await publisher.agent.end('SIGKILL');
    observer.died();
    await eventually(() => federation.publishes(other), 'nobody took over');
    await publisher.startAgain();
    await federation.passes();
  });

  it('an agent that stood still while it published stands by when it goes on', async () => {
    const [publisher, other] = await agents();
    publisher.agent.kill('SIGSTOP');
    await eventually(() => federation.publishes(other), 'nobody took over');
    publisher.agent.kill('SIGCONT');
    expect(await agents()).toEqual([other, publisher]);
    await federation.passes();
  });

  it('a NATS server that leads the streams is killed and comes back', async () => {
    const { nats, streams } = federation;
    const leader = await streams.leader();
    await nats.kill9(leader);
    await federation.passes();
    await nats.restart(leader);
    await streams.untilWhole();
  });

  it('everything is restarted in turn', async () => {
    const { hubs, nats, streams, east, second } = federation;
    const inTurn = async (ones: readonly { end(): Promise<void>; startAgain(): Promise<void> }[]): Promise<void> => {
      for (const one of ones) {
        await one.end();
        await one.startAgain();
      }
    };
    await Promise.all([
      inTurn(hubs.all.map((hub) => ({ end: () => hub.process.end('SIGTERM'), startAgain: () => hub.startAgain() }))),
      inTurn([east, second].map((one) => ({ end: () => one.agent.end('SIGTERM'), startAgain: () => one.startAgain() }))),
    ]);
    await hubs.leader();
    for (const server of nats.urls.keys()) {
      await nats.terminate(server);
      await nats.restart(server);
      await streams.untilWhole();
    }
    await agents();
    await Promise.all(hubs.all.map(({ url }) => untilReady(`${url}/readyz`)));
    await federation.passes();
  });

  it('nobody noticed', async () => {
    const { gets, writer, lostWrites, history, staleStored } = await federation.finish();
    const count = (outcome: string): number => writer.writes.filter((write) => write.outcome === outcome).length;
    const { observations, falseRemovals, emptyPushes, staleOrForged, lost } = history.totals;
    account({ ...history.totals, writes: count('acked'), lost: lost + lostWrites.length });
    console.log(
      `scale: ${gets.sent} GETs, ${gets.failed} failed; ${count('acked')} acked writes (${count('refused')} refused, ${count('unanswered')} unanswered), ${lostWrites.length + lost} lost; ` +
        `${observations} observations: ${falseRemovals} false removals, ${emptyPushes} empty pushes, ${staleOrForged} stale or forged acted on, ${staleStored.length} stored`,
    );
    expect({ failures: [...gets.failures], lostWrites, breaches: history.breaches, staleStored }).toEqual({
      failures: [],
      lostWrites: [],
      breaches: [],
      staleStored: [],
    });
    expect(gets.sent).toBeGreaterThan(500);
    expect(count('acked')).toBeGreaterThan(50);
    expect(observations).toBeGreaterThan(100);
    expect(federation.streams.seen).toBeGreaterThan(200);
    const states = await Promise.all(federation.hubs.all.map((hub) => federation.hubs.status(hub)));
    expect(states.filter((state) => state?.hub.leads === true)).toHaveLength(1);
    expect(new Set(states.map((state) => state?.hub.published)).size).toBe(1);
  });
});
