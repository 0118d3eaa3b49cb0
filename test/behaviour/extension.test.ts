/** What runs in proxies beside routing: AuthorizationPolicy CUSTOM and WasmPlugin. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo, Server as NetServer } from 'node:net';
import { afterAll, beforeAll, expect } from 'vitest';
import { until } from '../datapath/kit/until.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { callTcp, DEFAULT_HOST, type Reply } from './kit/clients.ts';
import { APP_PORTS } from './kit/echo-app.ts';
import { policy, type Rig, type RigCall } from './kit/rig.ts';
import { headerModule, inFile, prefixModule } from './kit/wasm-module.ts';

const ADDRESS = '127.81.106.2';
const MODULE = headerModule('x-plugin', 'was-here');
const asked: IncomingMessage[] = [];
let [byHttp, byGrpc]: [number, number] = [0, 0];
const servers: NetServer[] = [];

/** Allows who says `x-pass: yes`; serves the module too. */
const decides: Server = createServer((request, response) => {
  if (request.url === '/plugin.wasm') return void response.end(MODULE);
  asked.push(request);
  const isAllowed = request.headers['x-pass'] === 'yes';
  response.writeHead(isAllowed ? 200 : 401, { 'x-user': 'ann', 'x-reason': 'because' }).end();
});

beforeAll(async () => {
  const grpc = createHttp2Server();
  grpc.on('stream', (stream: ServerHttp2Stream) => {
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    stream.on('end', () => {
      // envoy.service.auth.v3.CheckResponse: a status of google.rpc, OK or PERMISSION_DENIED.
      const message = Buffer.concat(parts).includes('let-me-in') ? [0x0a, 0] : [0x0a, 2, 0x08, 7];
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.from([0, 0, 0, 0, message.length, ...message]));
    });
  });
  for (const server of [decides, grpc]) {
    await new Promise<void>((resolve) => server.listen(0, ADDRESS, resolve));
    servers.push(server);
  }
  [byHttp = 0, byGrpc = 0] = servers.map((server) => (server.address() as AddressInfo).port);
});
afterAll(() => {
  for (const server of servers) server.close();
  decides.closeAllConnections();
});

const PORTS = [
  { name: 'http', port: 80, protocol: 'http' },
  { name: 'tcp', port: 9000, protocol: 'tcp' },
  { name: 'http2', port: 82, protocol: 'http2' },
] as const;
const behaviour = behavioursOf({ net: 106, drainsAtOnce: true, ports: { 'bookinfo/reviews': PORTS } });
type Policy = ReturnType<typeof policy>;

function provider(more: object = {}, port = byHttp): Policy {
  const form = { service: ADDRESS, port, timeout: '2s', includeRequestHeadersInCheck: ['x-pass'], ...more };
  return policy('ExtensionProvider', { envoyExtAuthzHttp: form }, { name: 'judge' });
}

function custom(rules: unknown = [{}], more: object = {}): Policy {
  return policy('AuthorizationPolicy', { action: 'CUSTOM', provider: { name: 'judge' }, rules, ...more });
}

/** The first reply that fulfils a condition: connections of before may live on for a moment. */
async function reply(rig: Rig, call: RigCall, condition: (reply: Reply) => boolean): Promise<Reply> {
  let last: Reply | undefined;
  await until(
    async () => {
      last = await rig.call(call);
      return condition(last);
    },
    () => `${last?.status} ${last?.body}`,
  );
  if (last === undefined) throw new Error('there is no reply');
  return last;
}

behaviour('EX-001', 'action CUSTOM', 'a service decides by HTTP: what it does not allow is answered as it says', async (rig) => {
  await rig.policies([provider(), custom()]);
  const denied = await reply(rig, {}, ({ status }) => status === 401);
  expect(denied.headers['x-reason']).toBe('because');
  await reply(rig, { headers: { 'x-pass': 'yes' } }, ({ status }) => status === 200);
});

behaviour('EX-002', 'rules', 'only requests that a rule means are asked about', async (rig) => {
  await rig.policies([provider(), custom([{ to: [{ operation: { paths: ['/admin*'], notMethods: ['OPTIONS'] } }] }])]);
  await reply(rig, { path: '/admin/x' }, ({ status }) => status === 401);
  await reply(rig, { path: '/open' }, ({ status }) => status === 200);
  await reply(rig, { path: '/admin/x', method: 'OPTIONS' }, ({ status }) => status === 200);
});

behaviour('EX-003', 'rules.from.source', 'callers are told by their certificates, and requests by their headers', async (rig) => {
  const from = (name: string) => [{ source: { principals: [`east.hawser/ns/bookinfo/sa/${name}`] } }];
  const when = [{ key: 'request.headers[x-tier]', values: ['gold'] }];
  await rig.policies([provider(), custom([{ from: from('productpage'), when }])]);
  await reply(rig, { headers: { 'x-tier': 'gold' } }, ({ status }) => status === 401);
  await reply(rig, { headers: { 'x-tier': 'tin' } }, ({ status }) => status === 200);
  await rig.policies([provider(), custom([{ from: from('somebody'), when }])]);
  await reply(rig, { headers: { 'x-tier': 'gold' } }, ({ status }) => status === 200);
});

behaviour('EX-004', 'provider.name', 'headers of an allowing answer go to the application, those that are named alone', async (rig) => {
  const added = { includeAdditionalHeadersInCheck: { 'x-mesh': 'hawser' } };
  await rig.policies([provider({ headersToUpstreamOnAllow: ['x-user'], ...added }), custom()]);
  const { got } = await reply(rig, { headers: { 'x-pass': 'yes' } }, (one) => one.got?.headers['x-user'] === 'ann');
  expect(got?.headers).not.toHaveProperty('x-reason');
  expect(asked.at(-1)?.headers['x-mesh']).toBe('hawser');
});

behaviour(
  'EX-005',
  'provider.name',
  'a service that does not answer: requests are refused with the wanted status, or pass if it may fail',
  async (rig) => {
    await rig.policies([provider({ statusOnError: '503' }, 1), custom()]);
    await reply(rig, {}, ({ status }) => status === 503);
    await rig.policies([provider({ failOpen: true }, 1), custom()]);
    await reply(rig, {}, ({ status }) => status === 200);
  },
);

behaviour('EX-006', 'provider.name', 'a service decides by gRPC', async (rig) => {
  const form = { envoyExtAuthzGrpc: { service: ADDRESS, port: byGrpc, timeout: '2s' } };
  const judge = policy('ExtensionProvider', form, { name: 'judge-by-grpc' });
  await rig.policies([judge, custom([{}], { provider: { name: 'judge-by-grpc' } })]);
  await reply(rig, {}, ({ status }) => status === 403);
  await reply(rig, { headers: { 'x-word': 'let-me-in' } }, ({ status }) => status === 200);
});

behaviour('EX-007', 'provider.name', 'without a provider of that name nobody can allow anything', async (rig) => {
  await rig.policies([custom([{ to: [{ operation: { paths: ['/ex-007'] } }] }])]);
  await reply(rig, { path: '/ex-007' }, ({ status }) => status === 403);
  await reply(rig, { path: '/' }, ({ status }) => status === 200);
});

behaviour('EX-020', 'url', 'a module of a file sees requests: here on the side of the caller', async (rig) => {
  await rig.policies([
    policy('WasmPlugin', { url: `file://${inFile(MODULE)}`, phase: 'AUTHN', match: [{ mode: 'CLIENT' }], pluginConfig: { a: 1 } }),
  ]);
  expect((await reply(rig, {}, ({ got }) => got?.headers['x-plugin'] !== undefined)).got?.headers['x-plugin']).toBe('was-here');
});

behaviour('EX-021', 'sha256', 'a module that is fetched by HTTP must have the digest: here on the side of the server', async (rig) => {
  const sha256 = createHash('sha256').update(MODULE).digest('hex');
  const match = [{ mode: 'SERVER' }];
  await rig.policies([policy('WasmPlugin', { url: `http://${ADDRESS}:${byHttp}/plugin.wasm`, sha256, match, failStrategy: 'FAIL_OPEN' })]);
  expect((await reply(rig, {}, ({ got }) => got?.headers['x-plugin'] !== undefined)).got?.headers['x-plugin']).toBe('was-here');
});

const marked = ({ got }: Reply): boolean => got?.headers['x-plugin'] !== undefined;
const unmarked = (one: Reply): boolean => one.status === 200 && !marked(one);

/** A plugin of a file that is for these requests; what was before it is over. */
async function pluginFor(rig: Rig, ...match: readonly object[]): Promise<void> {
  await rig.policies([]);
  await reply(rig, {}, unmarked);
  await rig.policies([policy('WasmPlugin', { url: `file://${inFile(MODULE)}`, match })]);
}

behaviour(
  'EX-022',
  'match.ports',
  'a plugin sees requests to its ports alone, on the side of the caller those of services',
  async (rig) => {
    await pluginFor(rig, { mode: 'CLIENT', ports: [{ number: 8080 }] }, { mode: 'CLIENT', ports: [{ number: 80 }] });
    await reply(rig, {}, marked);
    await pluginFor(rig, { mode: 'CLIENT', ports: [{ number: 8080 }] }, { mode: 'SERVER', ports: [{ number: 80 }] });
    await reply(rig, {}, unmarked);
  },
);

behaviour('EX-023', 'match.ports', 'on the side of the server the port is the one at which the application listens', async (rig) => {
  await pluginFor(rig, { mode: 'SERVER', ports: [{ number: 9080 }] });
  await reply(rig, {}, marked);
});

behaviour(
  'EX-024',
  'type NETWORK',
  'a module sees the bytes of connections: here those that an application of TCP receives',
  async (rig) => {
    let said = '';
    const says = async (pattern: RegExp): Promise<boolean> => {
      const at = await rig.listener('outbound_tcp|9000|reviews.bookinfo.svc.clusterset.local');
      said = at === undefined ? '' : (await callTcp(at, 'hello')).join(' ');
      return pattern.test(said);
    };
    const match = [{ mode: 'SERVER', ports: [{ number: APP_PORTS.tcp }] }];
    await rig.policies([policy('WasmPlugin', { type: 'NETWORK', url: `file://${inFile(prefixModule('before '))}`, match })]);
    await until(
      () => says(/before hello/),
      () => said,
    );
    // Other ports are not its: their bytes would be no HTTP any more.
    await reply(rig, {}, ({ status }) => status === 200);
    await rig.policies([]);
    await until(
      () => says(/^(?!.*before).*hello/),
      () => said,
    );
  },
);

behaviour('EX-025', 'match.ports', 'and whichever HTTP it speaks there', async (rig) => {
  await pluginFor(rig, { mode: 'SERVER', ports: [{ number: APP_PORTS.http2 }] });
  await reply(rig, { host: `${DEFAULT_HOST}:82` }, marked);
  await reply(rig, {}, unmarked);
});
