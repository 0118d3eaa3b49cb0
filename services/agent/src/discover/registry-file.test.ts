import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRegistryFile } from './registry-file.ts';

const SERVICE = `apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: bookinfo}
spec:
  ports:
    - {name: http, port: 80, targetPort: 9080}
`;
const SLICE = `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: reviews-1, namespace: bookinfo, labels: {kubernetes.io/service-name: reviews}}
addressType: IPv4
endpoints:
  - addresses: [127.77.1.12]
ports: [{name: http, port: 9080}]
`;

describe('parseRegistryFile', () => {
  it('reads several documents, and JSON', () => {
    const parsed = parseRegistryFile(`# a comment\n---\n${SERVICE}---\n${SLICE}---\n`);
    expect('objects' in parsed && parsed.objects.map((object) => object.kind)).toEqual(['Service', 'EndpointSlice']);
    const json = parseRegistryFile('{"apiVersion":"multicluster.x-k8s.io/v1beta1","kind":"ServiceExport","metadata":{"name":"a"}}');
    expect('objects' in json && json.objects).toHaveLength(1);
  });

  const faults: [string, string, { line: number; field: string; message: string }][] = [
    [
      'an unknown field',
      SERVICE.replace('port: 80', 'port: 80, weight: 3'),
      { line: 6, field: 'spec.ports[0].weight', message: 'unknown field' },
    ],
    [
      'an unknown kind',
      'apiVersion: v1\nkind: Pod\n',
      {
        line: 2,
        field: 'kind',
        message: 'unknown kind "Pod"; a registry holds Service, EndpointSlice, WorkloadEntry, ServiceExport, Secret',
      },
    ],
    [
      'no kind',
      'a: 1\n',
      { line: 1, field: 'kind', message: 'kind is missing; a registry holds Service, EndpointSlice, WorkloadEntry, ServiceExport, Secret' },
    ],
    ['a missing field', SLICE.replace('addressType: IPv4\n', ''), { line: 1, field: 'addressType', message: 'is required' }],
    [
      'a null list',
      SLICE.replace('endpoints:\n  - addresses: [127.77.1.12]', 'endpoints:'),
      { line: 5, field: 'endpoints', message: 'must be array' },
    ],
    ['a wrong version', SERVICE.replace('apiVersion: v1', 'apiVersion: v2'), { line: 1, field: 'apiVersion', message: 'must be "v1"' }],
    [
      'an unknown type',
      SERVICE.replace('spec:', 'spec:\n  type: Cluster'),
      { line: 5, field: 'spec.type', message: 'must be one of "ClusterIP", "NodePort", "LoadBalancer", "ExternalName"' },
    ],
    ['an empty file', '', { line: 1, field: '', message: 'the file holds no object; delete the file to remove what it held' }],
    ['comments alone', '# nothing\n', { line: 1, field: '', message: 'the file holds no object; delete the file to remove what it held' }],
    [
      'broken YAML',
      `${SERVICE}---\nkind: [`,
      { line: 8, field: '', message: 'Flow sequence in block collection must be sufficiently indented and end with a ]' },
    ],
    [
      'a key twice',
      SERVICE.replace('kind: Service', 'kind: Service\nkind: Service'),
      { line: 3, field: '', message: 'Map keys must be unique' },
    ],
  ];
  it.each(faults)('names the place of %s', (_name, text, issue) => {
    const parsed = parseRegistryFile(text);
    expect('issues' in parsed && parsed.issues[0]).toEqual(issue);
  });

  it('survives whatever a file holds', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.string().map((tail) => SERVICE + tail),
        ),
        (text) => {
          const parsed = parseRegistryFile(text);
          if ('issues' in parsed) expect(parsed.issues.length).toBeGreaterThan(0);
          else expect(parsed.objects.length).toBeGreaterThan(0);
        },
      ),
    );
  });
});
