/** Gateway: plain HTTP at the edge, and which VirtualServices are served there. */
import { expect } from 'vitest';
import { behavioursOf } from './kit/behaviour.ts';
import { type Edge, gateway, httpServer, problemsIn, site, startEdge, TO_REVIEWS } from './kit/edge.ts';

const NET = 70;
let edge: Edge;
let other: Edge;

const behaviour = behavioursOf({ net: NET }, async (rig) => {
  edge = await startEdge(rig, { address: `127.81.${NET}.5`, name: 'site' });
  other = await startEdge(rig, { address: `127.81.${NET}.6`, name: 'other' });
});

const GATEWAY = 'ingress/site';

behaviour(
  'GW-001',
  'servers.hosts',
  'a host is served as the VirtualService bound to the Gateway says, any other is not found',
  async (rig) => {
    await rig.policies([gateway('site', [httpServer(['a.example.com'])]), site(['a.example.com', 'b.example.com'], [GATEWAY])]);
    const reply = await edge.expectCall(8080, { host: 'a.example.com', path: '/x' }, { status: 200 });
    expect(reply.servedBy).toMatch(/^reviews-v/);
    expect((await edge.call(8080, { host: 'a.example.com:8080' })).status).toBe(200);
    expect((await edge.call(8080, { host: 'b.example.com' })).status).toBe(404);
    expect(problemsIn(rig)).toEqual([
      expect.objectContaining({ field: 'spec.hosts[1]', message: expect.stringContaining('b.example.com') }),
    ]);
  },
);

behaviour('GW-002', 'servers.hosts (wildcard)', 'a wildcard serves what is below it, and the narrower of two hosts counts', async (rig) => {
  await rig.policies([
    gateway('site', [httpServer(['*.example.com'])]),
    site(['a.example.com'], [GATEWAY], [{ directResponse: { status: 201 } }]),
    site(['*'], [GATEWAY]),
  ]);
  await edge.expectCall(8080, { host: 'a.example.com' }, { status: 201 });
  expect((await edge.call(8080, { host: 'b.example.com' })).servedBy).toMatch(/^reviews/);
  expect((await edge.call(8080, { host: 'example.com' })).status).toBe(404);
});

behaviour(
  'GW-003',
  'servers.hosts (namespace/host)',
  'a host before a slash takes VirtualServices of that namespace alone',
  async (rig) => {
    await rig.policies([
      gateway('site', [httpServer(['bookinfo/a.example.com', './b.example.com', '*/c.example.com'])]),
      site(['a.example.com', 'b.example.com', 'c.example.com'], [GATEWAY]),
    ]);
    await edge.expectCall(8080, { host: 'a.example.com' }, { status: 200 });
    expect((await edge.call(8080, { host: 'b.example.com' })).status).toBe(404);
    expect((await edge.call(8080, { host: 'c.example.com' })).status).toBe(200);
  },
);

behaviour('GW-004', 'selector', 'a Gateway is for the edge proxies that have its labels', async (rig) => {
  await rig.policies([gateway('other', [httpServer(['*'])]), site(['a.example.com'], ['ingress/other'])]);
  await other.expectCall(8080, { host: 'a.example.com' }, { status: 200 });
  await edge.expectCall(8080, { host: 'a.example.com' }, { status: 0 });
});

behaviour('GW-005', 'selector (nobody)', 'a Gateway that no edge proxy has the labels for is told by its selector', async (rig) => {
  await rig.policies([gateway('nobody', [httpServer(['*'])])]);
  expect(problemsIn(rig)).toEqual([
    { policy: 'Gateway/ingress/nobody', field: 'spec.selector', message: expect.stringContaining('istio=nobody') },
  ]);
});

behaviour('GW-006', 'servers (several Gateways)', 'Gateways of one port are one listener, told apart by host', async (rig) => {
  const [a, b] = [{ directResponse: { status: 201 } }, { directResponse: { status: 202 } }];
  await rig.policies([
    gateway('site', [httpServer(['a.example.com'])], { name: 'one' }),
    gateway('site', [httpServer(['b.example.com'])], { name: 'two' }),
    site(['a.example.com'], ['ingress/one'], [a]),
    site(['b.example.com'], ['ingress/two'], [b]),
  ]);
  await edge.expectCall(8080, { host: 'b.example.com' }, { status: 202 });
  expect((await edge.call(8080, { host: 'a.example.com' })).status).toBe(201);
});

behaviour(
  'GW-007',
  'virtualService.gateways',
  'a VirtualService of a Gateway says nothing to sidecars, unless it names mesh as well',
  async (rig) => {
    const answers = [{ directResponse: { status: 201 } }];
    await rig.policies([gateway('site', [httpServer(['*'])]), site(['reviews'], [GATEWAY], answers)]);
    await edge.expectCall(8080, { host: 'reviews.bookinfo.svc.clusterset.local' }, { status: 201 });
    expect((await rig.call()).status).toBe(200);
    await rig.policies([gateway('site', [httpServer(['*'])]), site(['reviews'], [GATEWAY, 'mesh'], answers)]);
    expect((await rig.call()).status).toBe(201);
  },
);

behaviour('GW-008', 'http.match.gateways', 'a match may be for one Gateway of several', async (rig) => {
  const http = [{ match: [{ gateways: [GATEWAY] }], directResponse: { status: 201 } }, { directResponse: { status: 202 } }];
  await rig.policies([
    gateway('site', [httpServer(['a.example.com'])]),
    gateway('other', [httpServer(['a.example.com'])]),
    site(['a.example.com'], [GATEWAY, 'ingress/other'], http),
  ]);
  await edge.expectCall(8080, { host: 'a.example.com' }, { status: 201 });
  await other.expectCall(8080, { host: 'a.example.com' }, { status: 202 });
});

behaviour('GW-009', 'servers.port.number', 'rules know the port by which a server is called', async (rig) => {
  const http = [{ match: [{ port: 8081 }], directResponse: { status: 201 } }, { directResponse: { status: 202 } }];
  await rig.policies([gateway('site', [httpServer(['*'], 8080), httpServer(['*'], 8081)]), site(['a.example.com'], [GATEWAY], http)]);
  await edge.expectCall(8081, { host: 'a.example.com' }, { status: 201 });
  await edge.expectCall(8080, { host: 'a.example.com' }, { status: 202 });
});

behaviour('GW-010', 'servers.port.targetPort', 'the proxy listens at the target port, rules know the other', async (rig) => {
  const server = { port: { number: 80, targetPort: 8082, name: 'http', protocol: 'HTTP' }, hosts: ['*'] };
  await rig.policies([
    gateway('site', [server]),
    site(['a.example.com'], [GATEWAY], [{ match: [{ port: 80 }], directResponse: { status: 201 } }]),
  ]);
  await edge.expectCall(8082, { host: 'a.example.com' }, { status: 201 });
});

behaviour('GW-011', 'servers.bind', 'a server may listen on another address than the proxy’s own', async (rig) => {
  await rig.policies([gateway('site', [httpServer(['*'], 8080, { bind: `127.81.${NET}.7` })]), site(['a.example.com'], [GATEWAY])]);
  await edge.expectCall(8080, { host: 'a.example.com' }, { status: 0 });
  const listeners = await edge.envoy.admin('/listeners');
  expect(listeners).toContain(`127.81.${NET}.7:8080`);
});

behaviour('GW-012', 'servers.defaultEndpoint', 'what no VirtualService takes goes to the default endpoint', async (rig) => {
  const server = httpServer(['*'], 8080, { defaultEndpoint: `127.81.${NET}.21:9080` });
  await rig.policies([gateway('site', [server]), site(['a.example.com'], [GATEWAY], [{ directResponse: { status: 201 } }])]);
  await edge.expectCall(8080, { host: 'any.example.com' }, { status: 200, servedBy: 'reviews-v1' });
  expect((await edge.call(8080, { host: 'a.example.com' })).status).toBe(201);
});

behaviour('GW-013', 'servers.tls.httpsRedirect', 'plain requests are sent to HTTPS by 301', async (rig) => {
  await rig.policies([
    gateway('site', [httpServer(['a.example.com'], 8080, { tls: { httpsRedirect: true } })]),
    site(['a.example.com'], [GATEWAY]),
  ]);
  const reply = await edge.expectCall(8080, { host: 'a.example.com', path: '/x?y=1' }, { status: 301 });
  expect(reply.headers['location']).toBe('https://a.example.com/x?y=1');
});

behaviour('GW-014', 'client address', 'who calls is where the connection comes from; what it says of itself is dropped', async (rig) => {
  await rig.policies([gateway('site', [httpServer(['*'])]), site(['a.example.com'], [GATEWAY])]);
  const forged = {
    'x-forwarded-for': '1.2.3.4',
    'x-forwarded-proto': 'https',
    'x-envoy-max-retries': '9',
    'x-forwarded-client-cert': 'By=me',
  };
  const { got } = await edge.expectCall(8080, { host: 'a.example.com', headers: forged }, { status: 200 });
  // Of a client on its own machine Envoy tells its own address.
  expect(got?.headers['x-forwarded-for']).toMatch(/^1\.2\.3\.4,\s?\d+\.\d+\.\d+\.\d+$/);
  expect(got?.headers['x-forwarded-proto']).toBe('http');
  expect(got?.headers['x-envoy-max-retries']).toBeUndefined();
  // The certificate that the application hears of is the edge proxy's own identity.
  expect(got?.headers['x-forwarded-client-cert']).toMatch(/;URI=spiffe:\/\/east\.hawser\/ns\/ingress\/sa\/site$/);
});

behaviour('GW-015', 'path normalisation', 'a path is made plain before any rule sees it', async (rig) => {
  const http = [{ match: [{ uri: { exact: '/admin' } }], directResponse: { status: 403 } }, ...TO_REVIEWS];
  await rig.policies([gateway('site', [httpServer(['*'])]), site(['a.example.com'], [GATEWAY], http)]);
  await edge.expectCall(8080, { host: 'a.example.com', path: '/x/../admin' }, { status: 403 });
  expect((await edge.call(8080, { host: 'a.example.com', path: '//admin' })).status).toBe(403);
  expect((await edge.call(8080, { host: 'a.example.com', path: '/x/%2e%2e/admin' })).status).toBe(403);
});

behaviour('GW-016', 'header names', 'a header with an underscore is refused: applications take it for one with a dash', async (rig) => {
  await rig.policies([gateway('site', [httpServer(['*'])]), site(['a.example.com'], [GATEWAY])]);
  await edge.expectCall(8080, { host: 'a.example.com' }, { status: 200 });
  expect((await edge.call(8080, { host: 'a.example.com', headers: { x_user: 'root' } })).status).toBe(400);
});

behaviour('GW-017', 'servers.port.protocol', 'HTTP/2 is spoken without TLS where a client begins with it', async (rig) => {
  const server = { port: { number: 8080, name: 'h2', protocol: 'HTTP2' }, hosts: ['*'] };
  await rig.policies([gateway('site', [server]), site(['a.example.com'], [GATEWAY])]);
  await edge.expectCall(8080, { host: 'a.example.com', http2: true }, { status: 200 });
});

behaviour('GW-018', 'servers.port (conflict)', 'of two forms on one port the older stays, and the newer is told', async (rig) => {
  const tcp = { port: { number: 8080, name: 'tcp', protocol: 'TCP' }, hosts: ['*'] };
  await rig.policies([
    gateway('site', [httpServer(['*'])], { name: 'old' }),
    gateway('site', [tcp], { name: 'new' }),
    site(['a.example.com'], ['ingress/old']),
  ]);
  await edge.expectCall(8080, { host: 'a.example.com' }, { status: 200 });
  expect(problemsIn(rig)).toEqual([
    { policy: 'Gateway/ingress/new', field: 'spec.servers[0].port', message: expect.stringContaining('Gateway/ingress/old') },
  ]);
});

behaviour('GW-019', 'virtualService.gateways (unknown)', 'a Gateway that is not there is told where it is named', async (rig) => {
  await rig.policies([site(['a.example.com'], ['ingress/gone'])]);
  expect(problemsIn(rig)).toEqual([
    expect.objectContaining({ field: 'spec.gateways[0]', message: expect.stringContaining('no Gateway ingress/gone') }),
  ]);
});
