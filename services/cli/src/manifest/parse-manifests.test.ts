import { describe, expect, it } from 'vitest';
import { type Problem, problemLine } from './manifest.ts';
import { parseManifests } from './parse-manifests.ts';

const ROUTE = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
  namespace: bookinfo
spec:
  hosts: [reviews]
  http:
    - route:
        - destination: {host: reviews, subset: v1}
          weight: 90
        - destination:
            host: reviews
            subset: v2
          weight: 20
`;
const VALID = ROUTE.replace('weight: 20', 'weight: 10');

const lines = (problems: readonly Problem[]): string[] => problems.map(problemLine);

describe('parseManifests', () => {
  it('reads several documents, skips empty ones and fills in the namespace', () => {
    const text = `# nothing\n---\n${VALID}---\n---\napiVersion: hawser.dev/v1alpha1\nkind: TrafficShift\nmetadata: {name: half}\nspec: {services: [reviews], regions: {us-east: 50, us-west: 50}}\n`;
    const { manifests, problems } = parseManifests('a.yaml', text, 'shop');
    expect(lines(problems)).toEqual([]);
    expect(manifests.map(({ resource }) => [resource.kind, resource.metadata.namespace, resource.metadata.name])).toEqual([
      ['VirtualService', 'bookinfo', 'reviews'],
      ['TrafficShift', 'shop', 'half'],
    ]);
  });

  it('leads from a field of the second document to its line in the file', () => {
    const { manifests } = parseManifests('a.yaml', `${VALID}---\n${VALID}`, 'default');
    const place = (field: string) => manifests[1]?.placeOf(field);
    expect(place('spec.http[0].route[1].weight')).toEqual({ file: 'a.yaml', line: 31, column: 19 });
    expect(place('spec.http[0].route[1].destination')).toEqual({ file: 'a.yaml', line: 28, column: 11 });
    expect(place('spec.http[0].timeout'), 'missing: the item that should have it').toEqual({ file: 'a.yaml', line: 25, column: 7 });
    expect(place('')).toEqual({ file: 'a.yaml', line: 17, column: 1 });
  });

  it('finds keys that hold dots, follows aliases and reads quoted steps', () => {
    const text = `apiVersion: hawser.dev/v1alpha1
kind: FailoverPolicy
metadata:
  name: p
  annotations:
    hawser.dev/clusters: region in (x)
  labels: &shared
    team: web
spec: {order: [us-east]}
`;
    const place = parseManifests('a.yaml', text, 'default').manifests[0]?.placeOf;
    expect(place?.('metadata.annotations.hawser.dev/clusters').line).toBe(6);
    expect(place?.('metadata.annotations["hawser.dev/clusters"]').line).toBe(6);
    expect(place?.('metadata.annotations[hawser.dev/clusters]').column).toBe(26);
    const aliased = parseManifests('b.yaml', 'a: &x {weight: 1}\nspec:\n  *x\n', 'default').problems;
    expect(lines(aliased)[0]).toBe('b.yaml:1:1: kind: is required');
  });

  it('names the line and column of malformed YAML and keeps the other documents', () => {
    const { manifests, problems } = parseManifests('bad.yaml', `${VALID}---\nkind: X\n  name: : y\n`, 'default');
    expect(manifests).toHaveLength(1);
    expect(lines(problems)[0]).toBe('bad.yaml:17:7: not valid YAML: Nested mappings are not allowed in compact mappings');
  });

  it('refuses duplicate keys, whose last would win in silence', () => {
    const { problems } = parseManifests('d.yaml', ROUTE.replace('spec:', 'spec: {}\nspec:'), 'default');
    expect(lines(problems)).toEqual(['d.yaml:7:1: not valid YAML: Map keys must be unique']);
  });

  it.each([
    [
      'an unknown kind',
      ROUTE.replace('VirtualService', 'VirtualServce'),
      /^f:2:7: VirtualServce bookinfo\/reviews: kind: unknown kind "VirtualServce"; the hub serves .*VirtualService/,
    ],
    [
      'a kind in the wrong group',
      ROUTE.replace('networking.istio.io/v1', 'hawser.dev/v1alpha1'),
      /^f:1:13: VirtualService bookinfo\/reviews: apiVersion: is "hawser\.dev\/v1alpha1"; it must be networking/,
    ],
    [
      'no apiVersion',
      ROUTE.replace('apiVersion: networking.istio.io/v1\n', ''),
      /^f:1:1: VirtualService bookinfo\/reviews: apiVersion: is required/,
    ],
    ['an unknown field beside spec', `${ROUTE}spce: {}\n`, /^f:16:1: VirtualService bookinfo\/reviews: spce: is not a field/],
    [
      'an unknown field inside',
      ROUTE.replace('weight: 20', 'wieght: 20'),
      /^f:15:11: VirtualService bookinfo\/reviews: spec\.http\[0\]\.route\[1\]\.wieght: is not a field here; known are destination, headers, weight/,
    ],
    [
      'weights of nothing',
      ROUTE.replace(/weight: \d+/g, 'weight: 0'),
      /^f:\d+:\d+: VirtualService bookinfo\/reviews: spec\.http\[0\]\.route.*0/,
    ],
    [
      'a field of Istio that is refused',
      'apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: a, namespace: b}\nspec:\n  host: a\n  trafficPolicy:\n    tunnel: {}\n',
      /^f:\d:\d: DestinationRule b\/a: spec\.trafficPolicy.*: is a field of Istio's DestinationRule that is refused: .*\. Take it out/,
    ],
    ['no name', ROUTE.replace('  name: reviews\n', ''), /^f:3:1: VirtualService bookinfo\/: metadata\.name: is required/],
    [
      'a namespace where there is none',
      'apiVersion: hawser.dev/v1alpha1\nkind: Cluster\nmetadata: {name: a, namespace: b}\nspec: {region: r}\n',
      /^f:3:32: Cluster b\/a: metadata\.namespace: Cluster is not namespaced/,
    ],
    [
      'a read-only kind',
      'apiVersion: multicluster.x-k8s.io/v1beta1\nkind: ServiceImport\nmetadata: {name: a, namespace: b}\n',
      /^f:2:7: ServiceImport b\/a: kind: ServiceImport is read only/,
    ],
    ['a list instead of a resource', '- a\n- b\n', /^f:1:1: a resource is a map .* found a list/],
    [
      'an alias bomb',
      `a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [${'*a, '.repeat(20)}]\nc: [${'*b, '.repeat(20)}]\n`,
      /^f:1:1: cannot be read: Excessive alias count/,
    ],
  ])('says what is wrong with %s, and where', (_name, text, expected) => {
    const { manifests, problems } = parseManifests('f', text, 'default');
    expect(manifests).toEqual([]);
    expect(lines(problems)[0]).toMatch(expected);
  });

  it('reads JSON, tabs and all, and the List that get prints', () => {
    const list = {
      apiVersion: 'v1',
      kind: 'List',
      items: [{ apiVersion: 'hawser.dev/v1alpha1', kind: 'FailoverPolicy', metadata: { name: 'p' }, spec: { order: ['a'] } }],
    };
    const { manifests, problems } = parseManifests('a.json', JSON.stringify(list, null, '\t'), 'shop');
    expect(lines(problems)).toEqual([]);
    expect(manifests[0]?.resource.metadata).toEqual({ name: 'p', namespace: 'shop' });
    expect(manifests[0]?.placeOf('spec.order[0]').line).toBe(13);
  });
});
