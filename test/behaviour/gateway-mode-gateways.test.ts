/** Gateway mode with two gateways of one cluster. */
import { expect } from 'vitest';
import { stream } from '../datapath/kit/load.ts';
import { until } from '../datapath/kit/until.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { DEFAULT_HOST } from './kit/clients.ts';
import { startEchoApp } from './kit/echo-app.ts';
import { bareEastern } from './kit/layout.ts';
import { policy, type Rig, rigAddress } from './kit/rig.ts';

const NET = 180;
const GATEWAYS = [1, 2].map((at) => rigAddress(NET, at)) as [string, string];
const PODS = [21, 22, 23].map((at) => rigAddress(NET, at));
const CALLERS = ['productpage', 'details'] as const;
/** Connections through gateways last otherwise as long as they can. */
const OFTEN_ANEW = policy('DestinationRule', {
  host: 'reviews',
  trafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: 10 } } },
});

const behaviour = behavioursOf({
  net: NET,
  drainsAtOnce: true,
  clusters: ['east', 'west'],
  gateways: [1, 2],
  workloads: [bareEastern('reviews', 'v1', 21), bareEastern('reviews', 'v2', 22)],
  clients: [
    { name: 'productpage', namespace: 'bookinfo', cluster: 'east', at: 11 },
    { name: 'details', namespace: 'bookinfo', cluster: 'west', at: 13 },
  ],
});

/** Connections that a gateway has led to the Pods so far. */
async function led(rig: Rig, gateway: string): Promise<number> {
  const stats = await rig.mesh.envoyAt(gateway).admin('/stats?filter=upstream_cx_total');
  return Number(/^cluster\.inbound\|80\|reviews\.bookinfo\.upstream_cx_total: (\d+)/m.exec(stats)?.[1] ?? 0);
}

/** What became of requests. */
interface Outcome {
  readonly sent: number;
  readonly failedGets: readonly string[];
  readonly failedPosts: number;
}

/** A steady stream of requests of each caller, every twentieth of them a POST. */
function load(rig: Rig): { sent(): number; stop(): Promise<Outcome> } {
  const streams = CALLERS.map((from) => stream({ via: rig.clientAddress(from), host: DEFAULT_HOST }, 100, 20));
  const sent = (): number => streams.reduce((sum, { tally }) => sum + tally.sent, 0);
  return {
    sent,
    stop: async () => {
      const failures = (await Promise.all(streams.map((one) => one.stop()))).flatMap((tally) => [...tally.failures]);
      const [gets, posts] = ['GET', 'POST'].map((method) => failures.filter(([kind]) => kind.startsWith(method)));
      return {
        sent: sent(),
        failedGets: (gets ?? []).map(([kind, count]) => `${count} ${kind}`),
        failedPosts: (posts ?? []).reduce((sum, [, count]) => sum + count, 0),
      };
    },
  };
}

behaviour('GM-040', 'gateway mode: several gateways', 'callers of both clusters go through all of them', async (rig) => {
  await rig.policies([OFTEN_ANEW]);
  const before = await Promise.all(GATEWAYS.map((gateway) => led(rig, gateway)));
  await until(
    async () => {
      for (const from of CALLERS) expect((await rig.tally(60, { from })).byStatus).toEqual({ 200: 60 });
      const now = await Promise.all(GATEWAYS.map((gateway) => led(rig, gateway)));
      return now.every((count, index) => count > (before[index] ?? 0));
    },
    () => 'one of the gateways leads nobody',
  );
});

behaviour(
  'GM-041',
  'gateway mode: several gateways',
  'one that is killed under load costs no GET, and takes its part again when it is back',
  async (rig) => {
    await rig.policies([OFTEN_ANEW]);
    const running = load(rig);
    const all = await led(rig, GATEWAYS[1]);
    await until(
      async () => (await led(rig, GATEWAYS[1])) > all,
      () => 'the second gateway is not used',
    );
    await rig.mesh.envoyAt(GATEWAYS[1]).stop();
    const before = running.sent();
    await until(
      () => running.sent() > before + 500,
      () => 'the callers do not go on',
    );
    await rig.mesh.gateway('east', GATEWAYS[1]);
    await rig.settled();
    await until(
      async () => (await led(rig, GATEWAYS[1])) > 0,
      () => 'the second gateway is not used again',
    );
    const { sent, failedGets, failedPosts } = await running.stop();
    expect([failedGets, sent > 500]).toEqual([[], true]);
    // Those that the gateway had when it was killed.
    expect(failedPosts).toBeLessThanOrEqual(4);
  },
);

behaviour('GM-042', 'gateway mode: several gateways', 'all of them learn of Pods that come and go, under load', async (rig) => {
  await rig.policies([OFTEN_ANEW]);
  const third = await startEchoApp('reviews-v3', PODS[2] ?? '');
  const reviews = (count: number, health: 'HEALTHY' | 'DRAINING' = 'HEALTHY'): void =>
    rig.mesh.service('bookinfo/reviews', 'east', {
      endpoints: PODS.slice(0, count).map((address, index) => ({
        ...{ address, targetPorts: { '80': 9080 }, bare: true as const },
        health: index === 2 ? health : 'HEALTHY',
      })),
    });
  const running = load(rig);
  // As agents have it until gateways know of a new one.
  reviews(3, 'DRAINING');
  await rig.settled();
  for (const gateway of GATEWAYS) {
    const chains = await rig.mesh.envoyAt(gateway).admin('/config_dump?resource=dynamic_listeners');
    expect(chains).toContain(`"${PODS[2]}"`);
  }
  reviews(3);
  await until(
    () => third.received.length > 50,
    () => 'the new one is not called',
  );
  reviews(2);
  await rig.settled();
  await third.stop();
  expect((await running.stop()).failedGets).toEqual([]);
});
