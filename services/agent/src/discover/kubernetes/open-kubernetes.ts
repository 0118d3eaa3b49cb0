/** A Kubernetes API server as the source of a cluster's objects. Imported only where it is that: other agents do without its modules. */

import type { GatewayName } from '../../multicluster/backing-kinds.ts';
import { type FollowMulticluster, multiclusterOf } from '../../multicluster/follow-multicluster.ts';
import { ImportFacts } from '../../multicluster/import-facts.ts';
import type { ProxyTokenVerifier } from '../../trust/proxy-tokens.ts';
import { eitherVerifier, tokenReviewVerifier } from '../../trust/token-review.ts';
import type { OpenPolicies } from '../policy-source.ts';
import type { KubernetesPlace } from '../registry-place.ts';
import type { OpenRegistry } from '../registry-source.ts';
import { inClusterAccess, kubeconfigAccess } from './api-access.ts';
import { ApiClient } from './api-client.ts';
import { kubernetesRegistry } from './kubernetes-registry.ts';
import { MemberPolicySource } from './member-policies.ts';

/**
 * The sources of objects and of policy, who says what a proxy's token proves (the agent itself, else the API server), and the MCS API there.
 * Throws `config-invalid` without access.
 */
export function openKubernetes(
  place: KubernetesPlace,
  {
    cluster,
    own,
    outboundGateway,
  }: { readonly cluster: string; readonly own: ProxyTokenVerifier; readonly outboundGateway: GatewayName | undefined },
): {
  readonly verify: ProxyTokenVerifier;
  readonly openRegistry: OpenRegistry;
  readonly openPolicies: OpenPolicies;
  readonly followMulticluster: FollowMulticluster;
} {
  const api = apiClientOf(place);
  const reviewed = tokenReviewVerifier({ api, cluster, edgeAccounts: place.edgeAccounts });
  const facts = new ImportFacts(outboundGateway);
  return {
    verify: eitherVerifier(own, reviewed),
    openRegistry: kubernetesRegistry({ api, secretNamespaces: place.secretNamespaces, others: facts }),
    openPolicies: (onChange) => new MemberPolicySource({ api, onChange }),
    followMulticluster: multiclusterOf(api, facts),
  };
}

/** A client of the place's API server. Throws `config-invalid` without access. */
export function apiClientOf(place: KubernetesPlace): ApiClient {
  return new ApiClient(place.kubeconfig === undefined ? inClusterAccess() : kubeconfigAccess(place.kubeconfig, place.context));
}
