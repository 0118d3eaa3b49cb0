/** What `hawser explain-route` says of random requests under random rules is what a real Envoy does with them. */
import type { ExplainRouteRequest, RouteExplanation } from '@hawser/wire/messages.ts';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CallOptions, Reply } from './kit/clients.ts';
import { DEFAULT_HOST } from './kit/clients.ts';
import { gateway, httpServer, site, startEdge } from './kit/edge.ts';
import { policy, type Rig, startRig } from './kit/rig.ts';

/** Of each of the sets of rules. */
const REQUESTS = 20;
const SETS = 8;

const SUBSETS = policy('DestinationRule', {
  host: 'reviews',
  subsets: ['v1', 'v2', 'v3'].map((version) => ({ name: version, labels: { version } })),
});

const TO_SECOND = { route: [{ destination: { host: 'reviews', subset: 'v2' } }] };

const word = fc.constantFrom('a', 'b', 'ab', 'A', 'ba');
const path = fc
  .tuple(fc.array(word, { maxLength: 3 }), fc.boolean())
  .map(([parts, slash]) => `/${parts.join('/')}${slash && parts.length > 0 ? '/' : ''}`);
const regex = fc.constantFrom('/a.*', '/(a|b)/?.*', '.*b', '/[ab]+', '(?i)/a.*', '/\\w+', '/a/b?');
const uri = fc.oneof(
  path.map((exact) => ({ exact })),
  path.map((prefix) => ({ prefix })),
  regex.map((text) => ({ regex: text })),
);
const text = fc.oneof(
  word.map((exact) => ({ exact })),
  word.map((prefix) => ({ prefix })),
  fc.constantFrom('a.*', '[ab]', 'a|b').map((found) => ({ regex: found })),
  fc.constant({}),
);
const named = fc.dictionary(fc.constantFrom('x-one', 'x-two'), text, { maxKeys: 2 });
const query = fc.dictionary(fc.constantFrom('q', 'r'), text, { maxKeys: 2 });
const some = <T>(arbitrary: fc.Arbitrary<T>) => fc.oneof({ arbitrary: fc.constant(undefined), weight: 3 }, { arbitrary, weight: 1 });

const match = fc
  .record({
    ...{
      uri: fc.option(uri, { nil: undefined, freq: 4 }),
      ignoreUriCase: some(fc.boolean()),
      headers: some(named),
      withoutHeaders: some(named),
      queryParams: some(query),
    },
    method: some(fc.constantFrom({ exact: 'GET' }, { exact: 'POST' }, { prefix: 'P' }, { regex: 'GET|DELETE' })),
    authority: some(fc.constantFrom({ prefix: 'reviews' }, { exact: 'ratings' }, { regex: '.*clusterset.*' })),
  })
  .map((found) => JSON.parse(JSON.stringify(found)) as object);
const forward = fc.constantFrom('v1', 'v2', 'v3').map((subset) => ({ route: [{ destination: { host: 'reviews', subset } }] }));
const action = fc.oneof(
  { arbitrary: forward, weight: 5 },
  { arbitrary: fc.constantFrom(418, 451).map((status) => ({ directResponse: { status } })), weight: 1 },
  { arbitrary: fc.constantFrom(302, 307).map((redirectCode) => ({ redirect: { uri: '/elsewhere', redirectCode } })), weight: 1 },
);
const rule = fc.tuple(fc.array(match, { minLength: 1, maxLength: 2 }), action).map(([matches, does]) => ({ match: matches, ...does }));
const rules = fc.array(rule, { minLength: 3, maxLength: 7 });
const request = fc.record({
  path: fc.tuple(path, fc.constantFrom('', '?q=a', '?q=b&r=ab', '?r', '?q=ba&q=a')).map(([at, asks]) => `${at}${asks}`),
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
  headers: fc.dictionary(fc.constantFrom('x-one', 'x-two', 'x-three'), word, { maxKeys: 3, noNullPrototype: true }),
});

describe('explained routes', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await startRig({ net: 171 });
  });
  afterAll(() => rig?.stop());

  const said = new Map<string, number>();
  const seed = Number(process.env['HAWSER_SEED'] ?? Date.now() % 1_000_000);
  test.each(Array.from({ length: SETS }, (_, index) => seed + index))(
    `are those that Envoy takes, under the rules of seed %i`,
    async (of) => {
      const [http = []] = fc.sample(rules, { seed: of, numRuns: 1 });
      await rig.policies([SUBSETS, policy('VirtualService', { hosts: ['reviews'], http })]);
      for (const call of fc.sample(request, { seed: of, numRuns: REQUESTS })) {
        const explained = explain(rig, call);
        said.set(saidOf(explained), (said.get(saidOf(explained)) ?? 0) + 1);
        const seen = seenOf(await rig.call(call));
        expect(saidOf(explained) === 'any' ? seen.slice(0, -1) : seen, JSON.stringify({ call, http, explained })).toBe(
          saidOf(explained).replace(/^any$/, 'reviews-v'),
        );
        for (const { why } of explained.passed) expect(why).not.toMatch(/cannot be|^$/);
      }
    },
  );

  test('were not all the same', () => {
    expect(said.size).toBeGreaterThanOrEqual(4);
  });

  test('tell rules, shares, what is done on the way, and endpoints', async () => {
    const split = [90, 10].map((weight, index) => ({ destination: { host: 'reviews', subset: `v${index + 1}` }, weight }));
    const narrow = {
      match: [{ uri: { prefix: '/x' } }, { headers: { who: { exact: 'me' } } }],
      fault: { abort: { httpStatus: 503, percentage: { value: 10 } } },
    };
    const http = [
      { ...narrow, route: [{ destination: { host: 'ratings' } }] },
      { route: split, timeout: '5s', rewrite: { uri: '/y' } },
    ];
    await rig.policies([SUBSETS, policy('VirtualService', { hosts: ['reviews'], http })]);
    const { passed, taken, virtualHost } = explain(rig, { path: '/a', headers: { who: 'you' } });
    const where = 'VirtualService/bookinfo/virtualservice';
    expect(passed).toEqual([
      { policy: where, rule: 'spec.http[0].match[0]', why: 'the path /a is not /x…' },
      { policy: where, rule: 'spec.http[0].match[1]', why: 'the header who, you, is not me' },
    ]);
    expect(taken).toMatchObject([
      {
        policy: where,
        rule: 'spec.http[1]',
        share: 100,
        action: 'forward',
        upstreams: [{ share: 90, subset: 'v1', port: 80 }, { share: 10 }],
      },
    ]);
    expect(taken[0]?.effects).toEqual(expect.arrayContaining(['timeout 5 s', 'what was matched of the path becomes /y']));
    expect(taken[0]?.upstreams[0]?.endpoints).toEqual([
      {
        address: expect.stringMatching(/^127\.81\.171\.21:/),
        locality: expect.stringMatching(/^east\/east-a/),
        priority: 0,
        weight: 1,
        health: 'HEALTHY',
      },
    ]);
    expect(virtualHost.domain).toBe(DEFAULT_HOST);
    const mine = explain(rig, { headers: { who: 'me' } }).taken[0];
    expect(mine).toMatchObject({ rule: 'spec.http[0].match[1]', effects: expect.arrayContaining(['fault: 10 % are answered 503']) });
    expect(explain(rig, { host: 'ratings.bookinfo' }).taken[0]).toMatchObject({
      upstreams: [{ host: 'ratings.bookinfo.svc.clusterset.local' }],
    });
    expect(explain(rig, { host: 'nobody.example.com' }).taken[0]).toMatchObject({
      action: 'answer',
      effects: [expect.stringMatching(/^is answered 404/)],
    });
  });

  test('are explained by what the caller alone is sent, where a Sidecar bounds it', async () => {
    const hosts = ['./reviews.bookinfo.svc.clusterset.local', '*/probe.bookinfo.svc.clusterset.local'];
    const bounds = policy('Sidecar', { egress: [{ hosts }], outboundTrafficPolicy: { mode: 'REGISTRY_ONLY' } });
    const elsewhere = { host: 'ratings.bookinfo.svc.clusterset.local' };
    await rig.policies([SUBSETS]);
    expect(explain(rig, elsewhere).taken[0]).toMatchObject({ action: 'forward', upstreams: [{ host: elsewhere.host }] });
    await rig.policies([SUBSETS, bounds, policy('VirtualService', { hosts: ['reviews'], http: [TO_SECOND] })]);
    for (const call of [{}, elsewhere]) {
      const reply = await rig.call(call);
      expect([call, saidOf(explain(rig, call))]).toEqual([call, seenOf(reply)]);
    }
    expect(saidOf(explain(rig, elsewhere))).not.toMatch(/ratings|reviews/);
    expect(() => rig.mesh.explain('east', { ...callerOf(rig), url: 'https://a.example.com/' })).toThrow('a sidecar does not read TLS');
  });

  test('are explained at the edge too: by port, wildcard, gateway and the redirect to HTTPS', async () => {
    const address = '127.81.171.5';
    const edge = await startEdge(rig, { address, name: 'site' });
    const tls = { httpsRedirect: true };
    await rig.policies([
      gateway('site', [httpServer(['*.example.com']), httpServer(['tls.example.org'], 8081, { tls })]),
      site(['a.example.com'], ['ingress/site'], [{ directResponse: { status: 201 } }]),
      site(['*.example.com'], ['ingress/site']),
      site(['tls.example.org'], ['ingress/site']),
    ]);
    const at = (url: string) => rig.mesh.explain('east', { proxy: `edge-${address}`, method: 'GET', url, headers: {} });
    await edge.expectCall(8080, { host: 'a.example.com:8080' }, { status: 201 });
    expect(at('http://a.example.com:8080/').taken).toMatchObject([
      { policy: 'VirtualService/bookinfo/a.example.com', effects: ['is answered 201'] },
    ]);
    await edge.expectCall(8080, { host: 'b.example.com' }, { status: 200 });
    expect(at('http://b.example.com:8080/x').taken).toMatchObject([{ rule: 'spec.http[0]', upstreams: [{ host: DEFAULT_HOST }] }]);
    await edge.expectCall(8081, { host: 'tls.example.org' }, { status: 301 });
    expect(at('http://tls.example.org:8081/').taken).toMatchObject([
      { action: 'redirect', effects: ['is redirected with 301 to scheme https'] },
    ]);
    expect(() => at('http://a.example.com:9999/')).toThrow('listens for nothing at port 9999');
  });
});

function callerOf(rig: Rig): Pick<ExplainRouteRequest, 'proxy' | 'method' | 'headers'> {
  return { proxy: `sidecar-${rig.clientAddress()}`, method: 'GET', headers: {} };
}

function explain(rig: Rig, { path: at = '/', method = 'GET', host = DEFAULT_HOST, headers = {} }: CallOptions): RouteExplanation {
  const single = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));
  return rig.mesh.explain('east', { proxy: `sidecar-${rig.clientAddress()}`, method, url: `http://${host}${at}`, headers: single });
}

function saidOf({ taken }: RouteExplanation): string {
  const [first, ...others] = taken;
  if (first === undefined || others.length > 0) return `${taken.length} routes`;
  if (first.action !== 'forward')
    return `status ${/\d{3}/.exec(first.effects.find((effect) => /^is (answered|redirected)/.test(effect)) ?? '')?.[0]}`;
  return `reviews-${first.upstreams[0]?.subset}`;
}

function seenOf({ servedBy, status }: Reply): string {
  return servedBy === '' ? `status ${status}` : servedBy;
}
