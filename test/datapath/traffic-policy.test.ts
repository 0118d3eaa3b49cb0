/** Policy on real Envoys, by counts: regions in order, spill-over, region weights, version weights, rules. */
import type { EndpointHealth } from '@hawser/model/endpoint-shard.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { TestEnvoy } from '../kit/envoy.ts';
import { type App, startApp } from './kit/app.ts';
import { burst, call } from './kit/load.ts';
import { Mesh } from './kit/mesh.ts';
import { until } from './kit/until.ts';

const CLIENT = '127.78.7.11';
const REGIONS = { 'us-east': 7, 'us-west': 8, 'eu-west': 9 } as const;
type Region = keyof typeof REGIONS;
const HOST = 'reviews.bookinfo.svc.clusterset.local';
const to = { via: CLIENT, host: HOST };

let mesh: Mesh;
let client: TestEnvoy;
const apps: App[] = [];

/** Two instances in a region: v1 and v2. */
function addressesOf(region: Region): [string, string] {
  return [`127.78.${REGIONS[region]}.21`, `127.78.${REGIONS[region]}.22`];
}

function reviews(region: Region, health: [EndpointHealth, EndpointHealth]): void {
  const endpoints = addressesOf(region).map((address, index) => ({
    address,
    health: health[index] ?? 'HEALTHY',
    labels: { version: `v${index + 1}` },
  }));
  mesh.service('bookinfo/reviews', region, { endpoints });
}

function policy(kind: string, spec: unknown): void {
  const group = kind.endsWith('Policy') || kind.endsWith('Shift') ? 'hawser.dev/v1alpha1' : 'networking.istio.io/v1';
  mesh.policy({ apiVersion: group, kind, metadata: { namespace: 'bookinfo', name: 'reviews' }, spec } as Resource);
}

function subsets(): void {
  policy('DestinationRule', {
    host: 'reviews',
    subsets: [
      { name: 'v1', labels: { version: 'v1' } },
      { name: 'v2', labels: { version: 'v2' } },
    ],
  });
}

/** Requests per region, and per version, once the client's Envoy has everything that was pushed. */
async function counts(count: number): Promise<{ region: Record<string, number>; version: Record<string, number>; failed: number }> {
  await settled();
  const tally = await burst(to, count);
  const region: Record<string, number> = {};
  const version: Record<string, number> = {};
  for (const [name, answers] of tally.by) {
    const [where = '', what = ''] = name.split('/');
    region[where] = (region[where] ?? 0) + answers;
    version[what] = (version[what] ?? 0) + answers;
  }
  return { region, version, failed: tally.failed };
}

/** Waits until the client's Envoy has taken everything, and its workers too. */
async function settled(): Promise<void> {
  await until(
    () => mesh.synced('us-east'),
    () => `the client is behind: ${mesh.nacks.join()}`,
  );
}

beforeAll(async () => {
  mesh = await Mesh.start(Object.entries(REGIONS).map(([name, net]) => ({ name, gateways: [`127.78.${net}.1:15443`] })));
  mesh.service('bookinfo/productpage', 'us-east', { endpoints: [{ address: CLIENT }] });
  const regions = Object.keys(REGIONS) as Region[];
  for (const region of regions) {
    reviews(region, ['HEALTHY', 'HEALTHY']);
    for (const [index, address] of addressesOf(region).entries()) apps.push(await startApp(`${region}/v${index + 1}`, address));
  }
  const starts = regions.flatMap((region) => [
    ...addressesOf(region).map((address) => mesh.sidecar(region, address, 'bookinfo/reviews')),
    mesh.gateway(region, `127.78.${REGIONS[region]}.1`),
  ]);
  await Promise.all(starts);
  client = await mesh.sidecar('us-east', CLIENT, 'bookinfo/productpage');
  await until(
    async () => (await call(to)).status === 200 && !(await client.admin('/clusters')).includes('failed_active_hc'),
    () => `no answer yet: ${client.log()} ${mesh.nacks.join()}`,
  );
});

afterEach(() => {
  mesh.clearPolicies();
  for (const region of Object.keys(REGIONS) as Region[]) reviews(region, ['HEALTHY', 'HEALTHY']);
  expect(mesh.nacks).toEqual([]);
});

afterAll(async () => {
  await mesh?.stop();
  await Promise.all(apps.map((app) => app.crash()));
});

describe('FailoverPolicy', () => {
  test('keeps requests at home, then goes by the order', async () => {
    policy('FailoverPolicy', { order: ['eu-west', 'us-west'], spillover: 'strict' });
    expect((await counts(300)).region).toEqual({ 'us-east': 300 });
    reviews('us-east', ['UNHEALTHY', 'UNHEALTHY']);
    expect((await counts(300)).region).toEqual({ 'eu-west': 300 });
    reviews('eu-west', ['UNHEALTHY', 'UNHEALTHY']);
    expect((await counts(300)).region).toEqual({ 'us-west': 300 });
    reviews('us-east', ['HEALTHY', 'HEALTHY']);
    expect((await counts(300)).region).toEqual({ 'us-east': 300 });
  });

  test('spills over gradually with the healthy share × 1.4, strictly only when nothing is left', async () => {
    reviews('us-east', ['HEALTHY', 'UNHEALTHY']);
    policy('FailoverPolicy', { order: ['us-west', 'eu-west'], spillover: 'gradual' });
    const gradual = await counts(2_000);
    expect((gradual.region['us-east'] ?? 0) / 2_000).toBeCloseTo(0.7, 1);
    expect((gradual.region['us-west'] ?? 0) / 2_000).toBeCloseTo(0.3, 1);
    policy('FailoverPolicy', { order: ['us-west', 'eu-west'], spillover: 'strict' });
    expect((await counts(300)).region).toEqual({ 'us-east': 300 });
  });
});

describe('TrafficShift', () => {
  test('splits between regions, and its regions stand in for each other', async () => {
    policy('TrafficShift', { services: ['reviews'], regions: { 'us-east': 50, 'us-west': 50 } });
    const even = await counts(2_000);
    policy('TrafficShift', { services: ['reviews'], regions: { 'us-east': 90, 'eu-west': 10 } });
    const uneven = await counts(2_000);
    expect(even.failed + uneven.failed).toBe(0);
    expect(Math.abs((even.region['us-west'] ?? 0) / 2_000 - 0.5)).toBeLessThan(0.015);
    expect(even.region['eu-west']).toBeUndefined();
    expect(Math.abs((uneven.region['eu-west'] ?? 0) / 2_000 - 0.1)).toBeLessThan(0.015);
    reviews('us-east', ['DRAINING', 'DRAINING']);
    expect((await counts(300)).region).toEqual({ 'eu-west': 300 });
  });
});

describe('VirtualService', () => {
  const destination = (subset?: string): unknown => ({ host: 'reviews', ...(subset === undefined ? {} : { subset }) });

  test('splits between versions', async () => {
    subsets();
    const route = [
      { destination: destination('v1'), weight: 90 },
      { destination: destination('v2'), weight: 10 },
    ];
    policy('VirtualService', { hosts: ['reviews.bookinfo.svc.cluster.local'], http: [{ route }] });
    const split = await counts(4_000);
    expect(split.failed).toBe(0);
    // 4 standard deviations of a random choice among 4,000.
    expect(Math.abs((split.version['v2'] ?? 0) / 4_000 - 0.1)).toBeLessThan(0.019);
    expect(split.region).toEqual({ 'us-east': 4_000 });
  });

  test('answers 503 for a subset that nobody defined, and serves every other rule', async () => {
    subsets();
    const http = [
      { match: [{ headers: { 'x-version': { exact: 'v9' } } }], route: [{ destination: destination('v9') }] },
      { match: [{ headers: { 'x-version': { regex: '(?=broken' } } }], route: [{ destination: destination('v1') }] },
      { match: [{ uri: { prefix: '/two' } }], route: [{ destination: destination('v2') }] },
      { route: [{ destination: destination('v1') }] },
    ];
    policy('VirtualService', { hosts: ['reviews'], http });
    await settled();
    const missing = await call({ ...to, headers: { 'x-version': 'v9' } });
    expect(missing).toMatchObject({ status: 503, body: `hawser: no DestinationRule of ${HOST} has a subset v9\n` });
    expect((await call({ ...to, path: '/two/three' })).servedBy).toBe('us-east/v2');
    expect((await call(to)).servedBy).toBe('us-east/v1');
    expect((await call({ via: CLIENT, host: 'reviews.bookinfo.svc.cluster.local' })).servedBy).toBe('us-east/v1');
  });

  test('ends what takes longer than its timeout', async () => {
    const [slow] = apps;
    policy('VirtualService', {
      hosts: ['reviews'],
      http: [{ timeout: '200ms', retries: { attempts: 0 }, route: [{ destination: destination() }] }],
    });
    reviews('us-east', ['HEALTHY', 'UNHEALTHY']);
    policy('FailoverPolicy', { order: ['us-west'], spillover: 'strict' });
    await settled();
    if (slow === undefined) throw new Error('no application');
    const { answer } = slow;
    slow.answer = (request, response) => void setTimeout(() => answer(request, response), 2_000);
    expect((await call(to)).status).toBe(504);
    slow.answer = answer;
    expect((await call(to)).status).toBe(200);
  });
});
