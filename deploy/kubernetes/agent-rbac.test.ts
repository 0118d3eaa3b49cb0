/** The agent's role and what the agent asks for are the same. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { followedKinds } from '@hawser/agent/discover/kubernetes/followed-kinds.ts';
import { policyPaths } from '@hawser/agent/discover/kubernetes/member-policies.ts';
import { BACKING_WRITES } from '@hawser/agent/multicluster/backing-kinds.ts';
import { MULTICLUSTER_KINDS, MULTICLUSTER_WRITES } from '@hawser/agent/multicluster/followed-kinds.ts';
import { ADOPTABLE } from '@hawser/model/adoption.ts';
import { expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';

interface Role {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly rules: readonly { readonly apiGroups: string[]; readonly resources: string[]; readonly verbs: string[] }[];
}

const documents = ['agent-rbac.yaml', 'injection.yaml'].flatMap((name) =>
  parseAllDocuments(readFileSync(join(import.meta.dirname, name), 'utf8')).map((one) => one.toJS() as Role),
);

/** `GROUP/RESOURCE` of a role, with what may be done to it. */
function allowed(name: string): Record<string, string> {
  const role = documents.find(({ kind, metadata }) => kind === 'ClusterRole' && metadata.name === name);
  const all = (role?.rules ?? []).flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) => resources.map((resource) => [`${group}/${resource}`, verbs.join()] as const)),
  );
  return Object.fromEntries(all);
}

/** The same of the paths that are asked for. */
function asked(paths: readonly string[]): Record<string, string> {
  const names = paths.map((path) => {
    const [, root, group = '', ...rest] = path.split('/');
    return `${root === 'api' ? '' : group}/${rest.at(-1)}`;
  });
  return Object.fromEntries([...new Set(names)].map((name) => [name, 'list,watch']));
}

it('allows what is followed and written, reviews of tokens, and nothing else', () => {
  const paths = [...followedKinds([]), ...Object.values(MULTICLUSTER_KINDS)].flatMap((kind) => kind.paths);
  const all: Record<string, string> = { ...asked(paths), 'authentication.k8s.io/tokenreviews': 'create' };
  for (const [resource, verbs] of MULTICLUSTER_WRITES)
    all[resource] = [all[resource], ...verbs].filter((verb) => verb !== undefined).join();
  expect(allowed('hawser-agent')).toEqual(all);
});

it('allows Secrets by a role that is bound in single namespaces alone', () => {
  const secrets = followedKinds(['edge']).flatMap((kind) => (kind.namespace === undefined ? [] : kind.paths));
  expect(allowed('hawser-agent-certificates')).toEqual(asked(secrets));
  expect(secrets).toEqual(['/api/v1/namespaces/edge/secrets']);
});

it('allows what stands behind imports by roles that are bound where it is asked for', () => {
  const written = Object.fromEntries(BACKING_WRITES.map(([resource, verbs]) => [resource, verbs.join()]));
  expect(allowed('hawser-agent-derived-services')).toEqual(written);
  const { 'discovery.k8s.io/endpointslices': slices } = written;
  expect(allowed('hawser-agent-import-slices')).toEqual({ 'discovery.k8s.io/endpointslices': slices });
});

it('allows policy of the cluster by a role that is bound where it is asked for', () => {
  expect(allowed('hawser-agent-policies')).toEqual(asked(ADOPTABLE.flatMap(policyPaths)));
});

it('allows injection its own webhook configuration by name, and to list Namespaces', () => {
  const rules = documents.find(({ kind, metadata }) => kind === 'ClusterRole' && metadata.name === 'hawser-agent-injection')?.rules;
  expect(rules).toEqual([
    {
      apiGroups: ['admissionregistration.k8s.io'],
      resources: ['mutatingwebhookconfigurations'],
      resourceNames: ['hawser-injection'],
      verbs: ['get', 'patch'],
    },
    { apiGroups: [''], resources: ['namespaces', 'pods'], verbs: ['list'] },
  ]);
});

it('allows one ConfigMap by name, which is the trust bundle', () => {
  const roles = documents.filter(({ kind }) => kind === 'Role').map(({ metadata, rules }) => [metadata.name, rules]);
  const rule = { apiGroups: [''], resources: ['configmaps'], resourceNames: ['hawser-agent-trust-bundle'], verbs: ['get', 'patch'] };
  expect(roles).toEqual([['hawser-agent-trust-bundle', [rule]]]);
});
