/** Gateway: edge proxies and the mesh: in and out of it, and on to other clusters. */
import { createServer } from 'node:https';
import { afterAll, expect } from 'vitest';
import { ask } from '../datapath/kit/peer.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { type EchoApp, startEchoApp } from './kit/echo-app.ts';
import { type Edge, eventually, gateway, httpServer, httpsServer, INGRESS, site, startEdge } from './kit/edge.ts';
import { BOOKINFO, eastern } from './kit/layout.ts';
import { policy } from './kit/rig.ts';
import { createAuthority } from './kit/site-certificates.ts';

const NET = 78;
const GATEWAY = 'ingress/site';
const OUTSIDE = `127.81.${NET}.40`;

let edge: Edge;
let outside: EchoApp;

const WORKLOADS = [
  eastern('reviews', 'v1', 21),
  { ...eastern('reviews', 'v2', 22), name: 'reviews-west', cluster: 'west' },
  { ...eastern('ratings', 'v1', 24), name: 'ratings-west', cluster: 'west' },
];

const behaviour = behavioursOf({ net: NET, clusters: ['east', 'west'], workloads: WORKLOADS, clients: BOOKINFO.clients }, async (rig) => {
  edge = await startEdge(rig, { address: `127.81.${NET}.5`, name: 'site' });
  outside = await startEchoApp('outside', OUTSIDE);
  // An endpoint of a service of the mesh as well, so that sidecars can call it.
  const ports = [{ name: 'http', port: 80, protocol: 'http' as const }];
  const endpoints = [{ address: edge.address, targetPorts: { '80': 8080 }, serviceAccount: 'site' }];
  rig.mesh.service(`${INGRESS}/edge`, 'east', { ports, endpoints });
});

afterAll(() => outside?.stop());

behaviour(
  'GW-065',
  'servers.tls.mode AUTO_PASSTHROUGH',
  'TLS of the mesh is let through to the service that its server name tells, as far as hosts allow',
  async (rig) => {
    const server15443 = (host: string): object => httpsServer([host], { mode: 'AUTO_PASSTHROUGH' }, 15443);
    const identity = await rig.mesh.domain('east').issue('spiffe://east.hawser/ns/bookinfo/sa/productpage');
    const request = (servername: string): ReturnType<typeof ask> => {
      const headers = { ':path': '/', ':authority': 'reviews' };
      return ask({ address: edge.address, port: 15443, identity, servername, headers });
    };
    await rig.policies([gateway('site', [server15443('*.local')])]);
    await eventually(async () => expect(await request('80.reviews.bookinfo')).toBe(200));
    expect(await request('80.nobody.bookinfo')).toBe('refused');
    await rig.policies([gateway('site', [server15443('ratings.bookinfo.svc.cluster.local')])]);
    await eventually(async () => expect(await request('80.reviews.bookinfo')).toBe('refused'));
  },
);

behaviour(
  'GW-068',
  'servers (mesh side)',
  'an edge proxy that is an endpoint of a service takes calls of sidecars by mTLS, and its Gateway routes them',
  async (rig) => {
    const ports = [{ name: 'http', port: 80, protocol: 'http' as const }];
    const endpoints = [{ address: edge.address, targetPorts: { '80': 8080 }, serviceAccount: 'site' }];
    rig.mesh.service(`${INGRESS}/edge`, 'east', { ports, endpoints });
    await rig.policies([
      gateway('site', [{ port: { number: 8080, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }]),
      site(['edge.ingress.svc.clusterset.local'], [GATEWAY]),
    ]);
    await eventually(async () => {
      const { servedBy, got } = await rig.call({ host: 'edge.ingress.svc.clusterset.local' });
      expect(servedBy).toMatch(/^reviews/);
      expect(got?.headers['x-forwarded-client-cert']).toContain('ns/ingress/sa/site');
    });
  },
);

behaviour(
  'GW-070',
  'ingress to another cluster',
  'a service that another cluster alone has is reached through its tunnel, under the edge proxy’s identity',
  async (rig) => {
    const http = [{ route: [{ destination: { host: 'ratings', port: { number: 80 } } }] }];
    await rig.policies([gateway('site', [httpServer(['*'])]), site(['a.example.com'], [GATEWAY], http)]);
    const { got } = await edge.expectCall(8080, { host: 'a.example.com' }, { status: 200, servedBy: 'ratings-west' });
    expect(got?.headers['x-forwarded-client-cert']).toContain('URI=spiffe://east.hawser/ns/ingress/sa/site');
  },
);

behaviour(
  'GW-071',
  'ingress failover',
  'when the own cluster’s endpoints are gone the next cluster answers, and no request is lost',
  async (rig) => {
    await rig.policies([gateway('site', [httpServer(['*'])]), site(['a.example.com'], [GATEWAY])]);
    await edge.expectCall(8080, { host: 'a.example.com' }, { status: 200, servedBy: 'reviews-v1' });
    await rig.health({ 'reviews-v1': 'UNHEALTHY' });
    await edge.expectCall(8080, { host: 'a.example.com' }, { status: 200, servedBy: 'reviews-west' });
    await rig.health({});
    await edge.expectCall(8080, { host: 'a.example.com' }, { status: 200, servedBy: 'reviews-v1' });
  },
);

const HOST = 'api.example.org';
const EDGE_HOST = 'edge.ingress.svc.clusterset.local';

/** Calls of the mesh for the host go to the edge proxy, and from there to `port` of the host. */
function throughEdge(port: number): ReturnType<typeof policy>[] {
  const entry = {
    hosts: [HOST],
    location: 'MESH_EXTERNAL',
    resolution: 'STATIC',
    ports: [
      { number: 80, name: 'http', protocol: 'HTTP' },
      { number: 443, name: 'https', protocol: 'HTTPS' },
    ],
    endpoints: [{ address: OUTSIDE, ports: { http: 9080, https: 9444 } }],
  };
  const http = [
    { match: [{ gateways: ['mesh'], port: 80 }], route: [{ destination: { host: EDGE_HOST, port: { number: 80 } } }] },
    { match: [{ gateways: [GATEWAY], port: 8080 }], route: [{ destination: { host: HOST, port: { number: port } } }] },
  ];
  return [policy('ServiceEntry', entry), gateway('site', [httpServer([HOST])]), site([HOST], ['mesh', GATEWAY], http)];
}

/** Requests that the edge proxy has sent to the host. */
async function sentOut(): Promise<number> {
  const counted = /outbound\|80\|\|api\.example\.org::[^\n]*::rq_total::(\d+)/.exec(await edge.envoy.admin('/clusters'));
  return Number(counted?.[1] ?? 0);
}

behaviour('GW-072', 'egress', 'calls of the mesh leave it by an edge proxy, to a host of a ServiceEntry', async (rig) => {
  await rig.policies(throughEdge(80));
  const before = await sentOut();
  await eventually(async () => expect((await rig.call({ host: HOST, path: '/x' })).servedBy).toBe('outside'));
  expect(outside.received.at(-1)?.headers['host']).toBe(HOST);
  expect(await sentOut()).toBeGreaterThan(before);
});

behaviour('GW-073', 'egress (TLS origination)', 'the edge proxy calls by TLS what the mesh calls in plain', async (rig) => {
  const { certificate, key } = await (await createAuthority('api')).issue([HOST]);
  const secure = createServer({ cert: certificate, key }, (request, response) => {
    response.writeHead(200, { 'x-served-by': `secure ${request.headers.host}` }).end('secure');
  });
  await new Promise<void>((resolve) => secure.listen(9444, OUTSIDE, () => resolve()));
  const tls = { mode: 'SIMPLE', sni: HOST, insecureSkipVerify: true };
  const rule = policy('DestinationRule', { host: HOST, trafficPolicy: { portLevelSettings: [{ port: { number: 443 }, tls }] } });
  await rig.policies([...throughEdge(443), rule]);
  await eventually(async () => expect((await rig.call({ host: HOST })).servedBy).toBe(`secure ${HOST}`));
  secure.close();
});
