/** DestinationRule: which rule, and which part of it, holds for a request. A policy that hashes is told by who stays with one endpoint. */
import { expect } from 'vitest';
import { behavioursOf } from './kit/behaviour.ts';
import { policy, type Rig } from './kit/rig.ts';

const behaviour = behavioursOf({ net: 44 });

const STICKY = { loadBalancer: { consistentHash: { httpHeaderName: 'x-user' } } };
const SPREAD = { loadBalancer: { simple: 'ROUND_ROBIN' } };
const ADMIN = 'reviews.bookinfo.svc.clusterset.local:8080';
const ANY = { name: 'any', labels: { app: 'reviews' } };

/** Whether requests with one header all go to one endpoint. */
async function sticks(rig: Rig, host?: string): Promise<boolean> {
  const options = { headers: { 'x-user': 'jason' }, ...(host === undefined ? {} : { host }) };
  return Object.keys((await rig.tally(12, options)).by).length === 1;
}

function rule(spec: unknown, metadata: Parameters<typeof policy>[2] = {}): ReturnType<typeof policy> {
  return policy('DestinationRule', spec, metadata);
}

function toSubset(subset: string): ReturnType<typeof policy> {
  return policy('VirtualService', { hosts: ['reviews'], http: [{ route: [{ destination: { host: 'reviews', subset } }] }] });
}

behaviour('DR-061', 'subsets.labels', 'a subset is the endpoints that have all its labels', async (rig) => {
  await rig.policies([rule({ host: 'reviews', subsets: [{ name: 'two', labels: { app: 'reviews', version: 'v2' } }] }), toSubset('two')]);
  expect((await rig.tally(20)).by).toEqual({ 'reviews-v2': 20 });
});

behaviour('DR-062', 'subsets.trafficPolicy', 'a subset without a policy has the service’s', async (rig) => {
  await rig.policies([rule({ host: 'reviews', trafficPolicy: STICKY, subsets: [ANY] }), toSubset('any')]);
  expect(await sticks(rig)).toBe(true);
});

behaviour('DR-063', 'subsets.trafficPolicy.loadBalancer', 'a block of the subset replaces that of the service', async (rig) => {
  await rig.policies([rule({ host: 'reviews', trafficPolicy: STICKY, subsets: [{ ...ANY, trafficPolicy: SPREAD }] }), toSubset('any')]);
  expect(await sticks(rig)).toBe(false);
});

behaviour('DR-064', 'subsets.trafficPolicy.outlierDetection', 'a block of the subset leaves the others of the service', async (rig) => {
  const own = { outlierDetection: { interval: '2s' } };
  await rig.policies([rule({ host: 'reviews', trafficPolicy: STICKY, subsets: [{ ...ANY, trafficPolicy: own }] }), toSubset('any')]);
  expect(await sticks(rig)).toBe(true);
});

behaviour('DR-065', 'trafficPolicy.portLevelSettings.loadBalancer', 'a port has its own, other ports the service’s', async (rig) => {
  const portLevelSettings = [{ port: { number: 8080 }, ...STICKY }];
  await rig.policies([rule({ host: 'reviews', trafficPolicy: { ...SPREAD, portLevelSettings } })]);
  expect([await sticks(rig), await sticks(rig, ADMIN)]).toEqual([false, true]);
});

behaviour('DR-066', 'trafficPolicy.portLevelSettings', 'a port with settings inherits nothing of the service', async (rig) => {
  const portLevelSettings = [{ port: { number: 8080 }, outlierDetection: { interval: '2s' } }];
  await rig.policies([rule({ host: 'reviews', trafficPolicy: { ...STICKY, portLevelSettings } })]);
  expect([await sticks(rig), await sticks(rig, ADMIN)]).toEqual([true, false]);
});

behaviour('DR-067', 'subsets.trafficPolicy.portLevelSettings', 'a port of a subset goes before everything else', async (rig) => {
  const own = { ...SPREAD, portLevelSettings: [{ port: { number: 8080 }, ...STICKY }] };
  await rig.policies([rule({ host: 'reviews', subsets: [{ ...ANY, trafficPolicy: own }] }), toSubset('any')]);
  expect([await sticks(rig), await sticks(rig, ADMIN)]).toEqual([false, true]);
});

behaviour('DR-068', 'host', 'short and full names are the same service, called by any of them', async (rig) => {
  for (const host of ['reviews', 'reviews.bookinfo', 'reviews.bookinfo.svc.cluster.local', 'reviews.bookinfo.svc.clusterset.local']) {
    await rig.policies([rule({ host, trafficPolicy: STICKY })]);
    expect([await sticks(rig), await sticks(rig, 'reviews.bookinfo.svc.cluster.local')]).toEqual([true, true]);
  }
});

behaviour('DR-069', 'host', 'a wildcard is for every service whose name it matches', async (rig) => {
  await rig.policies([rule({ host: '*.bookinfo.svc.cluster.local', trafficPolicy: STICKY })]);
  expect(await sticks(rig)).toBe(true);
  await rig.policies([rule({ host: '*.shop.svc.cluster.local', trafficPolicy: STICKY })]);
  expect(await sticks(rig)).toBe(false);
});

behaviour('DR-070', 'host', 'the most exact host decides, whatever its age', async (rig) => {
  const wide = rule({ host: '*.local', trafficPolicy: STICKY }, { name: 'wide' });
  const wider = rule({ host: '*', trafficPolicy: STICKY }, { name: 'wider' });
  const closer = rule({ host: '*.bookinfo.svc.cluster.local', trafficPolicy: SPREAD }, { name: 'closer' });
  await rig.policies([wider, wide]);
  expect(await sticks(rig)).toBe(true);
  await rig.policies([wider, wide, closer]);
  expect(await sticks(rig)).toBe(false);
  await rig.policies([wider, wide, closer, rule({ host: 'reviews', trafficPolicy: STICKY }, { name: 'exact' })]);
  expect(await sticks(rig)).toBe(true);
});

behaviour('DR-071', 'trafficPolicy', 'of several rules for one host the oldest policy holds', async (rig) => {
  const [first, second] = [
    rule({ host: 'reviews', trafficPolicy: STICKY }, { name: 'z' }),
    rule({ host: 'reviews', trafficPolicy: SPREAD }, { name: 'a' }),
  ];
  await rig.policies([first, second]);
  expect(await sticks(rig)).toBe(true);
  await rig.policies([second, first]);
  expect(await sticks(rig)).toBe(false);
});

behaviour('DR-072', 'subsets', 'several rules for one host join their subsets; of two with one name the older holds', async (rig) => {
  const one = rule({ host: 'reviews', subsets: [{ name: 'one', labels: { version: 'v1' } }] }, { name: 'first' });
  const two = rule(
    {
      host: 'reviews',
      trafficPolicy: STICKY,
      subsets: [
        { name: 'one', labels: { version: 'v3' } },
        { name: 'two', labels: { version: 'v2' } },
      ],
    },
    { name: 'second' },
  );
  await rig.policies([one, two, toSubset('one')]);
  expect((await rig.tally(10)).by).toEqual({ 'reviews-v1': 10 });
  await rig.policies([one, two, toSubset('two')]);
  expect((await rig.tally(10)).by).toEqual({ 'reviews-v2': 10 });
});

behaviour('DR-073', 'host', 'the rule of the service’s namespace holds, else that of the root namespace', async (rig) => {
  const root = rule({ host: 'reviews.bookinfo.svc.cluster.local', trafficPolicy: STICKY }, { namespace: 'hawser-system', name: 'root' });
  await rig.policies([root]);
  expect(await sticks(rig)).toBe(true);
  await rig.policies([root, rule({ host: 'reviews', trafficPolicy: SPREAD })]);
  expect(await sticks(rig)).toBe(false);
});

behaviour(
  'DR-074',
  'trafficPolicy.tls.mode',
  'ISTIO_MUTUAL is what there is anyway: the server knows the caller’s identity',
  async (rig) => {
    await rig.policies([rule({ host: 'reviews', trafficPolicy: { tls: { mode: 'ISTIO_MUTUAL' } } })]);
    const { got } = await rig.call();
    expect(got?.headers['x-forwarded-client-cert']).toContain('URI=spiffe://east.hawser/ns/bookinfo/sa/productpage');
  },
);

behaviour('DR-075', 'trafficPolicy.tls.mode', 'for a service of the mesh DISABLE, SIMPLE and MUTUAL are refused', async (rig) => {
  for (const mode of ['DISABLE', 'SIMPLE', 'MUTUAL']) {
    await expect(rig.policies([rule({ host: 'reviews', trafficPolicy: { tls: { mode } } })])).rejects.toThrow(
      /cannot be switched off or replaced/,
    );
  }
  expect((await rig.call()).status).toBe(200);
});

behaviour('DR-076', 'trafficPolicy.outlierDetection.consecutiveErrors', 'what Istio removed is refused, with the way out', async (rig) => {
  const spec = { host: 'reviews', trafficPolicy: { outlierDetection: { consecutiveErrors: 5 } } };
  await expect(rig.policies([rule(spec)])).rejects.toThrow(/write consecutive5xxErrors/);
  expect((await rig.call()).status).toBe(200);
});
