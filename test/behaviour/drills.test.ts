/** What drills do at the servers' own proxies: to new connections and to those that were there, and to nobody else's. */
import type { Resource } from '@hawser/model/resource.ts';
import { expect } from 'vitest';
import { until } from '../datapath/kit/until.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { callTcp, type Reply } from './kit/clients.ts';
import { APP_PORTS } from './kit/echo-app.ts';
import { policy, type Rig } from './kit/rig.ts';
import { type Lasting, openTcp } from './kit/stream-app.ts';

const NET = 146;
const CLUSTERS = ['east', 'west'];
const SERVER = `127.81.${NET}.21`;
const PORTS = [
  { name: 'http', port: 80, protocol: 'http' as const },
  { name: 'tcp', port: 5000, protocol: 'tcp' as const },
];
const BYSTANDER = 'ratings.bookinfo.svc.clusterset.local';
const workloads = CLUSTERS.map((cluster) => ({
  ...{ name: cluster, service: 'bookinfo/reviews', cluster, labels: { version: 'v1' }, at: 21 },
}));

/** The bystander is served by the same workloads. */
const behaviour = behavioursOf(
  { net: NET, clusters: CLUSTERS, workloads, drainsAtOnce: true, ports: { 'bookinfo/reviews': PORTS } },
  async (rig) => {
    const targetPorts = { '80': APP_PORTS.http, '5000': APP_PORTS.tcp };
    for (const [index, cluster] of CLUSTERS.entries()) {
      const endpoints = [{ address: `127.81.${NET + index}.21`, targetPorts, serviceAccount: 'reviews' }];
      rig.mesh.service('bookinfo/ratings', cluster, { ports: PORTS, endpoints });
    }
    await rig.policies([ORDER]);
    await until(
      async () => (await rig.call({ host: BYSTANDER })).servedBy === 'east',
      () => 'the bystander does not answer',
    );
  },
);

const ORDER = policy('FailoverPolicy', { order: ['east', 'west'], spillover: 'strict' });
/** Nobody is left alone for a while: what is lifted is used at once. */
const NO_EJECTION = policy('DestinationRule', {
  host: 'reviews',
  trafficPolicy: { outlierDetection: { consecutiveGatewayErrors: 0, consecutiveLocalOriginFailures: 0 } },
});
const NO_RETRIES = policy('VirtualService', {
  hosts: ['reviews'],
  http: [{ route: [{ destination: { host: 'reviews' } }], retries: { attempts: 0 } }],
});
const SOON_ELSEWHERE = policy('VirtualService', {
  hosts: ['reviews'],
  http: [{ route: [{ destination: { host: 'reviews' } }], retries: { attempts: 2, perTryTimeout: '300ms' } }],
});

function drill(fault: object, scope: object = { region: 'east' }): Resource {
  const inject = { scope, services: ['bookinfo/reviews'], fault };
  return { ...policy('DrillRun', { run: 'run', lease: '15s', inject }), metadata: { name: 'run' } };
}

/** How many connections the server's proxy took, and told to go, for the HTTP of a service. */
async function connections(rig: Rig, service: string): Promise<readonly [taken: number, sentAway: number]> {
  const server = rig.mesh.envoyAt(SERVER);
  const count = (name: string): Promise<number> => server.stat(`http.80.${service}.bookinfo.${name}`);
  return [await count('downstream_cx_total'), await count('downstream_cx_drain_close')];
}

/** Waits until answers are as they are to be: Envoy acknowledges before its workers have it, and open connections take one request more. */
async function comesTo(rig: Rig, wanted: (reply: Reply) => boolean): Promise<void> {
  let inARow = 0;
  await until(
    async () => {
      inARow = wanted(await rig.call()) ? inARow + 1 : 0;
      return inARow >= 3;
    },
    () => 'the answers stay as they were',
  );
}

/** Runs `during` while the bystander is called; every one of its requests is answered in the own region, over connections that stay. */
async function leavingOthersAlone(rig: Rig, during: () => Promise<void>): Promise<void> {
  await rig.call({ host: BYSTANDER });
  const before = await connections(rig, 'ratings');
  let isOver = false;
  const calls = (async () => {
    const answers: string[] = [];
    while (!isOver) answers.push((await rig.call({ host: BYSTANDER })).servedBy);
    return answers;
  })();
  await during().finally(() => {
    isOver = true;
  });
  expect(new Set(await calls)).toEqual(new Set(['east']));
  expect(await connections(rig, 'ratings')).toEqual(before);
}

behaviour(
  'DI-001',
  'DrillRun.inject.fault.refuse',
  'no request fails, POSTs neither: they go to the next region, and come back when it is lifted; no connection of others is drained',
  async (rig) => {
    await rig.policies([ORDER, NO_EJECTION]);
    await comesTo(rig, ({ servedBy }) => servedBy === 'east');
    await leavingOthersAlone(rig, async () => {
      await rig.policies([ORDER, NO_EJECTION, drill({ refuse: true })]);
      await comesTo(rig, ({ servedBy }) => servedBy === 'west');
      for (const method of ['GET', 'POST']) expect(await rig.tally(30, { method })).toEqual({ by: { west: 30 }, byStatus: { 200: 30 } });
      await rig.policies([ORDER, NO_EJECTION]);
      await comesTo(rig, ({ servedBy }) => servedBy === 'east');
      expect(await rig.tally(30)).toEqual({ by: { east: 30 }, byStatus: { 200: 30 } });
    });
  },
);

behaviour('DI-002', 'DrillRun.inject.scope', 'clusters elsewhere are left alone, and so is what they serve', async (rig) => {
  for (const scope of [{ region: 'west' }, { cluster: 'west' }, { zone: 'east/other' }]) {
    await rig.policies([ORDER, NO_EJECTION, drill({ refuse: true }, scope)]);
    expect(await rig.tally(10)).toEqual({ by: { east: 10 }, byStatus: { 200: 10 } });
  }
  await rig.policies([ORDER, NO_EJECTION, drill({ refuse: true }, { zone: 'east/east-a' })]);
  await comesTo(rig, ({ servedBy }) => servedBy === 'west');
});

behaviour(
  'DI-003',
  'DrillRun.inject.fault.drop',
  'connections are taken and never answered: callers that wait for no longer than a try go elsewhere; lifted, it serves again',
  async (rig) => {
    await rig.policies([ORDER, NO_EJECTION, SOON_ELSEWHERE]);
    await comesTo(rig, ({ servedBy }) => servedBy === 'east');
    await leavingOthersAlone(rig, async () => {
      await rig.policies([ORDER, NO_EJECTION, SOON_ELSEWHERE, drill({ drop: true })]);
      await comesTo(rig, ({ servedBy, ms }) => servedBy === 'west' && ms > 250);
      await rig.policies([ORDER, NO_EJECTION, SOON_ELSEWHERE]);
      await comesTo(rig, ({ servedBy }) => servedBy === 'east');
    });
  },
);

behaviour(
  'DI-004',
  'DrillRun.inject.fault.error',
  'a share of requests is answered with the error, over the connections that are there, and the rest by the application',
  async (rig) => {
    await rig.policies([ORDER, NO_EJECTION, NO_RETRIES]);
    await comesTo(rig, ({ servedBy }) => servedBy === 'east');
    const before = await connections(rig, 'reviews');
    await rig.policies([ORDER, NO_EJECTION, NO_RETRIES, drill({ error: 503, percent: 50 })]);
    await until(
      async () => (await rig.call()).status === 503,
      () => 'nothing is answered with the error',
    );
    const { byStatus } = await rig.tally(300);
    expect(Object.keys(byStatus)).toEqual(['200', '503']);
    expect(Math.abs((byStatus[503] ?? 0) - 150)).toBeLessThan(60);
    await rig.policies([ORDER, NO_EJECTION, NO_RETRIES, drill({ error: 418 })]);
    await comesTo(rig, ({ status }) => status === 418);
    await rig.policies([ORDER, NO_EJECTION, NO_RETRIES]);
    await comesTo(rig, ({ status }) => status === 200);
    expect(await rig.tally(20)).toEqual({ by: { east: 20 }, byStatus: { 200: 20 } });
    expect(await connections(rig, 'reviews')).toEqual(before);
  },
);

behaviour('DI-005', 'DrillRun.inject.fault.delay', 'requests wait, and are answered by the application', async (rig) => {
  await rig.policies([ORDER, NO_EJECTION, drill({ delay: '400ms' })]);
  await comesTo(rig, ({ servedBy, ms }) => servedBy === 'east' && ms > 390);
});

async function lasting(rig: Rig, service: string): Promise<Lasting> {
  let opened: Lasting | undefined;
  await until(
    async () => {
      const at = await rig.listener(`outbound_tcp|5000|${service}.bookinfo.svc.clusterset.local`);
      opened = at === undefined ? undefined : await openTcp(at).catch(() => undefined);
      return opened !== undefined;
    },
    () => `${service} takes no connection of TCP`,
  );
  if (opened === undefined) throw new Error('nothing was opened');
  return opened;
}

behaviour(
  'DI-006',
  'DrillRun.inject of a TCP service',
  'new connections go elsewhere, what was open ends, that of others lasts',
  async (rig) => {
    await rig.policies([ORDER, NO_EJECTION]);
    const [here, other] = [await lasting(rig, 'reviews'), await lasting(rig, 'ratings')];
    expect([here.servedBy, other.servedBy]).toEqual(['east', 'east']);
    let isOtherOver = false;
    void other.ended.then(() => {
      isOtherOver = true;
    });
    await rig.policies([ORDER, NO_EJECTION, drill({ refuse: true })]);
    await here.ended;
    const at = await rig.listener('outbound_tcp|5000|reviews.bookinfo.svc.clusterset.local');
    if (at === undefined) throw new Error('no listener');
    const answers = await Promise.all(Array.from({ length: 10 }, () => callTcp(at, 'hello')));
    // An Envoy tries a connection once: it is refused, or taken elsewhere when the refusing one was left alone.
    expect(answers.flat().filter((name) => name === 'east')).toEqual([]);
    expect(isOtherOver).toBe(false);
    other.close();
    await rig.policies([ORDER]);
  },
);
