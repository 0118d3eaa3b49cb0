import { describe, expect, it } from 'vitest';
import { apiFindings, type Definition, definitionFindings, NEEDED_APIS, storageFinding, versionFinding } from './cluster-needs.ts';
import { rightFindings } from './needed-rights.ts';

describe('what a cluster needs', () => {
  it.each([
    ['28', 'fail', /1\.29 to 1\.34 are supported: upgrade it/],
    ['29', 'ok', /has 1\.29/],
    ['34+', 'ok', /has 1\.34\+/],
    ['35', 'warn', /newer than what was tested/],
    ['', 'fail', /are supported/],
  ])('Kubernetes 1.%s: %s', (minor, level, message) => {
    const finding = versionFinding('https://api', { major: '1', minor });
    expect(finding).toMatchObject({ level, message: expect.stringMatching(message) as string });
  });

  it('names each API that is missing', () => {
    const served = new Map(NEEDED_APIS.map(([groupVersion, resource]) => [groupVersion, [resource]] as const));
    expect(new Set(apiFindings(served).map(({ level }) => level))).toEqual(new Set(['ok']));
    const without = apiFindings(new Map([...served, ['policy/v1', undefined]]));
    expect(without.filter(({ level }) => level === 'fail').map(({ what }) => what)).toEqual(['api policy/v1']);
  });

  const mcs = (versions: readonly string[]): Definition[] =>
    ['serviceexports', 'serviceimports'].map((kind) => ({
      metadata: { name: `${kind}.multicluster.x-k8s.io` },
      spec: { group: 'multicluster.x-k8s.io', versions: versions.map((name) => ({ name, served: true })) },
    }));

  it.each([
    [[], ['ok', 'ok', 'ok']],
    [mcs(['v1beta1', 'v1alpha1']), ['ok', 'ok', 'ok']],
    [mcs(['v1alpha1']), ['warn', 'warn', 'ok']],
    [mcs(['v2']), ['fail', 'fail', 'ok']],
  ])('definitions %#', (definitions, levels) => {
    expect(definitionFindings(definitions).map(({ level }) => level)).toEqual(levels);
  });

  it('names what may not be done, and does not take silence for a yes', () => {
    const right = (group: string, resource: string, verbs: readonly string[], namespaced = false) => ({
      group,
      resource,
      verbs,
      namespaced,
    });
    const rights = [
      { ...right('', 'secrets', ['create'], true), missing: [] },
      { ...right('apps', 'statefulsets', ['create', 'patch', 'delete'], true), missing: ['create', 'patch'] },
      { ...right('', 'nodes', ['list', 'watch']), role: 'hawser-agent', missing: ['watch'] },
      { ...right('', 'namespaces', ['create']), missing: undefined },
    ];
    expect(rightFindings(rights, 'mesh').map(({ level, what, message }) => [level, what, message.split(':')[0]])).toEqual([
      ['ok', 'rights', '1 of 4 that are needed'],
      ['fail', 'right statefulsets.apps', 'this user may not create and patch statefulsets.apps in namespace mesh'],
      [
        ...['fail', 'right nodes'],
        'this user may not watch nodes, which role hawser-agent gives the agent, and nobody may give what they do not have',
      ],
      ['warn', 'right namespaces', 'not known'],
    ]);
  });

  it('asks for a StorageClass where none is the default', () => {
    const standard = { metadata: { name: 'standard', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } } };
    expect([[standard], [], undefined].map((classes) => storageFinding(classes).level)).toEqual(['ok', 'warn', 'warn']);
  });
});
