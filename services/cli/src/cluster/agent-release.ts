/** PURE: what `hawser cluster join --kubeconfig` puts into a cluster, around the objects that the chart renders. */
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { marked } from '../kubernetes/installed-objects.ts';

/** Name of the release, and of its objects. */
export const AGENT_RELEASE = 'hawser-agent';
/** Gateways are of this namespace by their certificates (shared/model/gateway-identity.ts). */
export const AGENT_NAMESPACE = 'hawser-system';
const JOIN_SECRET = 'hawser-join-token';
const LABELS = { 'app.kubernetes.io/part-of': 'hawser', 'app.kubernetes.io/managed-by': 'hawser' };

/** Values that win over the operator's, since the other objects depend on them, or flags say so. */
export function agentValues(cluster: string, { gatewayMode }: { readonly gatewayMode?: boolean } = {}): object {
  return {
    ...{ cluster, fullnameOverride: AGENT_RELEASE, joinToken: { existingSecret: JOIN_SECRET, key: 'token' } },
    ...(gatewayMode === true ? { gatewayMode: { enabled: true } } : {}),
  };
}

/** Where everything goes. */
export function namespaceObject(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: LABELS } };
}

/** The join token; without one, as it is shown. */
export function joinSecret(namespace: string, token = '<made at the hub>'): KubeObject {
  const metadata = { name: JOIN_SECRET, namespace, labels: LABELS };
  return marked({ apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', stringData: { token } }, namespace);
}

/** Definitions of kinds first, then namespaces' own things before what runs: as Helm installs them. */
export function inOrder(objects: readonly KubeObject[]): readonly KubeObject[] {
  const first = ['CustomResourceDefinition', 'ServiceAccount', 'ClusterRole', 'Role', 'ClusterRoleBinding', 'RoleBinding'];
  const rank = ({ kind }: KubeObject): number => (first.includes(kind) ? first.indexOf(kind) : first.length);
  return objects.toSorted((a, b) => rank(a) - rank(b));
}
