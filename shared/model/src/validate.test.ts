import fc from 'fast-check';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import { KINDS, type KindDescriptor, kindNamed } from './kinds.ts';
import type { Issue } from './resource.ts';
import { validateResource } from './validate.ts';
import { schemaProblems } from './validate-schema.ts';

function kind(name: string): KindDescriptor {
  const found = kindNamed(name);
  if (found === undefined) throw new Error(`no kind ${name}`);
  return found;
}

function issuesOf(input: unknown, name: string): readonly string[] {
  const result = validateResource(input, kind(name));
  return 'issues' in result ? result.issues.map(({ path, code }: Issue) => `${path} ${code}`) : [];
}

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
const hawser = (name: string, spec: unknown, metadata: object = { name: 'x', namespace: 'bookinfo' }): object => ({
  apiVersion: 'hawser.dev/v1alpha1',
  kind: name,
  metadata,
  spec,
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
    ['weight 0 alone', routes(0), ['spec.http[0].route[0].weight FieldValueInvalid']],
    [
      'a weight as text',
      { http: [{ route: [{ destination: { host: 'a' }, weight: '5' }] }] },
      ['spec.http[0].route[0].weight FieldValueInvalid'],
    ],
    ['no destination', { http: [{ route: [] }] }, ['spec.http[0].route FieldValueRequired']],
    ['no host', { http: [{ route: [{ destination: {} }] }] }, ['spec.http[0].route[0].destination.host FieldValueRequired']],
    ['what is no host', { hosts: ['reviews..example.com'] }, ['spec.hosts[0] FieldValueInvalid']],
    ['every host, without a gateway', { hosts: ['*'] }, ['spec.hosts[0] FieldValueInvalid']],
    ['one service twice', { hosts: ['reviews', 'reviews.bookinfo.svc.clusterset.local'] }, ['spec.hosts[1] FieldValueDuplicate']],
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

const drain = (course: object): object => hawser('Drain', { scope: { region: 'x' }, ...course }, { name: 'x' });

/** Everything that a shift may say of requests. */
const OF_REQUESTS = {
  services: ['a'],
  match: [{ headers: { 'x-a': { exact: '1' } }, uri: { prefix: '/a' }, method: { exact: 'GET' } }],
  headerRoute: { name: 'testers', match: { 'x-test': { exact: 'v2' } }, destination: 'v2' },
  mirror: { destination: 'v2', percent: 0.5 },
  stickiness: { cookie: { name: 'side', maxAge: '1h' } },
};
const SUBSETS = { ...OF_REQUESTS, subsets: { v1: 90, v2: 10 } };

const IN_STEPS = {
  services: ['a'],
  destinations: [
    { name: 'stable', subset: 'v1' },
    { name: 'canary', subset: 'v2' },
  ],
  steps: [{ setWeights: { stable: 90, canary: 10 } }, { pause: { duration: '5m' } }, { approval: {} }, { setWeights: { canary: 100 } }],
};
/** What is changed of a good shift in steps, and what is said of it. */
const STEPPED: readonly [string, object, readonly string[]][] = [
  ['steps', {}, []],
  ['steps in parts of 0.01 %', { totalWeight: 10_000, steps: [{ setWeights: { stable: 9_999, canary: 1 } }] }, []],
  ['steps that do not add up', { steps: [{ setWeights: { stable: 90, canary: 11 } }] }, ['spec.steps[0].setWeights FieldValueInvalid']],
  ['a start that does not add up', { start: { stable: 99 } }, ['spec.start FieldValueInvalid']],
  ['a destination that nobody knows', { steps: [{ setWeights: { other: 100 } }] }, ['spec.steps[0].setWeights.other FieldValueInvalid']],
  ['one destination', { destinations: [{ name: 'stable', subset: 'v1' }] }, ['spec.destinations FieldValueRequired']],
  [
    'destinations of two sorts',
    {
      destinations: [
        { name: 'stable', subset: 'v1' },
        { name: 'canary', region: 'x' },
      ],
    },
    ['spec.destinations[1] FieldValueInvalid'],
  ],
  ['no steps', { steps: [] }, ['spec.steps FieldValueRequired']],
  ['no destinations', { destinations: undefined }, ['spec.destinations FieldValueRequired']],
  ['a step of two sorts', { steps: [{ setWeights: { stable: 100 }, pause: {} }] }, ['spec.steps[0] FieldValueInvalid']],
  ['a step of nothing', { steps: [{}] }, ['spec.steps[0] FieldValueInvalid']],
  ['a pause of nothing', { steps: [{ pause: { duration: '0s' } }] }, ['spec.steps[0].pause.duration FieldValueInvalid']],
  ['a window that is too long', { advance: { observed: { window: '1h' } } }, ['spec.advance.observed.window FieldValueInvalid']],
  ['shares beside steps', { subsets: { v1: 100 } }, ['spec.subsets FieldValueInvalid']],
  [
    'a header route, and its end',
    {
      steps: [
        { setHeaderRoute: { name: 't', match: { 'x-t': { exact: '1' } }, destination: 'canary' } },
        { setHeaderRoute: { name: 't' } },
      ],
    },
    [],
  ],
  [
    'a header route to nowhere',
    { steps: [{ setHeaderRoute: { name: 't', match: { 'x-t': { exact: '1' } }, destination: 'v9' } }] },
    ['spec.steps[0].setHeaderRoute.destination FieldValueInvalid'],
  ],
  [
    'a mirror to nowhere',
    { steps: [{ setMirror: { destination: 'v9', percent: 5 } }] },
    ['spec.steps[0].setMirror.destination FieldValueInvalid'],
  ],
];

describe('other kinds', () => {
  it.each<[string, string, object, readonly string[]]>([
    ['dr', 'a subset twice', destinationRule({ subsets: [{ name: 'v1' }, { name: 'v1' }] }), ['spec.subsets[1].name FieldValueDuplicate']],
    ['dr', 'a field of Istio', destinationRule({ trafficPolicy: { tunnel: {} } }), ['spec.trafficPolicy.tunnel NotImplemented']],
    ['dr', 'a foreign host', destinationRule({ host: 'example.com' }), []],
    ['dr', 'a host that nothing can have', destinationRule({ host: 'www..example.com' }), ['spec.host FieldValueInvalid']],
    ...STEPPED.map(([name, changes, issues]): [string, string, object, readonly string[]] => [
      ...(['ts', name, hawser('TrafficShift', JSON.parse(JSON.stringify({ ...IN_STEPS, ...changes })))] as const),
      issues,
    ]),
    ['ts', 'shares below 100', hawser('TrafficShift', { services: ['a'], regions: { x: 50, y: 49 } }), ['spec.regions FieldValueInvalid']],
    ['ts', 'a bad region', hawser('TrafficShift', { services: ['a'], regions: { 'X Y': 100 } }), ['spec.regions["X Y"] FieldValueInvalid']],
    ['ts', 'shares of 100', hawser('TrafficShift', { services: ['a'], regions: { x: 50, y: 50 } }), []],
    ['ts', 'shares of nothing', hawser('TrafficShift', { services: ['a'] }), ['spec FieldValueInvalid']],
    [
      'ts',
      'shares of two sorts',
      hawser('TrafficShift', { services: ['a'], regions: { x: 100 }, clusters: { x: 100 } }),
      ['spec FieldValueInvalid'],
    ],
    ['ts', 'parts of 0.01 %', hawser('TrafficShift', { services: ['a'], subsets: { v1: 9999, v2: 1 }, totalWeight: 10_000 }), []],
    [
      'ts',
      'parts of 1000 that are 100',
      hawser('TrafficShift', { services: ['a'], clusters: { x: 100 }, totalWeight: 1_000 }),
      ['spec.clusters FieldValueInvalid'],
    ],
    ['ts', 'all that subsets may have', hawser('TrafficShift', SUBSETS), []],
    [
      'ts',
      'a mirror of regions',
      hawser('TrafficShift', { ...OF_REQUESTS, regions: { x: 100 } }),
      ['match', 'headerRoute', 'mirror', 'stickiness'].map((field) => `spec.${field} FieldValueInvalid`),
    ],
    [
      'ts',
      'two sorts of stickiness',
      hawser('TrafficShift', { ...SUBSETS, stickiness: { header: 'x-user', cookie: { name: 'c' } } }),
      ['spec.stickiness FieldValueInvalid'],
    ],
    [
      'ts',
      'a header in capitals',
      hawser('TrafficShift', { ...SUBSETS, headerRoute: { name: 't', match: { 'X-A': {} }, destination: 'v2' } }),
      ['spec.headerRoute.match.X-A FieldValueInvalid'],
    ],
    [
      'ts',
      'a bad expression',
      hawser('TrafficShift', { ...SUBSETS, match: [{ uri: { regex: '(' } }] }),
      ['spec.match[0].uri.regex FieldValueInvalid'],
    ],
    [
      'ts',
      'a mirror of 101 %',
      hawser('TrafficShift', { ...SUBSETS, mirror: { destination: 'v2', percent: 101 } }),
      ['spec.mirror.percent FieldValueInvalid'],
    ],
    [
      'fp',
      'spill of two places',
      hawser('FailoverPolicy', { order: ['x'], spill: [{ service: 'a', from: { region: 'x', cluster: 'y' }, percent: 1 }] }),
      ['spec.spill[0].from FieldValueInvalid'],
    ],
    [
      'fp',
      'overflow of what is not known',
      hawser('FailoverPolicy', { order: ['x'], overflow: { at: 0.8 } }),
      ['spec.overflow FieldValueInvalid'],
    ],
    [
      'fp',
      'overflow that returns above',
      hawser('FailoverPolicy', { order: ['x'], capacity: { regions: { x: 100 } }, overflow: { at: 0.5, returnBelow: 0.6 } }),
      ['spec.overflow.returnBelow FieldValueInvalid'],
    ],
    ['fp', 'overflow', hawser('FailoverPolicy', { order: ['x'], capacity: { regions: { x: 100 }, learned: true }, overflow: {} }), []],
    ['drain', 'a region', hawser('Drain', { scope: { region: 'x' }, percent: 12.5 }, { name: 'x' }), []],
    [
      'drain',
      'a zone, services and destinations',
      hawser(
        'Drain',
        { scope: { zone: 'x/a' }, services: { names: ['a/b'] }, destinations: [{ region: 'y', weight: 3 }, { cluster: 'z' }] },
        { name: 'x' },
      ),
      [],
    ],
    ['drain', 'two scopes', hawser('Drain', { scope: { region: 'x', cluster: 'y' } }, { name: 'x' }), ['spec.scope FieldValueInvalid']],
    ['drain', 'no scope', hawser('Drain', {}, { name: 'x' }), ['spec.scope FieldValueRequired']],
    [
      'drain',
      'services of no name',
      hawser('Drain', { scope: { region: 'x' }, services: {} }, { name: 'x' }),
      ['spec.services FieldValueInvalid'],
    ],
    [
      'drain',
      'a destination twice',
      hawser('Drain', { scope: { region: 'x' }, destinations: [{ region: 'y' }, { region: 'y', weight: 2 }] }, { name: 'x' }),
      ['spec.destinations[1] FieldValueDuplicate'],
    ],
    ['drain', 'steps that fall', drain({ steps: [{ percent: 50 }, { percent: 50 }] }), ['spec.steps[1].percent FieldValueInvalid']],
    ['drain', 'steps of an emergency', drain({ urgency: 'emergency', steps: [{ percent: 100 }] }), ['spec.steps FieldValueInvalid']],
    ['drain', 'more than three days', drain({ expiresIn: '73h' }), ['spec.expiresIn FieldValueInvalid']],
    ['drain', 'a way back to half', drain({ restore: { steps: [{ percent: 50 }] } }), ['spec.restore.steps FieldValueInvalid']],
    ['drain', 'a ticket that is none', drain({ ticket: 'OPS-1' }), ['spec.ticket FieldValueInvalid']],
    [
      'drain',
      'a course',
      drain({ reason: 'a drill', expiresIn: '8h', restore: { steps: [{ percent: 20, hold: '1m' }, { percent: 100 }] } }),
      [],
    ],
    ['drain', 'a namespace', hawser('Drain', { scope: { region: 'x' } }), ['metadata.namespace FieldValueForbidden']],
    ['fp', 'a region twice', hawser('FailoverPolicy', { order: ['x', 'x'] }), ['spec.order[1] FieldValueDuplicate']],
    ['fp', 'a foreign spillover', hawser('FailoverPolicy', { order: ['x'], spillover: 'fast' }), ['spec.spillover FieldValueNotSupported']],
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
