/** RequestAuthentication: tokens of callers, and what AuthorizationPolicies make of them. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect } from 'vitest';
import { ACCESS, authorization, judged, only } from './kit/access.ts';
import { behavioursOf } from './kit/behaviour.ts';
import { eventually } from './kit/edge.ts';
import { bearer, createIssuer, ISSUER } from './kit/issuer.ts';
import { policy, type Rig, type RigCall } from './kit/rig.ts';

const ADDRESS = '127.81.128.2';

const [{ jwks, token }, stranger] = await Promise.all([createIssuer(), createIssuer()]);
let [port, isDown] = [0, false];

/** Has the keys of the issuer, unless it is down. */
const server: Server = createServer((_request, response) => void (isDown ? response.writeHead(500).end() : response.end(jwks)));

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, ADDRESS, resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});

const behaviour = behavioursOf({ net: 128, drainsAtOnce: true, ...ACCESS, clusters: ['east'], clients: ACCESS.clients.slice(0, 1) });

const believed = (rule: object = {}) => policy('RequestAuthentication', { jwtRules: [{ issuer: ISSUER, jwks, ...rule }] });
const by = (...requestPrincipals: string[]) => only('ALLOW', { from: [{ source: { requestPrincipals } }] });

/** One rule for each path, of one condition each: how the call is answered at each of them. */
function judgedByPath(rig: Rig, call: RigCall, conditions: readonly (readonly [string, string, number])[]): Promise<void> {
  const rules = conditions.map(([key, value], index) => ({
    to: [{ operation: { paths: [`/${index}`] } }],
    when: [{ key, values: [value] }],
  }));
  const calls = conditions.map(([, , status], index): [RigCall, number] => [{ ...call, path: `/${index}` }, status]);
  return judged(rig, [believed(), authorization({ rules })], [[{ path: '/0' }, 403], ...calls]);
}

/** What the application received. */
async function received(rig: Rig, call: RigCall): Promise<Readonly<Record<string, string>>> {
  const { status, got } = await rig.call(call);
  expect(status).toBe(200);
  return got?.headers ?? {};
}

behaviour('JWT-001', 'jwtRules.jwks', 'a token of the issuer passes, and a request without one; any other is answered 401', async (rig) => {
  await judged(
    rig,
    [believed()],
    [
      [bearer('no.token.atall'), 401],
      [bearer(await stranger.token()), 401],
      [bearer(await token()), 200],
      [{}, 200],
    ],
  );
});

behaviour('JWT-002', 'jwtRules.issuer', 'a token of another issuer is refused, signed by the same key or not', async (rig) => {
  await judged(
    rig,
    [believed()],
    [
      [bearer(await token({ iss: 'https://evil.example' })), 401],
      [bearer(await token({ iss: `${ISSUER}/` })), 401],
      [bearer(await token()), 200],
    ],
  );
});

behaviour('JWT-003', 'jwtRules', 'a token that has expired, is not yet valid, or bears no signature is refused', async (rig) => {
  const plain = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const unsigned = `${plain({ alg: 'none' })}.${plain({ iss: ISSUER, sub: 'ann', exp: 4_000_000_000 })}.`;
  await judged(
    rig,
    [believed()],
    [
      [bearer(await token({}, '-5m')), 401],
      [bearer(await token({ nbf: Math.floor(Date.now() / 1_000) + 3_600 })), 401],
      [bearer(unsigned), 401],
      [bearer(await token()), 200],
    ],
  );
});

behaviour('JWT-004', 'jwtRules.audiences', 'one of the audiences must be among those of the token', async (rig) => {
  await judged(
    rig,
    [believed({ audiences: ['books', 'films'] })],
    [
      [bearer(await token({ aud: 'music' })), 403],
      [bearer(await token({ aud: ['music', 'films'] })), 200],
      [bearer(await token({ aud: 'books' })), 200],
    ],
  );
});

behaviour(
  'JWT-005',
  'AuthorizationPolicy.rules.from.source.requestPrincipals',
  'who must come with a token is refused without: 403',
  async (rig) => {
    const [ann, bob] = [bearer(await token()), bearer(await token({ sub: 'bob' }))];
    await judged(
      rig,
      [believed(), by('*')],
      [
        [{}, 403],
        [ann, 200],
        [bearer('no.token.atall'), 401],
      ],
    );
    const names = [`${ISSUER}/ann`, '*/ann', '*ann', `${ISSUER}/a*`];
    const rules = names.map((name, index) => ({
      from: [{ source: { requestPrincipals: [name] } }],
      to: [{ operation: { paths: [`/${index}`] } }],
    }));
    const of = (call: RigCall, status: number): [RigCall, number][] => names.map((_, index) => [{ ...call, path: `/${index}` }, status]);
    await judged(rig, [believed(), authorization({ rules })], [...of({}, 403), ...of(bob, 403), ...of(ann, 200)]);
    await judged(
      rig,
      [believed(), by('https://issuer.example/*')],
      [
        [{}, 403],
        [bob, 200],
      ],
    );
  },
);

behaviour('JWT-006', 'AuthorizationPolicy.rules.from.source.notRequestPrincipals', 'everybody without such a token', async (rig) => {
  await judged(
    rig,
    [believed(), only('DENY', { from: [{ source: { notRequestPrincipals: ['*'] } }] })],
    [
      [{}, 403],
      [bearer(await token()), 200],
    ],
  );
});

behaviour(
  'JWT-007',
  'AuthorizationPolicy.rules.when.key: request.auth.claims',
  'a claim, one within another, and one that is a list',
  async (rig) => {
    const call = bearer(await token({ group: 'staff', realm: { roles: ['reader', 'admin'] }, scope: 'read write' }));
    const claims: [string, string, number][] = [
      ['[group]', 'staff', 200],
      ['[group]', 'st*', 200],
      ['[group]', 'guest', 403],
      ['[realm][roles]', 'admin', 200],
      ['[realm][roles]', 'owner', 403],
      ['[scope]', 'write', 200],
      ['[none]', '*', 403],
    ];
    await judgedByPath(
      rig,
      call,
      claims.map(([claim, value, status]) => [`request.auth.claims${claim}`, value, status]),
    );
  },
);

behaviour(
  'JWT-008',
  'AuthorizationPolicy.rules.when.key: request.auth.audiences',
  'audience, presenter and principal of the token',
  async (rig) => {
    const call = bearer(await token({ aud: ['books', 'films'], azp: 'app' }));
    await judgedByPath(rig, call, [
      ['request.auth.audiences', 'films', 200],
      ['request.auth.audiences', 'music', 403],
      ['request.auth.presenter', 'app', 200],
      ['request.auth.presenter', 'other', 403],
      ['request.auth.principal', `${ISSUER}/ann`, 200],
      ['request.auth.principal', `${ISSUER}/bob`, 403],
    ]);
  },
);

behaviour('JWT-009', 'jwtRules.fromHeaders', 'a token is looked for in these headers alone', async (rig) => {
  const text = await token();
  await judged(
    rig,
    [believed({ fromHeaders: [{ name: 'x-token', prefix: 'Key ' }] }), by('*')],
    [
      [{ headers: { 'x-token': `Key ${text}` } }, 200],
      [bearer(text), 403],
    ],
  );
});

behaviour('JWT-010', 'jwtRules.fromParams', 'a token in the query', async (rig) => {
  await judged(
    rig,
    [believed({ fromParams: ['token'] }), by('*')],
    [
      [{ path: `/?token=${await token()}` }, 200],
      [{ path: '/?token=no.token.atall' }, 401],
    ],
  );
});

behaviour('JWT-011', 'jwtRules.fromCookies', 'a token in a cookie', async (rig) => {
  await judged(
    rig,
    [believed({ fromCookies: ['session'] }), by('*')],
    [
      [{ headers: { cookie: `a=b; session=${await token()}` } }, 200],
      [{ headers: { cookie: 'session=no.token.atall' } }, 401],
    ],
  );
});

behaviour('JWT-012', 'jwtRules.forwardOriginalToken', 'the application sees the token only where it is wanted', async (rig) => {
  const call = bearer(await token());
  await judged(rig, [believed(), by('*')], [[call, 200]]);
  expect(await received(rig, call)).not.toHaveProperty('authorization');
  await judged(rig, [believed({ forwardOriginalToken: true }), by('*')], [[call, 200]]);
  await eventually(async () => expect(await received(rig, call)).toHaveProperty('authorization'));
});

behaviour(
  'JWT-013',
  'jwtRules.outputClaimToHeaders',
  'claims and the payload reach the application, and nobody can forge them',
  async (rig) => {
    const output = { outputClaimToHeaders: [{ header: 'x-who', claim: 'sub' }], outputPayloadToHeader: 'x-payload' };
    const forged = { 'x-who': 'root', 'x-payload': 'e30' };
    const call = bearer(await token());
    await judged(rig, [believed(output)], [[call, 200]]);
    await eventually(async () => expect((await received(rig, call))['x-who']).toBe('ann'));
    const headers = await received(rig, { headers: { ...call.headers, ...forged } });
    expect([headers['x-who'], JSON.parse(Buffer.from(headers['x-payload'] ?? '', 'base64url').toString()).sub]).toEqual(['ann', 'ann']);
    const without = await received(rig, { headers: forged });
    expect(without).not.toHaveProperty('x-who');
    expect(without).not.toHaveProperty('x-payload');
  },
);

behaviour('JWT-014', 'jwtRules.jwksUri', 'keys are fetched and kept; while there are none, no token is believed', async (rig) => {
  const rule = (name: string) =>
    policy('RequestAuthentication', { jwtRules: [{ issuer: ISSUER, jwksUri: `http://${ADDRESS}:${port}/${name}`, timeout: '2s' }] });
  const call = bearer(await token());
  isDown = true;
  await judged(
    rig,
    [rule('down'), by('*')],
    [
      [call, 401],
      [{}, 403],
    ],
  );
  isDown = false;
  await judged(
    rig,
    [rule('down'), by('*')],
    [
      [call, 200],
      [bearer(await stranger.token()), 401],
    ],
  );
  isDown = true;
  expect((await rig.call(call)).status).toBe(200);
  isDown = false;
});

behaviour('JWT-015', 'jwtRules', 'tokens of several issuers, of one policy or of several', async (rig) => {
  const second = policy('RequestAuthentication', { jwtRules: [{ issuer: 'https://b.example', jwks: stranger.jwks }] }, { name: 'second' });
  await judged(
    rig,
    [believed(), second, by('*')],
    [
      [bearer(await token()), 200],
      [bearer(await stranger.token({ iss: 'https://b.example' })), 200],
      [bearer(await token({ iss: 'https://b.example' })), 401],
      [bearer(await stranger.token({ iss: 'https://c.example' })), 401],
    ],
  );
});

behaviour('JWT-016', 'selector.matchLabels', 'is for the workloads with these labels', async (rig) => {
  const selecting = (app: string) =>
    policy('RequestAuthentication', { selector: { matchLabels: { app } }, jwtRules: [{ issuer: ISSUER, jwks }] });
  await judged(rig, [selecting('reviews')], [[bearer('no.token.atall'), 401]]);
  await judged(rig, [selecting('ratings')], [[bearer('no.token.atall'), 200]]);
});
