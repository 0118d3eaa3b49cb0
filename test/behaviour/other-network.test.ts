/** Machines that a cluster has in another network than its own. Three networks; each cluster has a gateway. */
import { expect } from 'vitest';
import { createTrustDomain } from '../datapath/kit/pki.ts';
import { until } from '../datapath/kit/until.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { DEFAULT_HOST } from './kit/clients.ts';
import { startEchoApp } from './kit/echo-app.ts';
import { eastern } from './kit/layout.ts';
import type { Rig } from './kit/rig.ts';

const NET = 150;
const V1 = `127.81.${NET}.21`;
const MACHINE = `127.81.${NET + 1}.31`;
const [EAST_GATEWAY, WEST_GATEWAY] = [`127.81.${NET}.1`, `127.81.${NET + 1}.1`];
const caller = (cluster: string) => ({ name: `caller-${cluster}`, namespace: 'bookinfo', cluster, at: 11 });

const behaviour = behavioursOf(
  {
    net: NET,
    clusters: ['east', 'west', 'north'],
    workloads: [eastern('reviews', 'v1', 21)],
    clients: [caller('east'), caller('west'), caller('north')],
  },
  async ({ mesh }) => {
    const identity = await (await createTrustDomain('echo')).issue('spiffe://echo/app');
    await startEchoApp('reviews-vm', MACHINE, identity);
    // Its agent is the one of east, wherever it stands.
    await mesh.sidecar('east', MACHINE, 'bookinfo/reviews');
  },
);

/** The reviews that east has. */
async function reviews(rig: Rig, endpoints: readonly { address: string; network?: string }[]): Promise<void> {
  rig.mesh.service('bookinfo/reviews', 'east', { endpoints });
  await rig.settled();
}

/** Until a caller's requests are answered by exactly these. */
async function answer(rig: Rig, from: string, by: readonly string[]): Promise<void> {
  let seen: readonly string[] = [];
  await until(
    async () => {
      seen = Object.keys((await rig.tally(20, { from: `caller-${from}` })).by).sort();
      return seen.join() === by.join();
    },
    () => `${from} is answered by ${seen.join()}, not by ${by.join()}`,
  );
}

/** Connections that a gateway led to reviews. */
async function led(rig: Rig, gateway: string): Promise<number> {
  const stats = await rig.mesh.envoyAt(gateway).admin('/stats?filter=upstream_cx_total');
  return Number(/^cluster\.inbound\|80\|reviews\.bookinfo\.upstream_cx_total: (\d+)/m.exec(stats)?.[1] ?? 0);
}

behaviour(
  'SE-056',
  'WorkloadEntry.network (registry)',
  'a machine in another network is called through a gateway of that network, by its own cluster and by a third one',
  async (rig) => {
    await reviews(rig, [{ address: MACHINE, network: 'west' }]);
    const before = [await led(rig, EAST_GATEWAY), await led(rig, WEST_GATEWAY)] as const;
    await answer(rig, 'east', ['reviews-vm']);
    const afterEast = await led(rig, WEST_GATEWAY);
    expect(afterEast).toBeGreaterThan(before[1]);
    await answer(rig, 'north', ['reviews-vm']);
    expect(await led(rig, WEST_GATEWAY)).toBeGreaterThan(afterEast);
    expect(await led(rig, EAST_GATEWAY)).toBe(before[0]);
  },
);

behaviour('SE-057', 'WorkloadEntry.network (registry)', 'callers of that network call the machine directly', async (rig) => {
  await reviews(rig, [{ address: MACHINE, network: 'west' }]);
  const before = await led(rig, WEST_GATEWAY);
  await answer(rig, 'west', ['reviews-vm']);
  expect(await led(rig, WEST_GATEWAY)).toBe(before);
  expect(await rig.client('caller-west').admin('/clusters')).toContain(`outbound|80||${DEFAULT_HOST}::${MACHINE}:15006::`);
});

behaviour('SE-058', 'WorkloadEntry.network (registry)', 'it shares the requests with the workloads of its cluster', async (rig) => {
  await reviews(rig, [{ address: V1 }, { address: MACHINE, network: 'west' }]);
  for (const from of ['east', 'north', 'west']) await answer(rig, from, ['reviews-v1', 'reviews-vm']);
});

behaviour('SE-059', 'WorkloadEntry.network (registry)', 'a machine in a network of nobody is not called; the others are', async (rig) => {
  await reviews(rig, [{ address: V1 }, { address: MACHINE, network: 'nobody' }]);
  for (const from of ['east', 'north', 'west']) await answer(rig, from, ['reviews-v1']);
  await reviews(rig, [{ address: MACHINE, network: 'nobody' }]);
  expect((await rig.call({ from: 'caller-east' })).status).toBe(503);
});

behaviour(
  'SE-060',
  'WorkloadEntry.network (registry)',
  "another cluster's word opens no way to what the gateway's own cluster keeps to itself",
  async (rig) => {
    await reviews(rig, [{ address: MACHINE, network: 'west' }]);
    await answer(rig, 'east', ['reviews-vm']);
    rig.mesh.service('bookinfo/kept', 'west', { exported: false, endpoints: [{ address: MACHINE }] });
    await until(
      async () => !(await rig.mesh.envoyAt(WEST_GATEWAY).admin('/clusters')).includes(MACHINE),
      () => 'the gateway still leads there',
    );
    rig.mesh.service('bookinfo/kept', 'west', { exported: false, endpoints: [] });
    await until(
      async () => (await rig.mesh.envoyAt(WEST_GATEWAY).admin('/clusters')).includes(MACHINE),
      () => 'the gateway does not lead there again',
    );
  },
);
