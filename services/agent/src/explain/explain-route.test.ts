/** The decisions of Envoy's route table, one by one; `test/behaviour/explain-route.test.ts` holds them against a real Envoy. */
import { create, toBinary } from '@bufbuild/protobuf';
import { ListenerSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import { RouteMatchSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import { RouteConfigurationSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_pb.ts';
import { FractionalPercent_DenominatorType as Denominator } from '@hawser/xds/generated/envoy/type/v3/percent_pb.ts';
import { describe, expect, it, test } from 'vitest';
import type { XdsResource } from '../snapshot/resource.ts';
import { outboundListener, tcpListener } from '../translate/listeners/outbound-listeners.ts';
import { OUTBOUND, upstreamName } from '../translate/names.ts';
import type { Init } from '../translate/wire-values.ts';
import { explainRoute } from './explain-route.ts';
import { chainOfConnection } from './filter-chain-matching.ts';
import { regexTest } from './re2.ts';
import { type ExplainedRequest, judgeRoute } from './route-matching.ts';
import { virtualHostFor } from './virtual-host-matching.ts';

type MatchInit = Init<typeof RouteMatchSchema>;

const REQUEST: ExplainedRequest = {
  ...{ method: 'GET', scheme: 'http', authority: 'a.example.com:8080', path: '/a/b?x=1&y&x=2' },
  headers: { 'x-number': '7', 'x-text': 'some text' },
};
const ROOT = { pathSpecifier: { case: 'prefix' as const, value: '/' } };
const judge = (match: MatchInit, request: Partial<ExplainedRequest> = {}) =>
  judgeRoute(create(RouteMatchSchema, match), { ...REQUEST, ...request }, regexTest());
const header = (specifier: NonNullable<NonNullable<MatchInit['headers']>[number]>): MatchInit => ({ ...ROOT, headers: [specifier] });
const text = (name: string, value: string) => ({
  name,
  headerMatchSpecifier: { case: 'stringMatch' as const, value: { matchPattern: { case: 'exact' as const, value } } },
});

describe('a route takes a request', () => {
  it.each<[string, MatchInit]>([
    ['by a path without its query', { pathSpecifier: { case: 'path', value: '/a/b' } }],
    ['by a path in another case', { pathSpecifier: { case: 'path', value: '/A/B' }, caseSensitive: false }],
    ['by a prefix that ends in the middle of a segment', { pathSpecifier: { case: 'prefix', value: '/a/' } }],
    ['by a prefix of whole segments', { pathSpecifier: { case: 'pathSeparatedPrefix', value: '/a' } }],
    ['by an expression for the whole path', { pathSpecifier: { case: 'safeRegex', value: { regex: '/a/[[:alpha:]]' } } }],
    ['by a part of the request line', header(text(':authority', 'a.example.com:8080'))],
    ['by a header that is absent', header({ name: 'x-none', headerMatchSpecifier: { case: 'presentMatch', value: false } })],
    [
      'by a header that is not there, inverted',
      header({ name: 'x-none', invertMatch: true, headerMatchSpecifier: { case: 'presentMatch', value: true } }),
    ],
    ['by a number in a range', header({ name: 'x-number', headerMatchSpecifier: { case: 'rangeMatch', value: { start: 7n, end: 8n } } })],
    [
      'by a missing header that counts as empty, inverted',
      header({ ...text('x-none', 'a'), invertMatch: true, treatMissingHeaderAsEmpty: true }),
    ],
    [
      'by the first value of a query parameter',
      {
        ...ROOT,
        queryParameters: [
          { name: 'x', queryParameterMatchSpecifier: { case: 'stringMatch', value: { matchPattern: { case: 'exact', value: '1' } } } },
        ],
      },
    ],
    [
      'by a query parameter without a value',
      { ...ROOT, queryParameters: [{ name: 'y', queryParameterMatchSpecifier: { case: 'presentMatch', value: true } }] },
    ],
  ])('%s', (_name, match) => expect(judge(match)).toEqual({ share: 1, why: '' }));

  it('in part, where a fraction says so', () => {
    const match = { ...ROOT, runtimeFraction: { defaultValue: { numerator: 2_500, denominator: Denominator.TEN_THOUSAND } } };
    expect(judge(match).share).toBe(0.25);
  });
});

describe('a route lets a request pass, and says why', () => {
  it.each<[MatchInit, string]>([
    [{ pathSpecifier: { case: 'path', value: '/a' } }, 'the path /a/b is not /a'],
    [{ pathSpecifier: { case: 'prefix', value: '/A' } }, 'the path /a/b is not /A…'],
    [{ pathSpecifier: { case: 'pathSeparatedPrefix', value: '/a/' } }, 'the path /a/b is not /a/ or /a//…'],
    [{ pathSpecifier: { case: 'safeRegex', value: { regex: '/a' } } }, 'the path /a/b is not //a/'],
    [header(text(':method', 'POST')), 'the method, GET, is not POST'],
    [header(text('x-none', 'a')), 'the header x-none is missing'],
    [header({ ...text('x-none', 'a'), invertMatch: true }), 'the header x-none is missing'],
    [header({ ...text('x-text', 'some text'), invertMatch: true }), 'the header x-text, some text, is not not some text'],
    [
      header({ name: 'x-number', headerMatchSpecifier: { case: 'rangeMatch', value: { start: 1n, end: 7n } } }),
      'the header x-number, 7, is not from 1 to below 7',
    ],
    [
      { ...ROOT, queryParameters: [{ name: 'z', queryParameterMatchSpecifier: { case: 'presentMatch', value: true } }] },
      'the query parameter z is missing',
    ],
    [{ ...ROOT, grpc: {} }, 'it is for gRPC'],
  ])('in case %#', (match, why) => expect(judge(match)).toEqual({ share: 0, why }));

  it('does not hang on an expression that another engine would take', () => {
    const { share, why } = judge({ pathSpecifier: { case: 'safeRegex', value: { regex: '/(a+)+b' } } }, { path: `/${'a'.repeat(64)}` });
    expect([share, why]).toEqual([0, expect.stringMatching(/cannot be said$/)]);
  });
});

test('a virtual host is found by the exact name, the longest suffix, the longest prefix, then any', () => {
  const hosts = ['a.b', '*.c.a.b', '*.a.b', 'x.*', 'x.y.*', '*'].map((domain) => ({ name: domain, domains: [domain] }));
  const config = create(RouteConfigurationSchema, { virtualHosts: hosts });
  const of = (authority: string) => virtualHostFor(config.virtualHosts, authority)?.domain;
  expect(['A.B', 'q.c.a.b', 'q.a.b', 'x.q', 'x.y.q', '.a.b', 'q'].map(of)).toEqual(['a.b', '*.c.a.b', '*.a.b', 'x.*', 'x.y.*', '*', '*']);
  expect(virtualHostFor([], 'a.b')).toBeUndefined();
});

describe('explainRoute', () => {
  const upstream = upstreamName(80, 'v1', 'a.b.svc.clusterset.local');
  const resources = (routes: Init<typeof RouteConfigurationSchema>): readonly XdsResource[] => {
    const bytes = toBinary(RouteConfigurationSchema, create(RouteConfigurationSchema, { name: OUTBOUND, ...routes }));
    return [outboundListener('127.0.0.1'), { type: 'RDS', name: OUTBOUND, version: '', bytes }];
  };
  const explain = (url: string, all: readonly XdsResource[]) =>
    explainRoute(
      { method: 'GET', url, headers: {} },
      {
        get: (type, name) => all.find((one) => one.type === type && one.name === name),
        names: (type) => all.filter((one) => one.type === type).map(({ name }) => name),
      },
    );

  it('goes on after a route that takes a part, and names each share', () => {
    const to = (cluster: string) => ({ case: 'route' as const, value: { clusterSpecifier: { case: 'cluster' as const, value: cluster } } });
    const half = { numerator: 25, denominator: Denominator.HUNDRED };
    const all = resources({
      virtualHosts: [
        {
          name: 'a',
          domains: ['*'],
          routes: [
            { match: { ...ROOT, runtimeFraction: { defaultValue: half } }, action: to(upstream) },
            { match: ROOT, action: to('other') },
          ],
        },
      ],
    });
    expect(explain('http://a/', all)).toMatchObject({
      taken: [
        {
          share: 25,
          upstreams: [{ cluster: upstream, subset: 'v1', port: 80, endpoints: [], effects: ['the proxy was not sent this upstream'] }],
        },
        { share: 75, upstreams: [{ cluster: 'other' }] },
      ],
    });
  });

  it('says what is missing', () => {
    const nobody = resources({ virtualHosts: [{ name: 'a', domains: ['a'], routes: [] }] });
    expect(explain('http://b/', nobody)).toEqual({ error: expect.stringMatching(/no virtual host .* takes b/) });
    expect(explain('http://a/', nobody)).toMatchObject({ taken: [], passed: [] });
    expect(explain('https://a/', nobody)).toEqual({ error: expect.stringMatching(/does not read TLS/) });
    expect(explain('tcp://a:80', nobody)).toEqual({ error: expect.stringMatching(/no listener for connections to a:80/) });
    expect(explain('tcp://a', nobody)).toEqual({ error: expect.stringMatching(/has no port/) });
    const mongo = tcpListener('127.0.0.1', { host: 'db.b.svc.clusterset.local', port: 5000, listenerPort: 16_000 });
    for (const host of ['db.b', 'db.b.svc.clusterset.local'])
      expect(explain(`http://${host}:5000/`, [...nobody, mongo])).toEqual({
        error: expect.stringMatching(/takes TCP: ask for tcp:/),
      });
    expect(explain('http://db.b:5001/', [...nobody, mongo])).toEqual({
      error: expect.stringMatching(/no virtual host .* takes db.b:5001/),
    });
    expect(explain('ftp://a/', nobody)).toEqual({ error: expect.stringMatching(/is no URL/) });
    expect(explain('http://a/', [])).toEqual({ error: expect.stringMatching(/listens for nothing at port 80/) });
  });
});

describe('a connection', () => {
  const HERE = { destinationPort: 5000, prefixRanges: [{ addressPrefix: '240.0.0.1', prefixLen: 32 }] };
  const listener = create(ListenerSchema, {
    filterChains: [
      { name: 'address', filterChainMatch: HERE },
      { name: 'server', filterChainMatch: { ...HERE, serverNames: ['a.example.com'], transportProtocol: 'tls' } },
      { name: 'suffix', filterChainMatch: { ...HERE, serverNames: ['*.example.com'], transportProtocol: 'tls' } },
      { name: 'range', filterChainMatch: { destinationPort: 5000, prefixRanges: [{ addressPrefix: '240.0.0.0', prefixLen: 8 }] } },
      { name: 'http', filterChainMatch: { applicationProtocols: ['http/1.1'], transportProtocol: 'raw_buffer' } },
      { name: 'caller', filterChainMatch: { sourcePrefixRanges: [{ addressPrefix: '10.0.0.0', prefixLen: 8 }] } },
    ],
    defaultFilterChain: { name: 'default' },
  });

  it.each([
    ['240.0.0.1', 5000, undefined, 'address'],
    ['240.0.0.1', 5000, 'a.example.com', 'server'],
    ['240.0.0.1', 5000, 'b.example.com', 'suffix'],
    ['240.0.0.1', 5000, 'c.example.org', 'address'],
    ['240.0.0.2', 5000, 'a.example.com', 'range'],
    ['10.0.0.1', 5000, undefined, 'default'],
    ['240.0.0.1', 5001, undefined, 'default'],
  ])('to %s:%i, server name %s, is of the chain %s', (address, port, serverName, name) => {
    expect(chainOfConnection(listener, { address, port, serverName })?.name).toBe(name);
  });
});
