import { expect, it } from 'vitest';
import { ADOPTABLE, adoptedName, bareName, ownerOf } from './adoption.ts';
import { kindNamed } from './kinds.ts';
import { modeOf, readsAny } from './policy-mode.ts';
import { validateResource } from './validate.ts';

it('adopts policy of namespaces, and nothing that concerns the whole federation', () => {
  const names = ADOPTABLE.map(({ kind }) => kind);
  expect(names).toEqual(
    expect.arrayContaining(['VirtualService', 'DestinationRule', 'AuthorizationPolicy', 'FailoverPolicy', 'TrafficShift']),
  );
  for (const kind of ['Cluster', 'JoinToken', 'TrustDomain', 'Drain', 'Drill', 'DrillRun', 'Freeze', 'SafetyRule', 'ServiceImport'])
    expect(names).not.toContain(kind);
});

it('a name tells its owner, also where it has dots', () => {
  expect(ownerOf(adoptedName('reviews.v2', 'us-east'))).toEqual({ name: 'reviews.v2', cluster: 'us-east' });
  expect([ownerOf('reviews'), bareName('reviews'), bareName('reviews@us-east')]).toEqual([undefined, 'reviews', 'reviews']);
});

it('the mode of a namespace that is named goes before that of all', () => {
  const policies = { mode: 'ReadOnly', namespaces: { bookinfo: 'Authoritative', hidden: 'Off' } } as const;
  expect(['bookinfo', 'hidden', 'other', 'constructor'].map((namespace) => modeOf(policies, namespace))).toEqual([
    'Authoritative',
    'Off',
    'ReadOnly',
    'ReadOnly',
  ]);
  expect(modeOf(undefined, 'bookinfo')).toBe('Off');
  expect([undefined, {}, { mode: 'Off' as const }, { namespaces: { a: 'Off' as const } }, policies].map(readsAny)).toEqual([
    false,
    false,
    false,
    false,
    true,
  ]);
});

it.each([
  [{ mode: 'Sometimes' }, 'spec.policies.mode'],
  [{ namespaces: { bookinfo: 'authoritative' } }, 'spec.policies.namespaces.bookinfo'],
  [{ namespaces: { 'Book Info': 'Off' } }, 'spec.policies.namespaces'],
  [{ namespace: {} }, 'spec.policies.namespace'],
])('a setting that is none is refused at its field: %j', (policies, path) => {
  const kind = kindNamed('Cluster');
  if (kind === undefined) throw new Error('no Cluster');
  const cluster = {
    apiVersion: 'hawser.dev/v1alpha1',
    kind: 'Cluster',
    metadata: { name: 'us-east' },
    spec: { region: 'us-east', policies },
  };
  const result = validateResource(cluster, kind);
  const paths = 'issues' in result ? result.issues.map((issue) => issue.path) : [];
  expect(paths.some((one) => one.startsWith(path))).toBe(true);
});
