import { describe, expect, test } from 'vitest';
import { kindNamed } from './kinds.ts';
import { clustersOf, federates, federationOf, isMutual, type TrustDomainSpec, trustDomainFor } from './trust-domain.ts';
import { validateResource } from './validate.ts';

function issues(spec: unknown, name = 'a.test'): readonly string[] {
  const kind = kindNamed('td');
  if (kind === undefined) throw new Error('it is a kind');
  const found = validateResource({ apiVersion: 'hawser.dev/v1alpha1', kind: 'TrustDomain', metadata: { name }, spec }, kind);
  return 'issues' in found ? found.issues.map(({ path, message }) => `${path}: ${message}`) : [];
}

const WEB = { url: 'https://bundles.example/a', profile: 'https_web' };
const SPIFFE = { url: 'https://bundles.example/a', profile: 'https_spiffe', endpointSpiffeId: 'spiffe://a.test/bundle-server' };

describe('a TrustDomain', () => {
  test.each<[string, TrustDomainSpec]>([
    ['says nothing', {}],
    [
      'names clusters and friends',
      { clusters: ['us-east'], federatesWith: ['b.test', 'c_d.test'], aliases: ['old.test'], source: { type: 'agent' } },
    ],
    ['believes everybody', { federatesWith: ['*'] }],
    ['believes nobody', { federatesWith: [] }],
    ['is external, by the public web', { source: { type: 'external', endpoint: { ...WEB, profile: 'https_web' } } }],
    ['is external, with a bundle that stays', { source: { type: 'external', bootstrapBundle: 'PEM' } }],
    ['is external, by SPIFFE', { source: { type: 'external', endpoint: { ...SPIFFE, profile: 'https_spiffe' }, bootstrapBundle: 'PEM' } }],
  ])('%s', (_, spec) => expect(issues(spec)).toEqual([]));

  test.each<[string, unknown, RegExp]>([
    ['an unknown field', { federateswith: [] }, /^spec\.federateswith: /],
    ['an unknown field below', { source: { type: 'agent', url: 'x' } }, /^spec\.source\.url: /],
    ['capitals', { federatesWith: ['B.test'] }, /^spec\.federatesWith\[0\]/],
    ['an identity in place of a domain', { federatesWith: ['spiffe://b.test'] }, /^spec\.federatesWith\[0\]/],
    ['* and names', { federatesWith: ['*', 'b.test'] }, /\* is every trust domain/],
    ['a name twice', { federatesWith: ['b.test', 'b.test'] }, /^spec\.federatesWith/],
    ['plain http', { source: { type: 'external', endpoint: { ...WEB, url: 'http://x/' } } }, /^spec\.source\.endpoint\.url/],
    [
      'credentials in the URL',
      { source: { type: 'external', endpoint: { ...WEB, url: 'https://u:p@x/' } } },
      /^spec\.source\.endpoint\.url/,
    ],
    ['an inferred profile', { source: { type: 'external', endpoint: { url: WEB.url } } }, /^spec\.source\.endpoint\.profile/],
    [
      'https_spiffe without whom',
      { source: { type: 'external', bootstrapBundle: 'PEM', endpoint: { ...SPIFFE, endpointSpiffeId: undefined } } },
      /endpointSpiffeId/,
    ],
    ['https_spiffe without a first bundle', { source: { type: 'external', endpoint: SPIFFE } }, /bootstrapBundle: is required/],
    [
      'a CA for https_spiffe',
      { source: { type: 'external', bootstrapBundle: 'PEM', endpoint: { ...SPIFFE, caBundle: 'PEM' } } },
      /caBundle/,
    ],
    ['external without an endpoint', { source: { type: 'external' } }, /endpoint: is required/],
    ['clusters of an external one', { clusters: ['a'], source: { type: 'external', endpoint: WEB } }, /^spec\.clusters: /],
    ['an endpoint of an own one', { source: { type: 'agent', endpoint: WEB } }, /is for source\.type external alone/],
    ['the default as an alias', { aliases: ['default'] }, /^spec\.aliases: /],
  ])('is refused for %s', (_, spec, problem) => {
    expect(issues(JSON.parse(JSON.stringify(spec)))).toEqual([expect.stringMatching(problem)]);
  });
});

describe('who believes whom', () => {
  const domains = [
    { name: 'default', spec: { federatesWith: ['b.test'] } },
    { name: 'open.test', spec: { federatesWith: ['*'] } },
    { name: 'shut.test', spec: { federatesWith: [] } },
    { name: 'prod.test', spec: { clusters: ['us-east', 'us-west'] } },
    { name: 'eu-west.hawser', spec: {} },
  ];

  test('its own word, else the default, else everybody', () => {
    expect(federationOf('open.test', domains)).toBeUndefined();
    expect(federationOf('shut.test', domains)).toEqual([]);
    expect(federationOf('prod.test', domains)).toEqual(['b.test']);
    expect(federationOf('unnamed.hawser', domains)).toEqual(['b.test']);
    expect(federationOf('unnamed.hawser', [])).toBeUndefined();
  });

  test('one direction at a time, and itself always', () => {
    const [a, b] = [
      { trustDomain: 'a', federatesWith: ['b'] },
      { trustDomain: 'b', federatesWith: [] as string[] },
    ];
    expect([federates(a, 'b'), federates(b, 'a'), isMutual(a, b), federates(b, 'b')]).toEqual([true, false, false, true]);
    expect(isMutual(a, { trustDomain: 'b' })).toBe(true);
    expect(federates({ trustDomain: 'c' }, 'anybody')).toBe(true);
  });

  test('which clusters bear it', () => {
    expect(trustDomainFor('us-west', domains)).toBe('prod.test');
    expect(trustDomainFor('ap-south', domains)).toBe('ap-south.hawser');
    expect(domains.map(clustersOf)).toEqual([[], [], [], ['us-east', 'us-west'], ['eu-west']]);
  });
});
