/** What `hawser cluster join --kubeconfig` put into a cluster: how it is known again, by whom, and what of it is wanted no more. */
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import { type ClusterApi, FIELD_MANAGER } from './cluster-api.ts';

/** Label of everything that is applied, with the namespace of the agent that it belongs to. */
export const INSTALLATION_LABEL = 'hawser.dev/installation';

/**
 * Kinds that are looked for, in the order in which they go: nobody waits for a webhook whose agent is gone. Definitions are not among
 * them, since all objects of a kind go with its definition.
 */
export const INSTALLED_KINDS: readonly (readonly [apiVersion: string, kind: string])[] = [
  ['admissionregistration.k8s.io/v1', 'MutatingWebhookConfiguration'],
  ['admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicyBinding'],
  ['admissionregistration.k8s.io/v1', 'ValidatingAdmissionPolicy'],
  ['monitoring.coreos.com/v1', 'PodMonitor'],
  ['policy/v1', 'PodDisruptionBudget'],
  ['networking.k8s.io/v1', 'NetworkPolicy'],
  ['apps/v1', 'Deployment'],
  ['apps/v1', 'StatefulSet'],
  ['v1', 'Service'],
  ['v1', 'ConfigMap'],
  ['v1', 'Secret'],
  ['v1', 'PersistentVolumeClaim'],
  ['rbac.authorization.k8s.io/v1', 'RoleBinding'],
  ['rbac.authorization.k8s.io/v1', 'ClusterRoleBinding'],
  ['rbac.authorization.k8s.io/v1', 'Role'],
  ['rbac.authorization.k8s.io/v1', 'ClusterRole'],
  ['v1', 'ServiceAccount'],
];

/** PURE: the object, known again later as one of this agent's. */
export function marked(object: KubeObject, namespace: string): KubeObject {
  const { metadata } = object;
  return { ...object, metadata: { ...metadata, labels: { ...metadata.labels, [INSTALLATION_LABEL]: namespace } } };
}

/** What joins have put into this namespace, and of every agent what is of the whole cluster, and RoleBindings, as far as it is there still. */
export async function installedObjects(api: ClusterApi, namespace: string): Promise<readonly KubeObject[]> {
  const lists = INSTALLED_KINDS.map(([apiVersion, kind]) =>
    api.list(apiVersion, kind, { label: INSTALLATION_LABEL, ...(kind === 'RoleBinding' ? {} : { namespace }) }),
  );
  return (await Promise.all(lists)).flat().filter(isApplied);
}

/** A label alone is copied with an object; who applied it is not. */
function isApplied({ metadata }: KubeObject): boolean {
  const managers = (metadata['managedFields'] ?? []) as readonly { readonly manager?: string; readonly operation?: string }[];
  return managers.some(({ manager, operation }) => manager === FIELD_MANAGER && operation === 'Apply');
}

/** PURE: of what was found, what belongs to the agent in this namespace; `kept` is to stay whatever becomes of the rest, such as keys. */
export function ofInstallation(
  found: readonly KubeObject[],
  namespace: string,
): { readonly own: readonly KubeObject[]; readonly kept: readonly KubeObject[] } {
  const all = found.filter((object) => installationOf(object) === namespace);
  const isKept = ({ metadata }: KubeObject): boolean => metadata.annotations?.['helm.sh/resource-policy'] === 'keep';
  return { own: all.filter((object) => !isKept(object)), kept: all.filter(isKept) };
}

/** PURE: what belongs to this agent and is not among `wanted`. */
export function staleObjects(found: readonly KubeObject[], wanted: readonly KubeObject[], namespace: string): readonly KubeObject[] {
  const names = new Set(wanted.map(describeObject));
  return ofInstallation(found, namespace).own.filter((object) => !names.has(describeObject(object)));
}

/** PURE: throws `owned-elsewhere` when one of `wanted` belongs to an agent in another namespace, which would lose it. */
export function requireOwn(found: readonly KubeObject[], wanted: readonly KubeObject[], namespace: string): void {
  const names = new Set(wanted.map(describeObject));
  const taken = found.find((object) => installationOf(object) !== namespace && names.has(describeObject(object)));
  if (taken === undefined) return;
  const other = installationOf(taken);
  throw new AppError(
    'owned-elsewhere',
    `${describeObject(taken)} belongs to the agent in namespace ${other}, which would lose it: a cluster has one that is joined; hawser cluster uninstall --namespace ${other} takes that away, or join with --namespace ${other}`,
  );
}

/** `ConfigMap hawser-system/hawser-agent-trust-bundle`. */
export function describeObject({ kind, metadata: { name, namespace } }: KubeObject): string {
  return `${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}

function installationOf({ metadata }: KubeObject): string | undefined {
  return metadata.labels?.[INSTALLATION_LABEL];
}
