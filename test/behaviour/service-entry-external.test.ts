/** ServiceEntry: hosts outside of the mesh. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect } from 'vitest';
import { until } from '../datapath/kit/until.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { callTcp } from './kit/clients.ts';
import { entry, startExternal, startSocketApp } from './kit/external.ts';
import { policy, type Rig } from './kit/rig.ts';

const NET = 60;
const external = await startExternal(NET);
const { dns, at } = external;
afterAll(() => external.stop());
const clients = [
  { name: 'productpage', namespace: 'bookinfo', cluster: 'east', at: 11 },
  { name: 'outsider', namespace: 'other', cluster: 'east', at: 12 },
];
const behaviour = behavioursOf({ net: NET, dns, clients });

const HOST = 'api.example.com';
const A = { address: at('ext-a') };
const B = { address: at('ext-b') };
const C = { address: at('ext-c') };

/** The listener of a TCP port of a host, as soon as it is there. */
async function listener(rig: Rig, port: number, host = HOST): Promise<{ address: string; port: number }> {
  const name = `outbound_tcp|${port}|${host}`;
  await until(
    async () => (await rig.listener(name)) !== undefined,
    () => `no listener ${name}`,
  );
  return (await rig.listener(name)) ?? { address: '', port: 0 };
}

behaviour(
  'SE-001',
  'hosts',
  'a host that no registry has is called by its name, in the clear, and not at all without its entry',
  async (rig) => {
    await rig.policies([]);
    expect((await rig.call({ host: HOST })).status).toBe(404);
    await rig.policies([entry({ endpoints: [A] })]);
    const reply = await rig.call({ host: HOST });
    expect(reply.servedBy).toBe('ext-a');
    expect(reply.got?.headers['host']).toBe(HOST);
  },
);

behaviour('SE-002', 'hosts', 'every host of an entry leads to its servers', async (rig) => {
  await rig.policies([entry({ hosts: ['one.example.com', 'two.example.com'], endpoints: [A] })]);
  for (const host of ['one.example.com', 'two.example.com']) expect((await rig.call({ host })).servedBy).toBe('ext-a');
});

behaviour('SE-003', 'hosts', 'a wildcard means every name below it, one that is given whole goes before it', async (rig) => {
  await rig.policies([
    entry({ hosts: ['*.example.com'], endpoints: [A] }, 'wild'),
    entry({ hosts: ['exact.example.com'], endpoints: [B] }, 'exact'),
  ]);
  expect((await rig.call({ host: 'any.example.com' })).servedBy).toBe('ext-a');
  expect((await rig.call({ host: 'exact.example.com' })).servedBy).toBe('ext-b');
  expect((await rig.call({ host: 'example.com' })).status).toBe(404);
});

behaviour('SE-004', 'addresses', 'a virtual address is another name of the host', async (rig) => {
  await rig.policies([entry({ addresses: ['240.1.2.3'], endpoints: [A] })]);
  expect((await rig.call({ host: '240.1.2.3' })).servedBy).toBe('ext-a');
  expect((await rig.call({ host: '240.1.2.4' })).status).toBe(404);
});

behaviour('SE-005', 'ports.number', 'each port is a host of its own', async (rig) => {
  const ports = [{ number: 8080, name: 'http', protocol: 'HTTP', targetPort: 9080 }];
  await rig.policies([entry({ ports, endpoints: [A] })]);
  expect((await rig.call({ host: `${HOST}:8080` })).servedBy).toBe('ext-a');
  expect((await rig.call({ host: HOST })).status).toBe(404);
});

behaviour('SE-006', 'ports.targetPort', 'without one, a server is called at the number of the port', async (rig) => {
  const ports = [{ number: 9080, name: 'http', protocol: 'HTTP' }];
  await rig.policies([entry({ ports, endpoints: [A] })]);
  expect((await rig.call({ host: `${HOST}:9080` })).servedBy).toBe('ext-a');
});

behaviour('SE-007', 'ports.protocol', 'a port of HTTP2 is called by HTTP/2, whatever the caller speaks', async (rig) => {
  await rig.policies([entry({ ports: [{ number: 80, name: 'grpc', protocol: 'GRPC', targetPort: 9082 }], endpoints: [A] })]);
  const reply = await rig.call({ host: HOST });
  expect(reply.servedBy).toBe('ext-a');
  expect(reply.got?.headers[':authority'] ?? reply.got?.headers['host']).toBe(HOST);
});

behaviour('SE-008', 'ports.protocol', 'a port of TCP has a listener of its own', async (rig) => {
  await rig.policies([entry({ ports: [{ number: 5432, name: 'tcp', protocol: 'TCP', targetPort: 9081 }], endpoints: [A] })]);
  expect(await callTcp(await listener(rig, 5432), 'hello')).toEqual(['ext-a', 'hello']);
});

behaviour('SE-009', 'ports.protocol', 'a port of TLS passes the caller’s own TLS through', async (rig) => {
  await rig.policies([entry({ ports: [{ number: 443, name: 'tls', protocol: 'TLS', targetPort: 9083 }], endpoints: [B] })]);
  expect(await callTcp(await listener(rig, 443), 'hello', { servername: HOST })).toEqual(['ext-b', 'hello']);
});

behaviour('SE-010', 'ports.name', 'a port without a protocol has the one that its name begins with', async (rig) => {
  await rig.policies([entry({ ports: [{ number: 80, name: 'http-web', targetPort: 9080 }], endpoints: [A] })]);
  expect((await rig.call({ host: HOST })).servedBy).toBe('ext-a');
});

behaviour('SE-011', 'endpoints.ports', 'a server’s own port goes before the target port', async (rig) => {
  const ports = [{ number: 80, name: 'web', protocol: 'HTTP', targetPort: 9 }];
  await rig.policies([entry({ ports, endpoints: [{ ...A, ports: { web: 9080 } }] })]);
  expect((await rig.call({ host: HOST })).servedBy).toBe('ext-a');
});

behaviour('SE-012', 'endpoints.weight', 'servers get requests by their weights', async (rig) => {
  await rig.policies([
    entry({
      endpoints: [
        { ...A, weight: 9 },
        { ...B, weight: 1 },
      ],
    }),
  ]);
  const { by } = await rig.tally(200, { host: HOST });
  expect(by['ext-a'] ?? 0).toBeGreaterThan(130);
  expect(by['ext-b'] ?? 0).toBeGreaterThan(0);
});

behaviour(
  'SE-013',
  'endpoints.labels',
  'subsets of a DestinationRule and routes of a VirtualService are for external hosts too',
  async (rig) => {
    const subset = (name: string): unknown => ({ name, labels: { version: name } });
    await rig.policies([
      entry({
        endpoints: [
          { ...A, labels: { version: 'v1' } },
          { ...B, labels: { version: 'v2' } },
        ],
      }),
      policy('DestinationRule', { host: HOST, subsets: [subset('v1'), subset('v2')] }),
      policy('VirtualService', {
        hosts: [HOST],
        http: [
          { match: [{ uri: { prefix: '/new' } }], route: [{ destination: { host: HOST, subset: 'v2' } }] },
          { route: [{ destination: { host: HOST, subset: 'v1' } }] },
        ],
      }),
    ]);
    expect((await rig.tally(10, { host: HOST, path: '/new' })).by).toEqual({ 'ext-b': 10 });
    expect((await rig.tally(10, { host: HOST })).by).toEqual({ 'ext-a': 10 });
  },
);

behaviour('SE-014', 'endpoints.locality', 'the nearest servers come first, the others when those do not answer', async (rig) => {
  const placed = (near: unknown): unknown[] => [
    { ...A, locality: 'far/away' },
    { ...(near as object), locality: 'east/any' },
  ];
  await rig.policies([entry({ endpoints: placed(B) })]);
  expect((await rig.tally(20, { host: HOST })).by).toEqual({ 'ext-b': 20 });
  await rig.policies([entry({ endpoints: placed({ address: `127.81.${NET}.59` }) })]);
  expect((await rig.tally(20, { host: HOST })).by).toEqual({ 'ext-a': 20 });
});

behaviour('SE-015', 'FailoverPolicy', 'a FailoverPolicy of the namespace orders the servers of its entries by region', async (rig) => {
  const endpoints = [
    { ...A, locality: 'one' },
    { ...B, locality: 'two' },
  ];
  const failover = (order: readonly string[]): ReturnType<typeof policy> => policy('FailoverPolicy', { order });
  await rig.policies([entry({ endpoints }), failover(['two', 'one'])]);
  expect((await rig.tally(10, { host: HOST })).by).toEqual({ 'ext-b': 10 });
  await rig.policies([entry({ endpoints }), failover(['one', 'two'])]);
  expect((await rig.tally(10, { host: HOST })).by).toEqual({ 'ext-a': 10 });
});

behaviour('SE-016', 'endpoints.address', 'a server may be behind a Unix socket', async (rig) => {
  const folder = mkdtempSync(join(tmpdir(), 'hawser-se-'));
  const path = join(folder, 's');
  const stop = await startSocketApp(path, 'socket');
  await rig.policies([entry({ endpoints: [{ address: `unix://${path}` }] })]);
  expect((await rig.call({ host: HOST })).servedBy).toBe('socket');
  await stop();
  rmSync(folder, { recursive: true });
});

behaviour(
  'SE-017',
  'resolution: DNS',
  'without servers the host itself is resolved, to all of its addresses, and again when they change',
  async (rig) => {
    dns.names.set('dns.example.com', [A.address, B.address]);
    await rig.policies([entry({ hosts: ['dns.example.com'], resolution: 'DNS' })]);
    const { by } = await rig.tally(40, { host: 'dns.example.com' });
    expect(Object.keys(by).sort()).toEqual(['ext-a', 'ext-b']);
    dns.names.set('dns.example.com', [C.address]);
    await until(
      async () => (await rig.call({ host: 'dns.example.com' })).servedBy === 'ext-c',
      () => 'the new address is not found',
    );
  },
);

behaviour('SE-018', 'resolution: DNS', 'servers may be names, each with its port; the host is what the caller says', async (rig) => {
  dns.names.set('real.example.net', [B.address]);
  const ports = [{ number: 80, name: 'http', protocol: 'HTTP' }];
  await rig.policies([entry({ resolution: 'DNS', ports, endpoints: [{ address: 'real.example.net', ports: { http: 9080 } }] })]);
  const reply = await rig.call({ host: HOST });
  expect(reply.servedBy).toBe('ext-b');
  expect(reply.got?.headers['host']).toBe(HOST);
});

behaviour('SE-019', 'resolution: DNS_ROUND_ROBIN', 'one address of the name is taken', async (rig) => {
  dns.names.set('big.example.com', [C.address]);
  await rig.policies([entry({ hosts: ['big.example.com'], resolution: 'DNS_ROUND_ROBIN' })]);
  expect((await rig.call({ host: 'big.example.com' })).servedBy).toBe('ext-c');
});

behaviour('SE-020', 'resolution: NONE', 'a request goes to whom its Host names, if the entry’s hosts mean it', async (rig) => {
  dns.names.set('a.open.example.com', [A.address]);
  dns.names.set('b.open.example.com', [B.address]);
  const ports = [{ number: 9080, name: 'http', protocol: 'HTTP' }];
  await rig.policies([entry({ hosts: ['*.open.example.com'], resolution: 'NONE', ports })]);
  expect((await rig.call({ host: 'a.open.example.com:9080' })).servedBy).toBe('ext-a');
  expect((await rig.call({ host: 'b.open.example.com:9080' })).servedBy).toBe('ext-b');
  expect((await rig.call({ host: 'a.closed.example.com:9080' })).status).toBe(404);
});

behaviour('SE-021', 'resolution: NONE', 'TLS goes to the server that it asks for, if the entry’s hosts mean it', async (rig) => {
  dns.names.set('a.tls.example.com', [A.address]);
  dns.names.set('b.tls.example.com', [B.address]);
  const ports = [{ number: 9083, name: 'tls', protocol: 'TLS' }];
  await rig.policies([entry({ hosts: ['*.tls.example.com'], resolution: 'NONE', ports })]);
  const to = await listener(rig, 9083, '*.tls.example.com');
  expect(await callTcp(to, 'hello', { servername: 'a.tls.example.com' })).toEqual(['ext-a', 'hello']);
  expect(await callTcp(to, 'hello', { servername: 'b.tls.example.com' })).toEqual(['ext-b', 'hello']);
  expect(await callTcp(to, 'hello', { servername: 'a.example.com' })).toEqual([]);
});

behaviour('SE-022', 'resolution: DYNAMIC_DNS', 'the name below the wildcard is resolved for each request', async (rig) => {
  dns.names.set('c.dynamic.example.com', [C.address]);
  const ports = [{ number: 9080, name: 'http', protocol: 'HTTP' }];
  await rig.policies([entry({ hosts: ['*.dynamic.example.com'], resolution: 'DYNAMIC_DNS', ports })]);
  expect((await rig.call({ host: 'c.dynamic.example.com:9080' })).servedBy).toBe('ext-c');
  expect((await rig.call({ host: 'nobody.dynamic.example.com:9080' })).status).toBe(503);
});

behaviour('SE-023', 'http.route.destination.host', 'a service of the mesh may be routed to an external host', async (rig) => {
  await rig.policies([
    entry({ endpoints: [A] }),
    policy('VirtualService', { hosts: ['reviews'], http: [{ route: [{ destination: { host: HOST } }] }] }),
  ]);
  expect((await rig.call({})).servedBy).toBe('ext-a');
});

behaviour('SE-024', 'hosts', 'entries of one namespace for one host are one service', async (rig) => {
  await rig.policies([entry({ endpoints: [A] }, 'first'), entry({ endpoints: [B] }, 'second')]);
  const { by } = await rig.tally(40, { host: HOST });
  expect(Object.keys(by).sort()).toEqual(['ext-a', 'ext-b']);
});

behaviour('SE-025', 'exportTo', 'a host is there for callers of the namespaces that it is exported to, and for no others', async (rig) => {
  const statusFor = async (from: string): Promise<number> => (await rig.call({ from, host: HOST })).status;
  await rig.policies([entry({ endpoints: [A], exportTo: ['.'] })]);
  expect([await statusFor('productpage'), await statusFor('outsider')]).toEqual([200, 404]);
  await rig.policies([entry({ endpoints: [A], exportTo: ['other'] })]);
  expect([await statusFor('productpage'), await statusFor('outsider')]).toEqual([404, 200]);
  await rig.policies([entry({ endpoints: [A], exportTo: ['*'] })]);
  expect([await statusFor('productpage'), await statusFor('outsider')]).toEqual([200, 200]);
});

behaviour('SE-026', 'exportTo', 'a TCP port has a listener where its host is exported to', async (rig) => {
  const ports = [{ number: 5432, name: 'tcp', protocol: 'TCP', targetPort: 9081 }];
  await rig.policies([entry({ ports, endpoints: [A], exportTo: ['.'] })]);
  expect(await callTcp(await listener(rig, 5432), 'hello')).toEqual(['ext-a', 'hello']);
  expect(await rig.listener(`outbound_tcp|5432|${HOST}`, 'outsider')).toBeUndefined();
});
