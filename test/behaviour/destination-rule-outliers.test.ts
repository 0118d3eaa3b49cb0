/** DestinationRule: endpoints that fail are left alone for a while. */
import { createServer, type Server } from 'node:net';
import { afterAll, expect } from 'vitest';
import { until } from '../datapath/kit/until.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { policy, type Rig } from './kit/rig.ts';
import { ejected } from './kit/upstreams.ts';

const behaviour = behavioursOf({ net: 43 });
const V1 = '127.81.43.21';
const CUT = '127.81.43.31';
const CUT_UPSTREAM = 'outbound|80||cut.bookinfo.svc.clusterset.local';

const servers: Server[] = [];
afterAll(() => servers.forEach((server) => void server.close()));

/** Replaces the rule; what was ejected before is forgotten with the upstream, for each has another connect timeout. */
async function detect(rig: Rig, outlierDetection: unknown, host = 'reviews'): Promise<void> {
  rules += 1;
  const connectionPool = { tcp: { connectTimeout: `${2_000 + rules}ms` } };
  await rig.policies([
    policy('DestinationRule', { host, trafficPolicy: { outlierDetection, connectionPool, loadBalancer: { simple: 'ROUND_ROBIN' } } }),
  ]);
}
let rules = 0;

/** Sends POSTs, which are not repeated, until `only` answered this often with this status. */
async function fail(rig: Rig, times: number, status: number, only = 'reviews-v1'): Promise<void> {
  for (let seen = 0, sent = 0; seen < times && sent < 60; sent += 1) {
    const answer = await rig.call({ method: 'POST', body: 'x', reply: { only, status } });
    if (answer.status === status) seen += 1;
  }
}

async function answersOf(rig: Rig, name: string, count = 30): Promise<number> {
  return (await rig.tally(count)).by[name] ?? 0;
}

/** A service whose only endpoint takes connections and cuts them at once. */
async function cutting(rig: Rig): Promise<void> {
  if (servers.length > 0) return;
  const server = createServer((socket) => void socket.destroy());
  servers.push(server);
  await new Promise<void>((resolve) => void server.listen(15_006, CUT, resolve));
  rig.mesh.service('bookinfo/cut', 'east', { endpoints: [{ address: CUT }] });
}

async function callCut(rig: Rig, times: number): Promise<void> {
  for (let index = 0; index < times; index += 1) await rig.call({ host: 'cut.bookinfo.svc.clusterset.local', method: 'POST', body: 'x' });
}

behaviour(
  'DR-040',
  'trafficPolicy.outlierDetection.consecutive5xxErrors',
  'so many 5xx in a row, a plain 500 too, eject an endpoint',
  async (rig) => {
    await detect(rig, { consecutive5xxErrors: 2 });
    await fail(rig, 2, 500);
    expect(await ejected(rig)).toEqual([V1]);
    expect(await answersOf(rig, 'reviews-v1')).toBe(0);
  },
);

behaviour('DR-041', 'trafficPolicy.outlierDetection', 'a rule that does not name them ejects nobody for a 500', async (rig) => {
  await detect(rig, { interval: '1s' });
  await fail(rig, 8, 500);
  expect(await ejected(rig)).toEqual([]);
});

behaviour(
  'DR-042',
  'trafficPolicy.outlierDetection.consecutiveGatewayErrors',
  'so many of 502, 503 and 504 in a row eject; others do not',
  async (rig) => {
    await detect(rig, { consecutiveGatewayErrors: 1 });
    await fail(rig, 1, 500);
    expect(await ejected(rig)).toEqual([]);
    await fail(rig, 1, 502);
    expect(await ejected(rig)).toEqual([V1]);
  },
);

behaviour('DR-043', 'trafficPolicy.outlierDetection.consecutiveGatewayErrors', '0 switches it off, which is else 3', async (rig) => {
  await detect(rig, { consecutiveGatewayErrors: 0 });
  await fail(rig, 8, 502);
  expect(await ejected(rig)).toEqual([]);
  await detect(rig, { interval: '1s' });
  await fail(rig, 3, 502);
  expect(await ejected(rig)).toEqual([V1]);
});

behaviour(
  'DR-044',
  'trafficPolicy.outlierDetection.consecutiveLocalOriginFailures',
  'so many failed connections in a row eject',
  async (rig) => {
    await cutting(rig);
    await detect(rig, { consecutiveLocalOriginFailures: 0, consecutiveGatewayErrors: 0 }, 'cut');
    await callCut(rig, 3);
    expect(await ejected(rig, CUT_UPSTREAM)).toEqual([]);
    await detect(rig, { consecutiveLocalOriginFailures: 1, consecutiveGatewayErrors: 0 }, 'cut');
    await callCut(rig, 1);
    expect(await ejected(rig, CUT_UPSTREAM)).toEqual([CUT]);
  },
);

behaviour(
  'DR-045',
  'trafficPolicy.outlierDetection.splitExternalLocalOriginErrors',
  'not split, failed connections count as 5xx',
  async (rig) => {
    await cutting(rig);
    await detect(rig, { splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 0, consecutive5xxErrors: 1 }, 'cut');
    await callCut(rig, 3);
    expect(await ejected(rig, CUT_UPSTREAM)).toEqual([]);
    await detect(rig, { splitExternalLocalOriginErrors: false, consecutive5xxErrors: 1 }, 'cut');
    await callCut(rig, 1);
    expect(await ejected(rig, CUT_UPSTREAM)).toEqual([CUT]);
  },
);

behaviour(
  'DR-046',
  'trafficPolicy.outlierDetection.baseEjectionTime',
  'an ejected endpoint is back after that time, which is else 15 s',
  async (rig) => {
    await detect(rig, { consecutiveGatewayErrors: 1, interval: '50ms', baseEjectionTime: '300ms' });
    const began = performance.now();
    await fail(rig, 1, 502);
    await until(
      async () => (await ejected(rig)).length === 0 && (await answersOf(rig, 'reviews-v1', 3)) === 1,
      () => 'it does not come back',
    );
    expect(performance.now() - began).toBeLessThan(12_000);
  },
);

behaviour(
  'DR-047',
  'trafficPolicy.outlierDetection.interval',
  'how often it is looked whether the time of an ejection is over',
  async (rig) => {
    await detect(rig, { consecutiveGatewayErrors: 1, interval: '1h', baseEjectionTime: '50ms' });
    await fail(rig, 1, 502);
    const began = performance.now();
    await until(
      () => performance.now() - began > 1_500,
      () => 'time stands still',
    );
    expect(await ejected(rig)).toEqual([V1]);
  },
);

behaviour('DR-048', 'trafficPolicy.outlierDetection.maxEjectionPercent', 'no more than that share is ejected', async (rig) => {
  await detect(rig, { consecutiveGatewayErrors: 1, maxEjectionPercent: 40 });
  await fail(rig, 1, 502, 'reviews-v1');
  await fail(rig, 1, 502, 'reviews-v2');
  expect(await ejected(rig)).toEqual([V1]);
  await detect(rig, { consecutiveGatewayErrors: 1 });
  await fail(rig, 1, 502, 'reviews-v1');
  await fail(rig, 1, 502, 'reviews-v2');
  expect(await ejected(rig)).toHaveLength(2);
});

behaviour(
  'DR-049',
  'trafficPolicy.outlierDetection.minHealthPercent',
  'with fewer healthy endpoints than that, all of them are used',
  async (rig) => {
    await rig.health({ 'reviews-v1': 'UNHEALTHY', 'reviews-v2': 'UNHEALTHY' });
    await detect(rig, { minHealthPercent: 50 });
    expect(await answersOf(rig, 'reviews-v1')).toBeGreaterThan(0);
    await detect(rig, { minHealthPercent: 30 });
    expect(await answersOf(rig, 'reviews-v1')).toBe(0);
    await rig.health({});
  },
);
