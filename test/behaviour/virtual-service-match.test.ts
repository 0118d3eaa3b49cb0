/** VirtualService: which requests a rule is for. What matches goes to v2, all else to v1. */
import { expect } from 'vitest';
import { behavioursOf } from './kit/behaviour.ts';
import { matching, rules, to } from './kit/reviews-rules.ts';
import { policy, type Rig, type RigCall } from './kit/rig.ts';

const behaviour = behavioursOf({ net: 10 });

/** What of these calls matched. */
async function matched(rig: Rig, calls: readonly RigCall[]): Promise<boolean[]> {
  const answers = await Promise.all(calls.map((call) => rig.call(call)));
  for (const { servedBy, body } of answers) expect(['reviews-v1', 'reviews-v2'], body).toContain(servedBy);
  return answers.map(({ servedBy }) => servedBy === 'reviews-v2');
}

/** Each path, or set of headers, as a call. */
const paths = (...all: string[]): RigCall[] => all.map((path) => ({ path }));
const headers = (...all: Record<string, string>[]): RigCall[] => all.map((one) => ({ headers: one }));

behaviour('VS-001', 'http.match.uri.exact', 'a path is compared whole, without its query', async (rig) => {
  await rig.policies(matching({ uri: { exact: '/exact' } }));
  expect(await matched(rig, paths('/exact', '/exact?q=1', '/exact/more', '/Exact'))).toEqual([true, true, false, false]);
});

behaviour('VS-002', 'http.match.uri.prefix', 'a path is compared by its beginning, in the middle of a word too', async (rig) => {
  await rig.policies(matching({ uri: { prefix: '/pre' } }));
  expect(await matched(rig, paths('/prefixed', '/pre/x', '/Pre', '/x/pre'))).toEqual([true, true, false, false]);
});

behaviour('VS-003', 'http.match.uri.regex', 'an expression is for the whole path, without its query', async (rig) => {
  await rig.policies(matching({ uri: { regex: '/item/[0-9]+' } }));
  expect(await matched(rig, paths('/item/12', '/item/12?x=y', '/item/12/more', '/item/x'))).toEqual([true, true, false, false]);
});

behaviour('VS-004', 'http.match.ignoreUriCase', 'exact and prefix paths are compared whatever their case', async (rig) => {
  await rig.policies(matching({ uri: { prefix: '/Mixed' }, ignoreUriCase: true }, { uri: { exact: '/WHOLE' }, ignoreUriCase: true }));
  expect(await matched(rig, paths('/mIXed/x', '/whole', '/whole/x'))).toEqual([true, true, false]);
});

behaviour('VS-005', 'http.match.method', 'the method is compared, by prefix and expression too', async (rig) => {
  const methods = ['POST', 'PUT', 'GET', 'DELETE', 'PATCH'].map((method) => ({ method }));
  await rig.policies(matching({ method: { exact: 'POST' } }));
  expect(await matched(rig, methods)).toEqual([true, false, false, false, false]);
  await rig.policies(matching({ method: { prefix: 'P' } }));
  expect(await matched(rig, methods)).toEqual([true, true, false, false, true]);
  await rig.policies(matching({ method: { regex: 'GET|DELETE' } }));
  expect(await matched(rig, methods)).toEqual([false, false, true, true, false]);
});

behaviour('VS-006', 'http.match.scheme', 'the scheme that the caller names is compared', async (rig) => {
  await rig.policies(matching({ scheme: { exact: 'http' } }));
  expect(await matched(rig, [{}, { http2: true }])).toEqual([true, true]);
  await rig.policies(matching({ scheme: { exact: 'https' } }));
  expect(await matched(rig, [{}, { http2: true }])).toEqual([false, false]);
});

behaviour('VS-007', 'http.match.authority', 'the host that the caller names is compared, as it was spelled', async (rig) => {
  await rig.policies(matching({ authority: { prefix: 'reviews.bookinfo.svc.cluster.' } }));
  const hosts = ['reviews.bookinfo.svc.cluster.local', 'reviews.bookinfo.svc.clusterset.local', 'reviews.bookinfo'];
  expect(
    await matched(
      rig,
      hosts.map((host) => ({ host })),
    ),
  ).toEqual([true, false, false]);
});

behaviour('VS-008', 'http.match.headers', 'headers are compared by text, prefix and expression; all must match', async (rig) => {
  await rig.policies(matching({ headers: { 'x-a': { exact: '1' }, 'x-b': { prefix: 'be' }, 'x-c': { regex: 'c+' } } }));
  const calls = headers({ 'x-a': '1', 'x-b': 'bee', 'x-c': 'cc' }, { 'x-a': '1', 'x-b': 'bee' }, { 'x-a': '11', 'x-b': 'bee', 'x-c': 'c' });
  expect(await matched(rig, calls)).toEqual([true, false, false]);
});

behaviour('VS-009', 'http.match.headers present', 'an empty match asks only that the header is there', async (rig) => {
  await rig.policies(matching({ headers: { 'x-any': {} } }));
  expect(await matched(rig, headers({ 'x-any': 'thing' }, {}))).toEqual([true, false]);
  await rig.policies(matching({ headers: { 'x-any': { regex: '*' } } }));
  expect(await matched(rig, headers({ 'x-any': 'thing' }, {}))).toEqual([true, false]);
});

behaviour(
  'VS-010',
  'http.match.headers values',
  'the value of a header keeps its case in the comparison, its name does not',
  async (rig) => {
    await rig.policies(matching({ headers: { 'x-user': { exact: 'Jason' } } }));
    expect(await matched(rig, headers({ 'X-User': 'Jason' }, { 'x-user': 'jason' }))).toEqual([true, false]);
  },
);

behaviour('VS-011', 'http.match.withoutHeaders', 'requests without such a value match, also those without the header', async (rig) => {
  await rig.policies(matching({ withoutHeaders: { 'x-user': { exact: 'jason' } } }));
  expect(await matched(rig, headers({ 'x-user': 'jason' }, { 'x-user': 'kate' }, {}))).toEqual([false, true, true]);
});

behaviour('VS-012', 'http.match.withoutHeaders present', 'an empty match asks that the header is not there', async (rig) => {
  await rig.policies(matching({ withoutHeaders: { 'x-user': {} } }));
  expect(await matched(rig, headers({ 'x-user': 'jason' }, {}))).toEqual([false, true]);
});

behaviour('VS-013', 'http.match.queryParams', 'parameters are compared by text, prefix and expression; all must match', async (rig) => {
  await rig.policies(matching({ queryParams: { a: { exact: '1' }, b: { prefix: 'be' }, c: { regex: '[0-9]+' } } }));
  expect(await matched(rig, paths('/?a=1&b=bee&c=77', '/?c=7&b=be&a=1', '/?a=1&b=bee&c=x', '/?a=1&b=bee', '/'))).toEqual([
    ...[true, true],
    ...[false, false, false],
  ]);
});

behaviour(
  'VS-014',
  'http.match.queryParams present',
  'an empty match asks only that the parameter is there; an empty text that it is empty',
  async (rig) => {
    await rig.policies(matching({ queryParams: { debug: {} } }));
    expect(await matched(rig, paths('/?debug=1', '/?debug', '/?other=1'))).toEqual([true, true, false]);
    await rig.policies(matching({ queryParams: { debug: { exact: '' } } }));
    expect(await matched(rig, paths('/?debug', '/?debug=1'))).toEqual([true, false]);
  },
);

behaviour('VS-015', 'http.match.port', 'a match with a port is for calls to that port of the service', async (rig) => {
  await rig.policies(matching({ port: 8080 }));
  const host = 'reviews.bookinfo.svc.clusterset.local';
  expect(await matched(rig, [{ host: `${host}:8080` }, { host }, { host: `${host}:80` }])).toEqual([true, false, false]);
});

behaviour('VS-016', 'http.match several', 'conditions of one match must all hold, of several matches one is enough', async (rig) => {
  await rig.policies(matching({ uri: { prefix: '/a' }, method: { exact: 'POST' } }, { headers: { 'x-b': { exact: '1' } } }));
  const calls = [{ path: '/a', method: 'POST' }, { path: '/a' }, { path: '/b', method: 'POST' }, { path: '/b', headers: { 'x-b': '1' } }];
  expect(await matched(rig, calls)).toEqual([true, false, false, true]);
});

behaviour('VS-017', 'http order', 'the first rule that matches is taken', async (rig) => {
  const match = [{ uri: { prefix: '/v' } }];
  await rig.policies(rules([{ match, route: to('v2') }, { match: [{ uri: { exact: '/v3' } }], route: to('v3') }, { route: to('v1') }]));
  expect((await rig.call({ path: '/v3' })).servedBy).toBe('reviews-v2');
  await rig.policies(rules([{ match: [{ uri: { exact: '/v3' } }], route: to('v3') }, { match, route: to('v2') }, { route: to('v1') }]));
  expect((await rig.call({ path: '/v3' })).servedBy).toBe('reviews-v3');
});

behaviour('VS-018', 'http without a match', 'a request that no rule matches is answered 404, and told so', async (rig) => {
  await rig.policies(rules([{ match: [{ uri: { prefix: '/known' } }], route: to('v1') }]));
  expect((await rig.call({ path: '/known' })).servedBy).toBe('reviews-v1');
  const unknown = await rig.call({ path: '/other' });
  expect(unknown).toMatchObject({ status: 404, servedBy: '' });
  expect(unknown.body).toContain('no rule of the VirtualServices of reviews.bookinfo.svc.clusterset.local matches');
});

behaviour('VS-019', 'http after a rule without match', 'a rule behind one that takes everything is never reached', async (rig) => {
  await rig.policies(rules([{ route: to('v1') }, { match: [{ uri: { prefix: '/x' } }], route: to('v2') }]));
  expect((await rig.call({ path: '/x' })).servedBy).toBe('reviews-v1');
});

behaviour('VS-020', 'http.match.statPrefix', "the sidecar counts the route's requests under this name", async (rig) => {
  await rig.policies(matching({ uri: { prefix: '/counted' }, statPrefix: 'tally' }));
  const count = async (): Promise<number> => {
    const text = await rig.client().admin('/stats?filter=route\\.tally\\.upstream_rq_total');
    return [...text.matchAll(/: (\d+)/g)].reduce((sum, [, value]) => sum + Number(value), 0);
  };
  const before = await count();
  await Promise.all([rig.call({ path: '/counted' }), rig.call({ path: '/counted', method: 'POST' }), rig.call({ path: '/other' })]);
  expect((await count()) - before).toBe(2);
});

behaviour('VS-021', 'http.name, http.match.name', 'the names of rule and match name the route, as access logs show it', async (rig) => {
  const headers = { response: { set: { 'x-route': '%ROUTE_NAME%' } } };
  await rig.policies(rules([{ name: 'rule', headers, match: [{ name: 'match', uri: { prefix: '/' } }], route: to('v1') }]));
  expect((await rig.call()).headers['x-route']).toBe('rule.match');
});

behaviour('VS-022', 'http.match.gateways', 'a match for a gateway alone is not for sidecars; one for mesh is', async (rig) => {
  await rig.policies(
    matching({ uri: { prefix: '/edge' }, gateways: ['ingress'] }, { uri: { prefix: '/inside' }, gateways: ['mesh', 'ingress'] }),
  );
  expect(await matched(rig, paths('/edge', '/inside'))).toEqual([false, true]);
});

behaviour('VS-023', 'gateways', 'a VirtualService for gateways alone does nothing to sidecars', async (rig) => {
  await rig.policies(rules([{ route: to('v3') }], { gateways: ['ingress'] }));
  const { by } = await rig.tally(60);
  expect(Object.keys(by).sort()).toEqual(['reviews-v1', 'reviews-v2', 'reviews-v3']);
  await rig.policies(rules([{ route: to('v3') }], { gateways: ['ingress', 'mesh'] }));
  expect((await rig.tally(20)).by).toEqual({ 'reviews-v3': 20 });
});

behaviour('VS-024', 'gateways', 'a VirtualService for gateways alone hides no wider one from sidecars', async (rig) => {
  const destination = { host: 'reviews.bookinfo.svc.cluster.local', subset: 'v3' };
  const wide = { hosts: ['*.bookinfo.svc.cluster.local', '*.bookinfo.svc.clusterset.local'], http: [{ route: [{ destination }] }] };
  await rig.policies([...rules([{ route: to('v2') }], { gateways: ['ingress'] }), policy('VirtualService', wide, { name: 'wide' })]);
  expect((await rig.tally(20)).by).toEqual({ 'reviews-v3': 20 });
});
