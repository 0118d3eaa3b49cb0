import fc from 'fast-check';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { KINDS } from './kinds.ts';
import { validateResource } from './validate.ts';
import { hawser, issuesOf, kind } from './validate-fixture.ts';
import { schemaProblems } from './validate-schema.ts';

const virtualService = (spec: object, metadata: object = {}): object => ({
  apiVersion: 'networking.istio.io/v1',
  kind: 'VirtualService',
  metadata: { name: 'reviews', namespace: 'bookinfo', ...metadata },
  spec: { hosts: ['reviews'], http: [{ route: [{ destination: { host: 'reviews' } }] }], ...spec },
});
const destinationRule = (spec: object): object => ({
  apiVersion: 'networking.istio.io/v1beta1',
  kind: 'DestinationRule',
  metadata: { name: 'reviews', namespace: 'bookinfo' },
  spec: { host: 'reviews', ...spec },
});
const routes = (...weights: readonly (number | undefined)[]): object => ({
  http: [
    {
      route: weights.map((weight, index) => ({
        destination: { host: 'reviews', subset: `v${index}` },
        ...(weight === undefined ? {} : { weight }),
      })),
    },
  ],
});

describe('a VirtualService', () => {
  it('of any served version comes out as the first, without status and what servers write', () => {
    const input = {
      ...virtualService(
        {},
        { uid: 'u', generation: 4, creationTimestamp: 't', managedFields: [], resourceVersion: '7', labels: { a: 'b' } },
      ),
      apiVersion: 'networking.istio.io/v1alpha3',
      status: { x: 1 },
    };
    expect(validateResource(input, kind('vs'))).toEqual({
      resource: {
        apiVersion: 'networking.istio.io/v1',
        kind: 'VirtualService',
        metadata: { name: 'reviews', namespace: 'bookinfo', labels: { a: 'b' }, resourceVersion: '7' },
        spec: { hosts: ['reviews'], http: [{ route: [{ destination: { host: 'reviews' } }] }] },
      },
    });
  });

  it.each<[string, object, readonly string[]]>([
    ['an unknown field', { foo: 1 }, ['spec.foo UnknownField']],
    [
      'an unknown field deep down',
      { http: [{ route: [{ destination: { host: 'a', zed: 1 } }] }] },
      ['spec.http[0].route[0].destination.zed UnknownField'],
    ],
    [
      'fields of Istio that Envoy has not',
      { http: [{ route: [{ destination: { host: 'a' } }], fault: { abort: { http2Error: 'REFUSED_STREAM', httpStatus: 500 } } }] },
      ['spec.http[0].fault.abort.http2Error NotImplemented'],
    ],
    ['weights of nothing', routes(0, 0), ['spec.http[0].route FieldValueInvalid']],
    ['no weights on two destinations', routes(undefined, undefined), ['spec.http[0].route FieldValueInvalid']],
    ['a negative weight', routes(-1, 101), ['spec.http[0].route[0].weight FieldValueInvalid']],
    [
      'a weight as text',
      { http: [{ route: [{ destination: { host: 'a' }, weight: '5' }] }] },
      ['spec.http[0].route[0].weight FieldValueInvalid'],
    ],
    ['no destination', { http: [{ route: [] }] }, ['spec.http[0].route FieldValueRequired']],
    ['no host', { http: [{ route: [{ destination: {} }] }] }, ['spec.http[0].route[0].destination.host FieldValueRequired']],
    ['what is no host', { hosts: ['reviews..example.com'] }, ['spec.hosts[0] FieldValueInvalid']],
    ['every host, without a gateway', { hosts: ['*'] }, ['spec.hosts[0] FieldValueInvalid']],
    ['one host twice', { hosts: ['reviews.bookinfo', 'Reviews.bookinfo'] }, ['spec.hosts[1] FieldValueDuplicate']],
    ['a bad duration', { http: [{ route: [{ destination: { host: 'a' } }], timeout: '5 s' }] }, ['spec.http[0].timeout FieldValueInvalid']],
    [
      'two kinds of match',
      { http: [{ match: [{ uri: { exact: 'a', prefix: 'b' } }], route: [{ destination: { host: 'a' } }] }] },
      ['spec.http[0].match[0].uri FieldValueInvalid'],
    ],
    [
      'an unknown match',
      { http: [{ match: [{ uri: { glob: 'a' } }], route: [{ destination: { host: 'a' } }] }] },
      ['spec.http[0].match[0].uri.glob UnknownField'],
    ],
    [
      'a bad expression',
      { http: [{ match: [{ headers: { 'user-agent': { regex: '(' } } }], route: [{ destination: { host: 'a' } }] }] },
      ['spec.http[0].match[0].headers.user-agent.regex FieldValueInvalid'],
    ],
    ['text where a list belongs', { hosts: 'reviews' }, ['spec.hosts FieldValueInvalid']],
  ])('with %s is refused there', (_title, spec, expected) => {
    expect([...issuesOf(virtualService(spec), 'vs')].sort()).toEqual([...expected].sort());
  });

  it.each<[string, object, readonly string[]]>([
    ['no namespace', { namespace: undefined }, ['metadata.namespace FieldValueRequired']],
    ['a bad name', { name: 'Reviews_1' }, ['metadata.name FieldValueInvalid']],
    ['no name', { name: undefined }, ['metadata.name FieldValueRequired']],
    [
      'a bad label',
      { labels: { 'a b': 'c', ok: 'not ok' } },
      ['metadata.labels["a b"] FieldValueInvalid', 'metadata.labels.ok FieldValueInvalid'],
    ],
    ['a number as a label', { labels: { a: 1 } }, ['metadata.labels.a FieldValueInvalid']],
    ['an unknown field', { nmae: 'x' }, ['metadata.nmae UnknownField']],
    ['finalizers', { finalizers: [] }, ['metadata.finalizers NotImplemented']],
    [
      'a selector that is none',
      { annotations: { 'hawser.dev/clusters': 'region in us' } },
      ['metadata.annotations["hawser.dev/clusters"] FieldValueInvalid'],
    ],
    ['a NUL', { annotations: { note: 'a\0b' } }, ['metadata.annotations.note FieldValueInvalid']],
    ['half a surrogate', { annotations: { note: '\ud800' } }, ['metadata.annotations.note FieldValueInvalid']],
    ['a foreign resourceVersion', { resourceVersion: 'abc' }, ['metadata.resourceVersion FieldValueInvalid']],
  ])('with %s in metadata is refused there', (_title, metadata, expected) => {
    expect(issuesOf(virtualService({}, metadata), 'vs')).toEqual(expected);
  });

  it('of another kind, version or shape is refused', () => {
    expect(issuesOf({ ...virtualService({}), apiVersion: 'networking.istio.io/v2' }, 'vs')).toEqual(['apiVersion FieldValueNotSupported']);
    expect(issuesOf({ ...virtualService({}), kind: 'Service' }, 'vs')).toEqual(['kind FieldValueInvalid']);
    expect(issuesOf({ ...virtualService({}), data: 1 }, 'vs')).toEqual(['data UnknownField']);
    expect(issuesOf(null, 'vs')).toEqual([' FieldValueInvalid']);
    expect(issuesOf([], 'vs')).toEqual([' FieldValueInvalid']);
  });
});

describe('what Istio takes', () => {
  const tls = (host: string, settings: object) => destinationRule({ host, trafficPolicy: { tls: settings } });
  it.each<[string, string, object]>([
    [
      'vs',
      'a service in several spellings',
      virtualService({ hosts: ['reviews', 'reviews.bookinfo', 'reviews.bookinfo.svc.cluster.local'] }),
    ],
    ['vs', 'weight 0 of the only destination', virtualService(routes(0))],
    ['vs', 'a delegate with empty lists', virtualService({ hosts: [], gateways: [], http: [{ route: [{ destination: { host: 'a' } }] }] })],
    [
      'vs',
      'names of headers in any case',
      virtualService({
        http: [{ match: [{ headers: { 'User-Agent': {} }, withoutHeaders: { 'X-A': {} } }], route: [{ destination: { host: 'a' } }] }],
      }),
    ],
    ['dr', 'a server name for an egress gateway', tls('egress.edge.svc.cluster.local', { mode: 'ISTIO_MUTUAL', sni: 'example.com' })],
    ['dr', 'TLS to a domain of two labels', tls('httpbin.org', { mode: 'SIMPLE' })],
  ])('%s: %s', (name, _title, input) => {
    expect(issuesOf(input, name)).toEqual([]);
  });

  it('but what would be no mutual TLS in the mesh', () => {
    expect(issuesOf(tls('reviews', { mode: 'SIMPLE' }), 'dr')).toEqual(['spec.trafficPolicy.tls.mode FieldValueInvalid']);
    expect(issuesOf(tls('reviews.bookinfo.svc', { mode: 'DISABLE' }), 'dr')).toEqual(['spec.trafficPolicy.tls.mode FieldValueInvalid']);
  });
});

describe('other kinds', () => {
  it.each<[string, string, object, readonly string[]]>([
    ['dr', 'a subset twice', destinationRule({ subsets: [{ name: 'v1' }, { name: 'v1' }] }), ['spec.subsets[1].name FieldValueDuplicate']],
    ['dr', 'a field of Istio', destinationRule({ trafficPolicy: { tunnel: {} } }), ['spec.trafficPolicy.tunnel NotImplemented']],
    ['dr', 'a foreign host', destinationRule({ host: 'example.com' }), []],
    ['dr', 'a host that nothing can have', destinationRule({ host: 'www..example.com' }), ['spec.host FieldValueInvalid']],
    ['cluster', 'a namespace', hawser('Cluster', { region: 'x' }), ['metadata.namespace FieldValueForbidden']],
    ['cluster', 'a dotted name', hawser('Cluster', { region: 'x' }, { name: 'a.b' }), ['metadata.name FieldValueInvalid']],
    ['cluster', "the hub's name", hawser('Cluster', { region: 'x' }, { name: 'hub' }), ['metadata.name FieldValueInvalid']],
    [
      'jointoken',
      "the hub's name",
      hawser('JoinToken', { cluster: 'hub', region: 'b' }, { name: 'x' }),
      ['spec.cluster FieldValueInvalid'],
    ],
    [
      'jointoken',
      'two days',
      hawser('JoinToken', { cluster: 'a', region: 'b', ttl: '48h' }, { name: 'x' }),
      ['spec.ttl FieldValueInvalid'],
    ],
    [
      'jointoken',
      'no time at all',
      hawser('JoinToken', { cluster: 'a', region: 'b', ttl: '0s' }, { name: 'x' }),
      ['spec.ttl FieldValueInvalid'],
    ],
  ])('%s with %s', (name, _title, input, expected) => {
    expect(issuesOf(input, name)).toEqual(expected);
  });

  /** RFC 1123: at most 63 letters, digits and inner hyphens. `hawser.dev` names may hold dots, those of clusters may not. */
  const labels = {
    good: ['a', '1', 'a-1', '0'.repeat(63), 'x--y'],
    bad: ['', '-a', 'a-', 'A', 'a_b', 'a.b', 'ä', 'a\n', '../a', 'a'.repeat(64)],
  };
  it.each<[string, (label: string) => object]>([
    ['cluster', (name) => hawser('Cluster', { region: 'x' }, { name })],
    ['cluster', (region) => hawser('Cluster', { region }, { name: 'x' })],
    ['jointoken', (cluster) => hawser('JoinToken', { cluster, region: 'x' }, { name: 'x' })],
    ['fp', (region) => hawser('FailoverPolicy', { order: [region] })],
    ['fp', (namespace) => hawser('FailoverPolicy', { order: ['x'] }, { name: 'x', namespace })],
    ['ts', (region) => hawser('TrafficShift', { services: ['x'], regions: { [region]: 100 } })],
  ])('%s: %s takes DNS labels alone', (name, make) => {
    for (const label of labels.good) expect([label, issuesOf(make(label), name)]).toEqual([label, []]);
    for (const label of labels.bad) expect([label, issuesOf(make(label), name).length]).toEqual([label, 1]);
  });

  it('fp: services are names of services or hosts of ServiceEntries', () => {
    const make = (service: string): object => hawser('FailoverPolicy', { order: ['x'], services: [service] });
    for (const name of [...labels.good, 'a.b', 'api.example.com']) expect([name, issuesOf(make(name), 'fp')]).toEqual([name, []]);
    for (const name of labels.bad.filter((bad) => bad !== 'a.b')) expect([name, issuesOf(make(name), 'fp').length]).toEqual([name, 1]);
  });

  it('messages name the way out', () => {
    const result = validateResource(virtualService({ Hosts: ['a'] }), kind('vs'));
    expect('issues' in result && result.issues[0]?.message).toContain('did you mean hosts?');
  });
});

describe('properties', () => {
  const json = fc.jsonValue({ maxDepth: 4 });

  it('whatever comes in, the answer is a resource or a list of issues', () => {
    fc.assert(
      fc.property(fc.constantFrom(...KINDS), json, json, (descriptor, metadata, spec) => {
        const apiVersion = `${descriptor.group}/${descriptor.versions[0]}`;
        const result = validateResource({ apiVersion, kind: descriptor.kind, metadata, spec }, descriptor);
        return 'issues' in result ? result.issues.length > 0 : result.resource.spec === spec;
      }),
    );
  });

  it('the walk finds a problem exactly when the compiled schema does (patterned keys apart)', () => {
    const near = fc.record(
      {
        hosts: fc.oneof(fc.array(fc.string()), json),
        http: fc.array(
          fc.record(
            {
              route: fc.array(
                fc.record(
                  { destination: fc.record({ host: fc.string(), subset: json }, { requiredKeys: [] }), weight: fc.integer() },
                  { requiredKeys: [] },
                ),
              ),
              timeout: fc.oneof(fc.constant('1s'), fc.string()),
              match: fc.array(
                fc.record({ uri: fc.dictionary(fc.constantFrom('exact', 'prefix', 'other'), fc.string()) }, { requiredKeys: [] }),
              ),
              extra: json,
            },
            { requiredKeys: [] },
          ),
        ),
      },
      { requiredKeys: [] },
    );
    const schema = kind('vs').spec;
    const compiled = Compile(schema);
    fc.assert(
      fc.property(fc.oneof(near, json), (value) => (schemaProblems(schema, value).length === 0) === compiled.Check(value)),
      { numRuns: 500 },
    );
  });
});
