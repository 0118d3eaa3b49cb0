/** What whoever installs an agent has to be allowed: to make, change and remove its objects, and all that its roles give. A table, and a PURE judgement by it. */
import type { Finding } from '../views/check-command.ts';

/** Something that has to be allowed. */
export interface NeededRight {
  readonly group: string;
  readonly resource: string;
  readonly verbs: readonly string[];
  /** In the agent's namespace; else in the whole cluster. */
  readonly namespaced: boolean;
  /** The one object that it is about; any unless given. */
  readonly name?: string;
  /** The role of the chart that gives it to the agent: nobody may give what they do not have, unless they may escalate and bind roles. */
  readonly role?: string;
}

/** Server-side apply creates and patches. What is rendered no more is found again and removed. */
const APPLIED = ['create', 'patch'];
const KEPT = [...APPLIED, 'list', 'delete'];
const installed = (group: string, resources: readonly string[], namespaced: boolean): NeededRight[] =>
  resources.map((resource) => ({ group, resource, verbs: KEPT, namespaced }));

/** For the objects of the chart, with every value on. */
export const INSTALL_RIGHTS: readonly NeededRight[] = [
  { group: '', resource: 'namespaces', verbs: APPLIED, namespaced: false },
  { group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions', verbs: APPLIED, namespaced: false },
  ...installed('rbac.authorization.k8s.io', ['clusterroles', 'clusterrolebindings', 'rolebindings'], false), // those in secretNamespaces too
  ...installed(
    'admissionregistration.k8s.io',
    ['mutatingwebhookconfigurations', 'validatingadmissionpolicies', 'validatingadmissionpolicybindings'],
    false,
  ),
  ...installed('rbac.authorization.k8s.io', ['roles'], true),
  ...installed('', ['secrets', 'serviceaccounts', 'services', 'configmaps', 'persistentvolumeclaims'], true),
  ...installed('apps', ['statefulsets', 'deployments'], true),
  ...installed('networking.k8s.io', ['networkpolicies'], true),
  ...installed('policy', ['poddisruptionbudgets'], true),
];

const MCS = 'multicluster.x-k8s.io';
/** For what the agent made of other clusters' exports: whoever takes its rights away removes it too. */
export const MADE_RIGHTS: readonly NeededRight[] = [
  { group: '', resource: 'services', verbs: ['list', 'delete'], namespaced: false },
  { group: 'discovery.k8s.io', resource: 'endpointslices', verbs: ['list', 'delete'], namespaced: false },
  { group: MCS, resource: 'serviceimports', verbs: ['list', 'delete'], namespaced: false },
];

/** A rule of a role. */
interface Given extends Partial<Pick<NeededRight, 'namespaced' | 'name'>> {
  readonly group: string;
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

const READ = ['list', 'watch'];
const ROLES: Readonly<Record<string, readonly Given[]>> = {
  'hawser-agent': [
    { group: '', resources: ['services', 'pods', 'nodes', 'namespaces'], verbs: READ },
    { group: 'discovery.k8s.io', resources: ['endpointslices'], verbs: READ },
    { group: MCS, resources: ['serviceexports'], verbs: READ },
    { group: MCS, resources: ['serviceexports/status', 'serviceimports/status'], verbs: ['patch'] },
    { group: MCS, resources: ['serviceimports'], verbs: [...READ, 'create', 'patch', 'delete'] },
    { group: 'authentication.k8s.io', resources: ['tokenreviews'], verbs: ['create'] },
  ],
  'hawser-agent-trust-bundle': [
    { group: '', resources: ['configmaps'], verbs: ['get', 'patch'], namespaced: true, name: 'hawser-agent-trust-bundle' },
  ],
  'hawser-agent-certificates': [{ group: '', resources: ['secrets'], verbs: READ }],
  'hawser-agent-derived-services': [
    { group: '', resources: ['services'], verbs: ['create', 'patch', 'delete'] },
    { group: 'discovery.k8s.io', resources: ['endpointslices'], verbs: ['create', 'patch', 'delete'] },
  ],
  'hawser-agent-import-slices': [{ group: 'discovery.k8s.io', resources: ['endpointslices'], verbs: ['create', 'patch', 'delete'] }],
  'hawser-agent-policies': [
    {
      group: 'networking.istio.io',
      resources: ['virtualservices', 'destinationrules', 'gateways', 'serviceentries', 'workloadentries', 'workloadgroups', 'sidecars'],
      verbs: READ,
    },
    { group: 'security.istio.io', resources: ['authorizationpolicies', 'peerauthentications', 'requestauthentications'], verbs: READ },
    { group: 'telemetry.istio.io', resources: ['telemetries'], verbs: READ },
    { group: 'extensions.istio.io', resources: ['wasmplugins'], verbs: READ },
    { group: 'hawser.dev', resources: ['failoverpolicies', 'trafficshifts', 'extensionproviders'], verbs: READ },
  ],
  'hawser-agent-injection': [
    {
      ...{ group: 'admissionregistration.k8s.io', resources: ['mutatingwebhookconfigurations'], verbs: ['get', 'patch'] },
      name: 'hawser-injection',
    },
    { group: '', resources: ['namespaces', 'pods'], verbs: ['list'] },
  ],
};

/** What the chart's roles give, with every value on; a test holds it to them. */
export const ROLE_RIGHTS: readonly NeededRight[] = Object.entries(ROLES).flatMap(([role, rules]) =>
  rules.flatMap(({ resources, namespaced = false, ...rule }) => resources.map((resource) => ({ ...rule, resource, namespaced, role }))),
);

/** A right, and which of its verbs are not given; undefined when the server did not say. */
export interface JudgedRight extends NeededRight {
  readonly missing: readonly string[] | undefined;
}

/** PURE: what may not be done, one line each; one line for all that may. */
export function rightFindings(rights: readonly JudgedRight[], namespace: string): readonly Finding[] {
  const failed = rights.flatMap(({ missing, role, ...right }): Finding | [] => {
    if (missing?.length === 0) return [];
    const name = right.group === '' ? right.resource : `${right.resource}.${right.group}`;
    const where = right.namespaced ? ` in namespace ${namespace}` : '';
    if (missing === undefined) return { level: 'warn', what: `right ${name}`, message: `not known${where}: the API server did not say` };
    const why = role === undefined ? '' : `, which role ${role} gives the agent, and nobody may give what they do not have`;
    const wayOut = 'use a kubeconfig of somebody who may, such as a cluster-admin';
    return { level: 'fail', what: `right ${name}`, message: `this user may not ${listed(missing)} ${name}${where}${why}: ${wayOut}` };
  });
  const good = rights.length - failed.length;
  return [
    ...(good === 0 ? [] : [{ level: 'ok', what: 'rights', message: `${good} of ${rights.length} that are needed` } as const]),
    ...failed,
  ];
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}
