/** What a sidecar without a Sidecar resource is sent of a large mesh: what policy and recent use call for, and the rest when it is called. */
import { expect } from 'vitest';
import { until } from '../datapath/kit/until.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { callHttp, type Reply } from './kit/clients.ts';
import { APP_PORTS } from './kit/echo-app.ts';
import type { Layout } from './kit/layout.ts';
import { policy, type Rig } from './kit/rig.ts';

const layout: Partial<Layout> = {
  clients: [
    { name: 'productpage', namespace: 'bookinfo', cluster: 'east', at: 11 },
    { name: 'buyer', namespace: 'shop', cluster: 'east', at: 12 },
  ],
};

/** One for each thing to be seen, so that none depends on what another has called; all are served by the application of reviews v1. */
const SERVICES = ['first', 'posted', 'crowd', 'tcp', 'named', 'led', 'copied', 'half', 'kept', 'shown', 'later', 'given', 'chosen'];
const behaviour = behavioursOf({ net: 108, sendsAllUpTo: 0, ...layout }, async (rig) => {
  for (const service of SERVICES) serve(rig, service);
  await rig.settled();
});

function serve(rig: Rig, service: string): void {
  const ports = [
    { name: 'http', port: 80, protocol: 'http' as const },
    { name: 'tcp', port: 7000, protocol: 'tcp' as const },
  ];
  const targetPorts = { '80': APP_PORTS.http, '7000': APP_PORTS.http };
  const endpoint = { address: '127.81.108.21', serviceAccount: 'reviews', labels: { version: 'v1' }, targetPorts };
  rig.mesh.service(`bookinfo/${service}`, 'east', { ports, endpoints: [endpoint] });
}

function hostOf(service: string): string {
  return `${service}.bookinfo.svc.clusterset.local`;
}

function upstreamOf(service: string, port = 80): string {
  return `outbound|${port}||${hostOf(service)}`;
}

/** Upstreams of services that an Envoy has, those of the rig's own probes left out. */
async function upstreamsOf(rig: Rig, client?: string): Promise<Set<string>> {
  const names = (await rig.client(client).admin('/clusters')).split('\n').map((line) => line.split('::')[0] ?? '');
  return new Set(names.filter((name) => name.startsWith('outbound|') && !name.includes('probe')));
}

async function has(rig: Rig, service: string, client?: string): Promise<boolean> {
  return (await upstreamsOf(rig, client)).has(upstreamOf(service));
}

function call(rig: Rig, service: string, options: Parameters<Rig['call']>[0] = {}): Promise<Reply> {
  return rig.call({ host: hostOf(service), ...options });
}

behaviour('SC-050', 'without a Sidecar', 'a sidecar that called nothing is sent no upstream that no policy names', async (rig) => {
  await rig.policies([]);
  expect([...(await upstreamsOf(rig))]).toEqual([]);
  expect([...(await upstreamsOf(rig, 'buyer'))]).toEqual([]);
});

behaviour('SC-051', 'without a Sidecar', 'the first call of a service is answered by it, and its upstream stays', async (rig) => {
  const request = { proxy: 'sidecar-127.81.108.11', url: `http://${hostOf('first')}/`, method: 'GET', headers: {} };
  const effects = (): unknown => rig.mesh.explain('east', request).taken[0]?.upstreams[0]?.effects;
  expect(effects()).toContain('waits until the proxy has fetched this upstream, which it did not use before');
  const first = await call(rig, 'first');
  expect([first.status, first.servedBy]).toEqual([200, 'reviews-v1']);
  expect([...(await upstreamsOf(rig))]).toEqual([upstreamOf('first')]);
  expect(JSON.stringify(effects())).not.toContain('waits until');
  expect([...(await upstreamsOf(rig, 'buyer'))]).toEqual([]);
});

behaviour('SC-052', 'without a Sidecar', 'a first call with a large body, and over HTTP/2, loses nothing', async (rig) => {
  const body = 'x'.repeat(3_000_000);
  const posted = await call(rig, 'posted', { method: 'POST', body });
  expect([posted.status, posted.got?.body.length]).toEqual([200, body.length]);
  const other = await call(rig, 'posted', { from: 'buyer', http2: true, method: 'POST', body: 'short' });
  expect([other.status, other.got?.method]).toEqual([200, 'POST']);
});

behaviour('SC-053', 'without a Sidecar', 'many first calls at once wait for one upstream, and none fails', async (rig) => {
  const calls = await rig.tally(60, { host: hostOf('crowd') });
  expect(calls.byStatus).toEqual({ 200: 60 });
});

behaviour('SC-054', 'without a Sidecar', 'the first connection to a TCP port waits for its upstream', async (rig) => {
  const at = await rig.listener(`outbound_tcp|7000|${hostOf('tcp')}`);
  if (at === undefined) throw new Error('no listener for the TCP port');
  expect((await upstreamsOf(rig)).has(upstreamOf('tcp', 7000))).toBe(false);
  expect((await callHttp(at, {})).servedBy).toBe('reviews-v1');
  expect((await upstreamsOf(rig)).has(upstreamOf('tcp', 7000))).toBe(true);
});

behaviour('SC-055', 'without a Sidecar', "what a namespace's policies name is sent to its sidecars before it is called", async (rig) => {
  const http = [{ route: [{ destination: { host: hostOf('led') } }] }];
  await rig.policies([
    policy('DestinationRule', { host: 'named', trafficPolicy: { loadBalancer: { simple: 'RANDOM' } } }),
    policy('VirtualService', { hosts: ['named'], http }),
  ]);
  await until(
    async () => (await has(rig, 'named')) && (await has(rig, 'led')),
    () => 'what the policies name is not there',
  );
  expect((await call(rig, 'named')).servedBy).toBe('reviews-v1');
  // Another namespace did not say that it would call them.
  expect([await has(rig, 'named', 'buyer'), await has(rig, 'led', 'buyer')]).toEqual([false, false]);
  expect((await call(rig, 'named', { from: 'buyer' })).status).toBe(200);
});

behaviour('SC-056', 'without a Sidecar', 'a service that is only sent copies of requests gets the first one as well', async (rig) => {
  const http = [{ route: [{ destination: { host: hostOf('half') } }], mirror: { host: hostOf('copied') } }];
  await rig.policies([policy('VirtualService', { hosts: ['half'], http })]);
  expect(await has(rig, 'copied', 'buyer')).toBe(true);
  expect(await has(rig, 'half', 'buyer')).toBe(false);
  expect((await call(rig, 'half', { from: 'buyer' })).status).toBe(200);
});

behaviour('SC-057', 'without a Sidecar', 'a split between services that nobody called before fails no request', async (rig) => {
  const part = (service: string): object => ({ destination: { host: hostOf(service) }, weight: 50 });
  await rig.policies([policy('VirtualService', { hosts: ['split.example.com'], http: [{ route: [part('shown'), part('later')] }] })]);
  const calls = await rig.tally(40, { host: 'split.example.com', from: 'buyer' });
  expect(calls.byStatus).toEqual({ 200: 40 });
  expect([await has(rig, 'shown', 'buyer'), await has(rig, 'later', 'buyer')]).toEqual([true, true]);
});

behaviour('SC-058', 'without a Sidecar', 'a sidecar that starts anew is sent at once what its namespace used', async (rig) => {
  await rig.policies([]);
  expect((await call(rig, 'kept')).status).toBe(200);
  const anew = await rig.mesh.sidecar('east', '127.81.108.13', 'bookinfo/productpage');
  await anew.untilStat('listener_manager.total_listeners_active', (listeners) => listeners > 0);
  const names = (await anew.admin('/clusters')).split('\n').map((line) => line.split('::')[0]);
  expect(names).toContain(upstreamOf('kept'));
  expect(names).not.toContain(upstreamOf('given'));
});

behaviour('SC-059', 'without a Sidecar', 'while the agent is away what was used goes on, and the rest waits for it', async (rig) => {
  await rig.policies([]);
  expect((await call(rig, 'kept')).status).toBe(200);
  const removed = await rig.client().stat('cluster_manager.cluster_removed');
  await rig.mesh.stopAgent('east');
  expect((await call(rig, 'kept')).status).toBe(200);
  const refused = await call(rig, 'given');
  expect([refused.status, refused.body]).toEqual([503, expect.stringContaining('hawser: the agent did not')]);
  const waiting = call(rig, 'given');
  await rig.mesh.startAgent('east');
  await until(
    async () => (await call(rig, 'given')).status === 200,
    () => 'the upstream that was asked for while the agent was away does not come',
  );
  expect([200, 503]).toContain((await waiting).status);
  await rig.settled();
  // It says that it has what it was sent before: nothing of that is taken away.
  expect(await has(rig, 'kept')).toBe(true);
  expect(await rig.client().stat('cluster_manager.cluster_removed')).toBe(removed);
});

behaviour('SC-060', 'Sidecar.egress.hosts', 'what a Sidecar names is sent before it is called, whatever was used', async (rig) => {
  await rig.policies([
    policy('Sidecar', { egress: [{ hosts: ['./chosen.bookinfo.svc.cluster.local', './probe.bookinfo.svc.cluster.local'] }] }),
  ]);
  await until(
    () => has(rig, 'chosen'),
    () => 'what the Sidecar names is not there',
  );
  expect(await has(rig, 'first')).toBe(false);
  expect((await call(rig, 'chosen')).servedBy).toBe('reviews-v1');
  expect((await call(rig, 'first')).status).toBe(404);
  await rig.policies([]);
  expect((await call(rig, 'first')).status).toBe(200);
});
