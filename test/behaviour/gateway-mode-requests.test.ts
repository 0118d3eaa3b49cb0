/** Gateway mode: what gateways make of requests to workloads without a sidecar: tokens, and modules of WasmPlugins. */
import { createHash } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Resource } from '@hawser/model/resource.ts';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { until } from '../datapath/kit/until.ts';
import { authorization, judged } from './kit/access.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { callTcp, DEFAULT_HOST } from './kit/clients.ts';
import { APP_PORTS } from './kit/echo-app.ts';
import { bearer, createIssuer, ISSUER } from './kit/issuer.ts';
import { bareEastern } from './kit/layout.ts';
import { matching } from './kit/reviews-rules.ts';
import { policy, type Rig, type RigCall } from './kit/rig.ts';
import { headerModule, inFile, prefixModule } from './kit/wasm-module.ts';

const NET = 176;
const OUTSIDE = `127.81.${NET}.2`;
const MODULE = headerModule('x-plugin', 'was-here');
const V2 = { selector: { matchLabels: { version: 'v2' } } };
/** Requests below `/v2` go to v2, all others to v1. */
const BY_PATH = matching({ uri: { prefix: '/v2' } });

const [{ jwks, token }, stranger] = await Promise.all([createIssuer(), createIssuer()]);

/** Has the keys of the issuer, and a module. */
const outside: Server = createServer((request, response) => void response.end(request.url === '/keys' ? jwks : MODULE));
let outsideUrl = '';
beforeAll(async () => {
  await new Promise<void>((resolve) => outside.listen(0, OUTSIDE, resolve));
  outsideUrl = `http://${OUTSIDE}:${(outside.address() as AddressInfo).port}`;
});
afterAll(() => {
  outside.close();
  outside.closeAllConnections();
});

const behaviour = behavioursOf({
  net: NET,
  drainsAtOnce: true,
  clusters: ['east', 'west'],
  workloads: [bareEastern('reviews', 'v1', 21), bareEastern('reviews', 'v2', 22)],
  clients: [
    { name: 'productpage', namespace: 'bookinfo', cluster: 'east', at: 11 },
    { name: 'details', namespace: 'bookinfo', cluster: 'west', at: 13 },
  ],
  ports: {
    'bookinfo/reviews': [
      { name: 'http', port: 80, protocol: 'http' },
      { name: 'grpc', port: 82, protocol: 'http2' },
      { name: 'tcp', port: 9000, protocol: 'tcp' },
    ],
  },
});

const CALLERS = ['productpage', 'details'] as const;
const believed = (rule: object = { jwks }) => policy('RequestAuthentication', { ...V2, jwtRules: [{ issuer: ISSUER, ...rule }] });
const demanded = authorization({ ...V2, rules: [{ from: [{ source: { requestPrincipals: [`${ISSUER}/ann`] } }] }] });
/** How a call is answered by v2, and how it is answered by v1, for whom no policy is: of callers of both clusters. */
const byBoth = (call: RigCall, status: number): [RigCall, number][] =>
  CALLERS.flatMap((from) => [
    [{ ...call, from, path: '/v2' }, status],
    [{ ...call, from, path: '/v1' }, 200],
  ]);

behaviour(
  'GM-015',
  'gateway mode: RequestAuthentication.jwtRules.jwks',
  'a token of the issuer passes, and a request without one; any other is answered 401, by the Pods that are selected alone',
  async (rig) => {
    await judged(
      rig,
      [...BY_PATH, believed()],
      [
        ...byBoth(bearer(await token()), 200),
        ...byBoth({}, 200),
        ...byBoth(bearer('no.token.atall'), 401),
        ...byBoth(bearer(await stranger.token()), 401),
        ...byBoth(bearer(await token({}, '-5m')), 401),
        ...byBoth(bearer(await token({ iss: 'https://evil.example' })), 401),
      ],
    );
  },
);

behaviour(
  'GM-016',
  'gateway mode: AuthorizationPolicy.rules.from.source.requestPrincipals',
  'who must come with a token is refused without: 403; by HTTP/2 as well',
  async (rig) => {
    const ann = bearer(await token());
    const grpc = { host: `${DEFAULT_HOST}:82`, http2: true };
    await judged(
      rig,
      [...BY_PATH, believed(), demanded],
      [
        ...byBoth({}, 403),
        ...byBoth(bearer(await token({ sub: 'bob' })), 403),
        ...byBoth(bearer(await stranger.token()), 401),
        ...byBoth(ann, 200),
        ...byBoth(grpc, 403),
        ...byBoth({ ...grpc, ...ann }, 200),
      ],
    );
  },
);

behaviour(
  'GM-017',
  'gateway mode: RequestAuthentication.jwtRules.outputClaimToHeaders',
  'what the token says reaches the Pod, and no caller can say it instead',
  async (rig) => {
    const output = { jwks, outputClaimToHeaders: [{ header: 'x-who', claim: 'sub' }] };
    const call = { headers: { ...bearer(await token()).headers, 'x-who': 'root' }, path: '/v2' };
    await judged(rig, [...BY_PATH, believed(output), demanded], [[call, 200]]);
    await vi.waitFor(async () => expect((await rig.call(call)).got?.headers).toMatchObject({ 'x-who': 'ann' }), { timeout: 10_000 });
  },
);

behaviour('GM-018', 'gateway mode: RequestAuthentication.jwtRules.jwksUri', 'the gateway fetches the keys', async (rig) => {
  await judged(
    rig,
    [...BY_PATH, believed({ jwksUri: `${outsideUrl}/keys` }), demanded],
    [...byBoth(bearer(await token()), 200), ...byBoth(bearer(await stranger.token()), 401), ...byBoth({}, 403)],
  );
});

/** Waits until requests of both callers are marked by the module as they shall be: those to v2, and those to v1. */
async function marks(rig: Rig, v1: boolean, v2: boolean, call: RigCall = {}): Promise<void> {
  const marked = async (): Promise<void> => {
    for (const from of CALLERS)
      for (const [path, wanted] of [
        ['/v1', v1],
        ['/v2', v2],
      ] as const) {
        const { status, got } = await rig.call({ ...call, from, path });
        expect([from, path, status, got?.headers['x-plugin'] === 'was-here']).toEqual([from, path, 200, wanted]);
      }
  };
  await vi.waitFor(marked, { timeout: 40_000, interval: 20 });
}

const plugin = (spec: object): Resource[] => [...BY_PATH, policy('WasmPlugin', { url: `file://${inFile(MODULE)}`, ...spec })];

behaviour(
  'GM-019',
  'gateway mode: WasmPlugin.selector',
  'a module of a file of the gateway sees the requests to the Pods that are selected, and is gone with its plugin',
  async (rig) => {
    await rig.policies(plugin(V2));
    await marks(rig, false, true);
    await rig.policies(plugin({ match: [{ mode: 'SERVER' }] }));
    await marks(rig, true, true);
    await rig.policies(BY_PATH);
    await marks(rig, false, false);
  },
);

behaviour('GM-020', 'gateway mode: WasmPlugin.url', 'the gateway fetches a module by HTTP', async (rig) => {
  const sha256 = createHash('sha256').update(MODULE).digest('hex');
  await rig.policies(plugin({ ...V2, url: `${outsideUrl}/plugin.wasm`, sha256, failStrategy: 'FAIL_OPEN' }));
  await marks(rig, false, true);
});

behaviour(
  'GM-021',
  'gateway mode: WasmPlugin.match',
  'the side of the server is the gateway, a port the one at which the application listens; the side of the caller is not there',
  async (rig) => {
    await rig.policies(plugin({ ...V2, match: [{ mode: 'SERVER', ports: [{ number: APP_PORTS.http2 }] }] }));
    await marks(rig, false, true, { host: `${DEFAULT_HOST}:82` });
    await marks(rig, false, false);
    await rig.policies(plugin({ ...V2, match: [{ mode: 'SERVER', ports: [{ number: APP_PORTS.http }] }] }));
    await marks(rig, false, true);
    await rig.policies(plugin({ ...V2, match: [{ mode: 'CLIENT' }] }));
    await marks(rig, false, false);
  },
);

behaviour('GM-022', 'gateway mode: WasmPlugin.type NETWORK', 'a module sees the bytes of connections to the Pods', async (rig) => {
  const answers = async (): Promise<string[]> => {
    const at = await rig.listener(`outbound_tcp|9000|${DEFAULT_HOST}`, 'details');
    if (at === undefined) throw new Error('no listener for the port');
    return Promise.all(Array.from({ length: 12 }, async () => (await callTcp(at, 'hello')).join(' ')));
  };
  const match = [{ mode: 'SERVER', ports: [{ number: APP_PORTS.tcp }] }];
  await rig.policies(plugin({ ...V2, type: 'NETWORK', url: `file://${inFile(prefixModule('before '))}`, match }));
  let seen: string[] = [];
  await until(
    async () => {
      seen = [...new Set(await answers())].sort();
      return seen.join() === 'reviews-v1 hello,reviews-v2 before hello';
    },
    () => seen.join(),
  );
});
