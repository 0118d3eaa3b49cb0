/** VirtualService: what happens to the requests of a rule, but for time limits, retries and faults. */
import { expect } from 'vitest';
import { behavioursOf } from './kit/behaviour.ts';
import { always, rules, SUBSETS, to } from './kit/reviews-rules.ts';
import { policy, type Rig } from './kit/rig.ts';

const behaviour = behavioursOf({ net: 12 });

const HOST = 'reviews.bookinfo.svc.clusterset.local';

behaviour('VS-030', 'http.route.destination.subset', 'requests go to the subset alone', async (rig) => {
  await rig.policies(rules([{ route: to('v3') }]));
  expect((await rig.tally(30)).by).toEqual({ 'reviews-v3': 30 });
});

behaviour(
  'VS-031',
  'http.route.destination.host',
  'requests go to another service, named short, with its namespace, or in full',
  async (rig) => {
    for (const host of ['ratings', 'ratings.bookinfo', 'ratings.bookinfo.svc.cluster.local', 'ratings.bookinfo.svc.clusterset.local']) {
      await rig.policies(always({ route: [{ destination: { host } }] }));
      expect((await rig.call()).servedBy, host).toBe('ratings-v1');
    }
  },
);

behaviour('VS-032', 'http.route.destination.port', 'requests go to the port named, whichever was called', async (rig) => {
  await rig.policies(always({ route: [{ destination: { host: 'reviews', subset: 'v2', port: { number: 8080 } } }] }));
  expect((await rig.call()).servedBy).toBe('reviews-v2');
  const counted = await rig.client().admin(`/stats?filter=outbound\\|8080\\|v2\\|${HOST}.*upstream_rq_total`);
  expect(Number(/upstream_rq_total: (\d+)/.exec(counted)?.[1] ?? 0)).toBeGreaterThan(0);
});

behaviour(
  'VS-033',
  'http.route.weight',
  'requests are divided by weights, whatever they add up to, and weight 0 gets none',
  async (rig) => {
    const weights: readonly [string, number][] = [
      ['v1', 3],
      ['v2', 1],
      ['v3', 0],
    ];
    await rig.policies(always({ route: weights.flatMap(([version, weight]) => to(version, { weight })) }));
    const { by } = await rig.tally(600);
    // 6 standard deviations of a random choice among 600.
    expect(Math.abs((by['reviews-v2'] ?? 0) - 150)).toBeLessThan(64);
    expect(by['reviews-v3']).toBeUndefined();
  },
);

behaviour(
  'VS-034',
  'http.route.destination missing',
  'a destination that does not exist answers 503 and says which; its share of a split too',
  async (rig) => {
    await rig.policies(rules([{ route: to('v9') }]));
    expect(await rig.call()).toMatchObject({ status: 503, body: `hawser: no DestinationRule of ${HOST} has a subset v9\n` });
    await rig.policies(rules([{ route: [...to('v1', { weight: 50 }), ...to('v9', { weight: 50 })] }]));
    const { byStatus } = await rig.tally(80, { method: 'POST' });
    expect(byStatus[200] ?? 0).toBeGreaterThan(8);
    expect(byStatus[503] ?? 0).toBeGreaterThan(8);
  },
);

behaviour('VS-035', 'http.headers.request.set', 'a header of the request is set, whatever it was', async (rig) => {
  await rig.policies(always({ headers: { request: { set: { 'x-set': 'new', 'x-from': '%REQ(:method)% at 100%%' } } } }));
  const { got } = await rig.call({ headers: { 'x-set': 'old' } });
  expect(got?.headers).toMatchObject({ 'x-set': 'new', 'x-from': 'GET at 100%' });
});

behaviour('VS-036', 'http.headers.request.add', 'a value is added to a header of the request', async (rig) => {
  await rig.policies(always({ headers: { request: { add: { 'x-add': 'more' } } } }));
  expect((await rig.call({ headers: { 'x-add': 'one' } })).got?.headers['x-add']).toBe('one, more');
  expect((await rig.call()).got?.headers['x-add']).toBe('more');
});

behaviour('VS-037', 'http.headers.request.remove', 'a header of the request is taken away', async (rig) => {
  await rig.policies(always({ headers: { request: { remove: ['x-secret'] } } }));
  expect((await rig.call({ headers: { 'x-secret': 's', 'x-other': 'o' } })).got?.headers).toEqual(
    expect.not.objectContaining({ 'x-secret': expect.anything() }),
  );
});

behaviour('VS-038', 'http.headers.request.set host', 'the host of the request is set like a header', async (rig) => {
  await rig.policies(always({ headers: { request: { set: { Host: 'other.example.com' } } } }));
  expect((await rig.call()).got?.headers['host']).toBe('other.example.com');
});

behaviour('VS-039', 'http.headers.response', 'headers of the answer are set, added and removed', async (rig) => {
  const response = { set: { 'x-set': 'new' }, add: { 'x-add': 'more' }, remove: ['x-gone'] };
  await rig.policies(always({ headers: { response } }));
  const { headers } = await rig.call({ reply: { headers: { 'x-set': 'old', 'x-add': 'one', 'x-gone': 'here' } } });
  expect(headers).toMatchObject({ 'x-set': 'new', 'x-add': 'one, more' });
  expect(headers['x-gone']).toBeUndefined();
});

behaviour('VS-040', 'http.route.headers', 'a destination has header operations of its own, beside those of its rule', async (rig) => {
  const own = (version: string) => ({ request: { set: { 'x-version': version } }, response: { add: { 'x-answer': version } } });
  const route = [...to('v1', { weight: 50, headers: own('one') }), ...to('v2', { weight: 50, headers: own('two') })];
  await rig.policies(always({ route, headers: { request: { set: { 'x-rule': 'both' } } } }));
  const seen = await Promise.all(Array.from({ length: 40 }, () => rig.call()));
  const kinds = new Set(
    seen.map(({ servedBy, got, headers }) => `${servedBy} ${got?.headers['x-version']} ${headers['x-answer']} ${got?.headers['x-rule']}`),
  );
  expect([...kinds].sort()).toEqual(['reviews-v1 one one both', 'reviews-v2 two two both']);
});

behaviour('VS-041', 'http.route.headers single', 'a destination that is alone has them too, and may set the host', async (rig) => {
  await rig.policies(always({ route: to('v1', { headers: { request: { set: { host: 'inner.example.com', 'x-a': 'b' } } } }) }));
  expect((await rig.call()).got?.headers).toMatchObject({ host: 'inner.example.com', 'x-a': 'b' });
});

behaviour('VS-042', 'http.rewrite.uri prefix', 'of a path matched by prefix that prefix is replaced; the query stays', async (rig) => {
  await rig.policies(rules([{ match: [{ uri: { prefix: '/old/' } }], rewrite: { uri: '/new/' }, route: to('v1') }, { route: to('v2') }]));
  expect((await rig.call({ path: '/old/a/b?q=1' })).got?.path).toBe('/new/a/b?q=1');
  expect((await rig.call({ path: '/other' })).got?.path).toBe('/other');
});

behaviour('VS-043', 'http.rewrite.uri exact', 'of a path matched exactly or by an expression all is replaced', async (rig) => {
  const rewrite = { uri: '/whole' };
  await rig.policies(rules([{ match: [{ uri: { exact: '/one' } }, { uri: { regex: '/n/[0-9]+' } }], rewrite, route: to('v1') }]));
  expect((await rig.call({ path: '/one?q=1' })).got?.path).toBe('/whole?q=1');
  expect((await rig.call({ path: '/n/12' })).got?.path).toBe('/whole');
});

behaviour(
  'VS-044',
  'http.rewrite.uri without a match',
  'without a match on the path its leading slash is what is replaced, as in Istio',
  async (rig) => {
    await rig.policies(always({ rewrite: { uri: '/api/' } }));
    expect((await rig.call({ path: '/a/b' })).got?.path).toBe('/api/a/b');
  },
);

behaviour('VS-045', 'http.rewrite.uriRegexRewrite', 'parts of the path move by groups of an expression', async (rig) => {
  const uriRegexRewrite = { match: '^/service/([^/]+)(/.*)$', rewrite: '\\2/at/\\1' };
  await rig.policies(always({ rewrite: { uriRegexRewrite } }));
  expect((await rig.call({ path: '/service/foo/v1/api' })).got?.path).toBe('/v1/api/at/foo');
});

behaviour('VS-046', 'http.rewrite.authority', 'the host of the request is replaced', async (rig) => {
  await rig.policies(always({ rewrite: { authority: 'renamed.example.com' } }));
  expect((await rig.call()).got?.headers['host']).toBe('renamed.example.com');
});

behaviour(
  'VS-047',
  'http.redirect.uri, authority',
  'a caller is sent to another path on another host; 301 and nothing is forwarded',
  async (rig) => {
    await rig.policies(always({ redirect: { uri: '/there', authority: 'elsewhere.example.com' } }));
    expect(await rig.call({ path: '/here?q=1' })).toMatchObject({
      ...{ status: 301, servedBy: '' },
      headers: { location: 'http://elsewhere.example.com/there?q=1' },
    });
  },
);

behaviour('VS-048', 'http.redirect.scheme, port', 'a caller is sent to another scheme and port, the rest stays', async (rig) => {
  await rig.policies(always({ redirect: { scheme: 'https' } }));
  expect((await rig.call({ path: '/a?b=c' })).headers['location']).toBe(`https://${HOST}/a?b=c`);
  await rig.policies(always({ redirect: { port: 8443, scheme: 'https' } }));
  expect((await rig.call({ path: '/a' })).headers['location']).toBe(`https://${HOST}:8443/a`);
});

behaviour('VS-049', 'http.redirect.derivePort', 'the port is the one that was called, or the usual one of the scheme', async (rig) => {
  const location = async (): Promise<string | undefined> => (await rig.call({ host: `${HOST}:8080`, path: '/a' })).headers['location'];
  await rig.policies(always({ redirect: { authority: 'x.example.com', derivePort: 'FROM_REQUEST_PORT' } }));
  expect(await location()).toBe('http://x.example.com:8080/a');
  await rig.policies(always({ redirect: { authority: 'x.example.com', derivePort: 'FROM_PROTOCOL_DEFAULT' } }));
  expect(await location()).toBe('http://x.example.com/a');
});

behaviour('VS-050', 'http.redirect.redirectCode', 'the status is the one that was asked for', async (rig) => {
  for (const redirectCode of [302, 303, 307, 308]) {
    await rig.policies(always({ redirect: { uri: '/x', redirectCode } }));
    expect((await rig.call()).status).toBe(redirectCode);
  }
});

behaviour('VS-051', 'http.directResponse', 'the sidecar answers by itself, with a text or bytes, and headers of the rule', async (rig) => {
  const headers = { response: { set: { 'content-type': 'text/html' } } };
  await rig.policies(always({ directResponse: { status: 418, body: { string: 'a teapot' } }, headers }));
  expect(await rig.call()).toMatchObject({ status: 418, body: 'a teapot', servedBy: '', headers: { 'content-type': 'text/html' } });
  await rig.policies(always({ directResponse: { status: 200, body: { bytes: Buffer.from('raw').toString('base64') } } }));
  expect(await rig.call()).toMatchObject({ status: 200, body: 'raw' });
  await rig.policies(always({ directResponse: { status: 204 } }));
  expect(await rig.call()).toMatchObject({ status: 204, body: '' });
});

behaviour(
  'VS-052',
  'http.directResponse.body size',
  'a body of 100 kB is given, which is more than Envoy allows by itself',
  async (rig) => {
    await rig.policies(always({ directResponse: { status: 200, body: { string: 'x'.repeat(100_000) } } }));
    expect((await rig.call()).body.length).toBe(100_000);
  },
);

/** A VirtualService without hosts, for others to delegate to. */
const delegate = (http: unknown, metadata = {}): ReturnType<typeof policy> =>
  policy('VirtualService', { http }, { name: 'below', ...metadata });

behaviour(
  'VS-053',
  'http.delegate',
  'the rules of another VirtualService take the place of one that delegates, within its match',
  async (rig) => {
    const below = [{ match: [{ uri: { prefix: '/shop/cart' } }], route: to('v2') }, { route: to('v3') }];
    const root = [{ match: [{ uri: { prefix: '/shop' } }], delegate: { name: 'below' } }, { route: to('v1') }];
    await rig.policies([...rules(root), delegate(below)]);
    const served = async (path: string): Promise<string> => (await rig.call({ path })).servedBy;
    expect([await served('/shop/cart/1'), await served('/shop/x'), await served('/x')]).toEqual(['reviews-v2', 'reviews-v3', 'reviews-v1']);
  },
);

behaviour(
  'VS-054',
  'http.delegate conflicts',
  'a delegated rule that matches outside of the rule that delegates has no effect',
  async (rig) => {
    const below = [
      { match: [{ uri: { prefix: '/other' } }], route: to('v2') },
      { match: [{ headers: { 'x-a': { exact: '1' } } }], route: to('v3') },
    ];
    const root = [{ match: [{ uri: { prefix: '/shop' } }], delegate: { name: 'below' } }, { route: to('v1') }];
    await rig.policies([...rules(root), delegate(below)]);
    expect((await rig.call({ path: '/other' })).servedBy).toBe('reviews-v1');
    expect((await rig.call({ path: '/shop', headers: { 'x-a': '1' } })).servedBy).toBe('reviews-v3');
    expect((await rig.call({ path: '/x', headers: { 'x-a': '1' } })).servedBy).toBe('reviews-v1');
  },
);

behaviour('VS-055', 'http.delegate inherited', 'what a delegated rule does not say is taken from the rule that delegates', async (rig) => {
  const headers = { response: { set: { 'x-root': 'yes' } } };
  const below = [
    { match: [{ uri: { exact: '/own' } }], headers: { response: { set: { 'x-own': 'yes' } } }, route: to('v2') },
    { route: to('v2') },
  ];
  await rig.policies([...rules([{ delegate: { name: 'below' }, headers, rewrite: { uri: '/moved/' } }]), delegate(below)]);
  const [own, other] = [await rig.call({ path: '/own' }), await rig.call({ path: '/other' })];
  expect([own.headers['x-own'], own.headers['x-root'], own.got?.path]).toEqual(['yes', undefined, '/moved/']);
  expect([other.headers['x-root'], other.got?.path]).toEqual(['yes', '/moved/other']);
});

behaviour(
  'VS-056',
  'http.delegate.namespace',
  'a delegate of another namespace reads its hosts there; one that is missing answers 503',
  async (rig) => {
    const elsewhere = delegate([{ route: [{ destination: { host: 'ratings.bookinfo' } }] }], { namespace: 'teams' });
    const root = [
      { match: [{ uri: { prefix: '/team' } }], delegate: { name: 'below', namespace: 'teams' } },
      { delegate: { name: 'nobody' } },
    ];
    await rig.policies([...rules(root), elsewhere]);
    expect((await rig.call({ path: '/team' })).servedBy).toBe('ratings-v1');
    expect(await rig.call()).toMatchObject({
      status: 503,
      body: expect.stringContaining('there is no VirtualService nobody to delegate to'),
    });
  },
);

/** A VirtualService of its own name. */
const named = (name: string, hosts: readonly string[], http: unknown): ReturnType<typeof policy> =>
  policy('VirtualService', { hosts, http }, { name });

behaviour(
  'VS-057',
  'merging',
  'rules of several VirtualServices of one host are tried one after the other, the oldest first',
  async (rig) => {
    const match = [{ uri: { prefix: '/a' } }];
    const [first, second] = [
      named('zeta', ['reviews'], [{ match, route: to('v1') }]),
      named('alpha', ['reviews.bookinfo'], [{ match, route: to('v2') }, { route: to('v3') }]),
    ];
    await rig.policies([SUBSETS, first, second]);
    expect([(await rig.call({ path: '/a' })).servedBy, (await rig.call({ path: '/b' })).servedBy]).toEqual(['reviews-v1', 'reviews-v3']);
    await rig.policies([SUBSETS, second, first]);
    expect((await rig.call({ path: '/a' })).servedBy).toBe('reviews-v2');
  },
);

behaviour(
  'VS-058',
  'merging catch-alls',
  'a rule that takes everything comes after the rules of all others, and the oldest one counts',
  async (rig) => {
    const old = named('old', ['reviews'], [{ route: to('v1') }]);
    const young = named('young', ['reviews'], [{ match: [{ uri: { prefix: '/a' } }], route: to('v2') }, { route: to('v3') }]);
    await rig.policies([SUBSETS, old, young]);
    expect([(await rig.call({ path: '/a' })).servedBy, (await rig.call({ path: '/b' })).servedBy]).toEqual(['reviews-v2', 'reviews-v1']);
  },
);

/** Who answers at each of these hosts. */
async function answers(rig: Rig, ...hosts: string[]): Promise<string[]> {
  return Promise.all(hosts.map(async (host) => (await rig.call({ host })).servedBy));
}

behaviour('VS-059', 'hosts', 'a host is named short, with its namespace or in full, and means every spelling', async (rig) => {
  const spellings = ['reviews', 'reviews.bookinfo', 'reviews.bookinfo.svc.cluster.local', HOST];
  for (const host of spellings) {
    await rig.policies([SUBSETS, named('one', [host], [{ route: to('v2') }])]);
    expect(await answers(rig, 'reviews.bookinfo', 'reviews.bookinfo.svc', HOST), host).toEqual(Array(3).fill('reviews-v2'));
  }
});

behaviour('VS-060', 'hosts short', 'a short host is read in the namespace of the VirtualService', async (rig) => {
  const other = policy('VirtualService', { hosts: ['reviews'], http: [{ route: to('v2') }] }, { namespace: 'other' });
  await rig.policies([SUBSETS, other, named('one', ['reviews'], [{ route: to('v1') }])]);
  expect(await answers(rig, HOST)).toEqual(['reviews-v1']);
});

behaviour('VS-061', 'hosts wildcard', 'a wildcard is for every service below it that no VirtualService names', async (rig) => {
  const direct = (text: string): unknown => [{ directResponse: { status: 200, body: { string: text } } }];
  const all = named('all', ['*.bookinfo.svc.cluster.local'], direct('all'));
  await rig.policies([SUBSETS, all, named('one', ['reviews'], [{ route: to('v2') }])]);
  expect((await rig.call({ host: 'ratings.bookinfo' })).body).toBe('all');
  expect(await answers(rig, HOST)).toEqual(['reviews-v2']);
});

behaviour('VS-062', 'hosts wildcard order', 'of several wildcards the longest is obeyed', async (rig) => {
  const direct = (text: string): unknown => [{ directResponse: { status: 200, body: { string: text } } }];
  const [wide, near] = [
    named('wide', ['*.cluster.local'], direct('wide')),
    named('near', ['*.bookinfo.svc.cluster.local'], direct('near')),
  ];
  await rig.policies([wide, near]);
  expect((await rig.call()).body).toBe('near');
});

behaviour(
  'VS-063',
  'hosts without a service',
  'a host that no service has is called by its rules alone, at port 80; a wildcard of such too',
  async (rig) => {
    const http = [
      { match: [{ uri: { prefix: '/v2' } }], route: to('v2') },
      { match: [{ uri: { prefix: '/r' } }], route: [{ destination: { host: 'ratings' } }] },
    ];
    await rig.policies([SUBSETS, named('away', ['api.example.com', '*.old.example.com', 'gone'], http)]);
    for (const host of [
      'api.example.com',
      'api.example.com:80',
      'any.old.example.com',
      'gone.bookinfo',
      'gone.bookinfo.svc.cluster.local',
    ]) {
      expect([(await rig.call({ host, path: '/v2' })).servedBy, (await rig.call({ host, path: '/r' })).servedBy], host).toEqual([
        'reviews-v2',
        'ratings-v1',
      ]);
    }
    expect((await rig.call({ host: 'api.example.com' })).body).toContain('no rule of the VirtualServices of api.example.com matches');
    expect((await rig.call({ host: 'old.example.com' })).body).toContain('no service has this host');
  },
);

behaviour('VS-064', 'hosts that get a service', 'rules of a host stay when a service of that name comes and goes', async (rig) => {
  const host = 'late.bookinfo.svc.clusterset.local';
  await rig.policies([SUBSETS, named('late', ['late'], [{ route: to('v3') }])]);
  expect(await answers(rig, host)).toEqual(['reviews-v3']);
  rig.mesh.service('bookinfo/late', 'east', { endpoints: [] });
  await rig.settled();
  expect(await answers(rig, host)).toEqual(['reviews-v3']);
  await rig.policies([]);
  expect((await rig.call({ host })).status).toBe(503);
});
