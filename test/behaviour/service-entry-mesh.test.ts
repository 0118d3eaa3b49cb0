/** ServiceEntry and WorkloadEntry: servers of the mesh that no service of a cluster has. Two clusters, with a tunnel between them. */
import { expect } from 'vitest';
import { behavioursOf } from './kit/behaviour.ts';
import { callTcp } from './kit/clients.ts';
import { entry } from './kit/external.ts';
import { eastern } from './kit/layout.ts';
import { policy, type Rig } from './kit/rig.ts';

const NET = 62;
const western = { name: 'reviews-west', service: 'bookinfo/reviews', cluster: 'west', labels: { app: 'reviews', version: 'west' }, at: 21 };
const workloads = [eastern('reviews', 'v1', 21), eastern('reviews', 'v2', 22), eastern('ratings', 'v1', 24), western];
const behaviour = behavioursOf({ net: NET, clusters: ['east', 'west'], workloads });

const HOST = 'api.example.com';
const V1 = { address: `127.81.${NET}.21`, serviceAccount: 'reviews' };
const V2 = { address: `127.81.${NET}.22`, serviceAccount: 'reviews' };
const WEST = { address: `127.81.${NET + 1}.21`, serviceAccount: 'reviews', network: 'west' };

/** An entry of the mesh. */
function inMesh(spec: Readonly<Record<string, unknown>>, name?: string): ReturnType<typeof entry> {
  return entry({ location: 'MESH_INTERNAL', ...spec }, name);
}

function workloadEntry(name: string, spec: unknown, labels?: Record<string, string>): ReturnType<typeof policy> {
  return policy('WorkloadEntry', spec, { name, ...(labels === undefined ? {} : { labels }) });
}

/** The value of a counter whose name begins with that of an upstream cluster. */
async function counter(rig: Rig, name: string): Promise<number> {
  const text = await rig.client().admin(`/stats?filter=${encodeURIComponent(name.replaceAll('|', '\\|'))}`);
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name}:`))
      ?.split(': ')[1] ?? 0,
  );
}

behaviour('SE-040', 'location: MESH_INTERNAL', 'servers are called by mTLS at their sidecars', async (rig) => {
  await rig.policies([inMesh({ endpoints: [V1] })]);
  expect((await rig.call({ host: HOST })).servedBy).toBe('reviews-v1');
  expect(await counter(rig, `cluster.outbound|80||${HOST}.ssl.handshake`)).toBeGreaterThan(0);
});

behaviour('SE-041', 'endpoints.serviceAccount', 'a server that does not prove to be this account is not called', async (rig) => {
  // A host of its own: connections that are open already stay.
  await rig.policies([inMesh({ hosts: ['other.example.com'], endpoints: [{ ...V1, serviceAccount: 'another' }] })]);
  expect((await rig.call({ host: 'other.example.com' })).status).toBe(503);
});

behaviour('SE-042', 'subjectAltNames', 'servers may prove to be one of these as well', async (rig) => {
  const subjectAltNames = ['spiffe://east.hawser/ns/bookinfo/sa/reviews'];
  await rig.policies([inMesh({ hosts: ['san.example.com'], endpoints: [{ ...V1, serviceAccount: 'another' }], subjectAltNames })]);
  expect((await rig.call({ host: 'san.example.com' })).servedBy).toBe('reviews-v1');
});

behaviour('SE-043', 'subjectAltNames', 'Istio’s cluster.local stands for the trust domain of the server', async (rig) => {
  const subjectAltNames = ['spiffe://cluster.local/ns/bookinfo/sa/reviews'];
  await rig.policies([inMesh({ hosts: ['istio.example.com'], endpoints: [{ ...V1, serviceAccount: 'another' }], subjectAltNames })]);
  expect((await rig.call({ host: 'istio.example.com' })).servedBy).toBe('reviews-v1');
});

behaviour('SE-044', 'endpoints.network', 'a server of another network is reached through the gateway of its cluster', async (rig) => {
  await rig.policies([inMesh({ endpoints: [WEST] })]);
  expect((await rig.call({ host: HOST })).servedBy).toBe('reviews-west');
  expect(await counter(rig, 'cluster.tunnel|west.upstream_cx_total')).toBeGreaterThan(0);
});

behaviour('SE-045', 'endpoints.network', 'the own network comes first, the other stands in', async (rig) => {
  await rig.policies([inMesh({ endpoints: [{ ...V1, network: 'east' }, WEST] })]);
  expect((await rig.tally(20, { host: HOST })).by).toEqual({ 'reviews-v1': 20 });
  await rig.policies([inMesh({ endpoints: [{ ...V1, address: `127.81.${NET}.99`, network: 'east' }, WEST] })]);
  expect((await rig.tally(20, { host: HOST })).by).toEqual({ 'reviews-west': 20 });
});

behaviour('SE-046', 'endpoints.labels', 'the label security.istio.io/tlsMode: disabled says that a server has no sidecar', async (rig) => {
  await rig.policies([inMesh({ endpoints: [{ ...V1, labels: { 'security.istio.io/tlsMode': 'disabled' } }, V2] })]);
  const { by, byStatus } = await rig.tally(40, { host: HOST });
  expect(byStatus).toEqual({ 200: 40 });
  expect(Object.keys(by).sort()).toEqual(['reviews-v1', 'reviews-v2']);
});

behaviour('SE-047', 'ports.protocol', 'TCP within the mesh goes by mTLS too', async (rig) => {
  const ports = [{ number: 7000, name: 'tcp', protocol: 'TCP', targetPort: 9081 }];
  await rig.policies([inMesh({ ports, endpoints: [V2] })]);
  const to = (await rig.listener(`outbound_tcp|7000|${HOST}`)) ?? { address: '', port: 0 };
  expect(await callTcp(to, 'hello')).toEqual(['reviews-v2', 'hello']);
});

const SELECTING = inMesh({ workloadSelector: { labels: { team: 'details' } } });

behaviour('SE-048', 'workloadSelector', 'WorkloadEntries of the namespace with these labels serve, others do not', async (rig) => {
  await rig.policies([
    SELECTING,
    workloadEntry('one', { ...V1, labels: { team: 'details' } }),
    workloadEntry('two', { ...V2, labels: { team: 'others' } }),
  ]);
  expect((await rig.tally(20, { host: HOST })).by).toEqual({ 'reviews-v1': 20 });
});

behaviour('SE-049', 'workloadSelector', 'workloads of the own registry serve as well', async (rig) => {
  await rig.policies([
    inMesh({ workloadSelector: { labels: { version: 'v1', app: 'reviews' } } }, 'selecting'),
    workloadEntry('two', { ...V2, labels: { version: 'v1', app: 'reviews' } }),
  ]);
  const { by } = await rig.tally(40, { host: HOST });
  expect(Object.keys(by).sort()).toEqual(['reviews-v1', 'reviews-v2']);
});

behaviour('SE-050', 'WorkloadEntry.labels', 'labels of the metadata count beside those of the spec', async (rig) => {
  await rig.policies([SELECTING, workloadEntry('one', V2, { team: 'details' })]);
  expect((await rig.call({ host: HOST })).servedBy).toBe('reviews-v2');
});

behaviour('SE-051', 'WorkloadEntry.weight', 'workloads get requests by their weights', async (rig) => {
  const labels = { team: 'details' };
  await rig.policies([SELECTING, workloadEntry('one', { ...V1, labels, weight: 9 }), workloadEntry('two', { ...V2, labels, weight: 1 })]);
  const { by } = await rig.tally(200, { host: HOST });
  expect(by['reviews-v1'] ?? 0).toBeGreaterThan(130);
  expect(by['reviews-v2'] ?? 0).toBeGreaterThan(0);
});

behaviour('SE-052', 'WorkloadEntry.ports', 'a workload serves a port of the entry at the port of that name', async (rig) => {
  const ports = [{ number: 80, name: 'web', protocol: 'HTTP', targetPort: 9 }];
  await rig.policies([
    inMesh({ ports, workloadSelector: { labels: { team: 'details' } } }),
    workloadEntry('one', { ...V1, labels: { team: 'details' }, ports: { web: 9080 } }),
  ]);
  expect((await rig.call({ host: HOST })).servedBy).toBe('reviews-v1');
});

behaviour('SE-053', 'WorkloadEntry.network', 'a workload of another network is reached through its gateway', async (rig) => {
  await rig.policies([SELECTING, workloadEntry('one', { ...WEST, labels: { team: 'details' } })]);
  expect((await rig.call({ host: HOST })).servedBy).toBe('reviews-west');
});

behaviour('SE-054', 'WorkloadEntry.locality', 'the nearest workloads come first', async (rig) => {
  const labels = { team: 'details' };
  await rig.policies([
    SELECTING,
    workloadEntry('one', { ...V1, labels, locality: 'far/away' }),
    workloadEntry('two', { ...V2, labels, locality: 'east/east-a' }),
  ]);
  expect((await rig.tally(20, { host: HOST })).by).toEqual({ 'reviews-v2': 20 });
});

behaviour(
  'SE-055',
  'subjectAltNames',
  'an entry whose host is a service of clusters adds names of its servers, and nothing else',
  async (rig) => {
    const hosts = ['ratings.bookinfo.svc.cluster.local'];
    await rig.policies([inMesh({ hosts, endpoints: [V1], subjectAltNames: ['spiffe://east.hawser/ns/bookinfo/sa/more'] })]);
    expect((await rig.call({ host: 'ratings.bookinfo' })).servedBy).toBe('ratings-v1');
    const dump = await rig.client().admin('/config_dump?resource=dynamic_active_secrets');
    expect(dump).toContain('spiffe://east.hawser/ns/bookinfo/sa/more');
  },
);
