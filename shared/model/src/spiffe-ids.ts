/** SPIFFE IDs of the federation (SPIFFE-ID section 2; DESIGN.md, identity). */

/** The default trust domain of a cluster. */
export function trustDomainOf(cluster: string): string {
  return `${cluster}.hawser`;
}

/** The SPIFFE ID of a workload. */
export function spiffeId(trustDomain: string, namespace: string, serviceAccount: string): string {
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
}

/** The SPIFFE ID of a cluster's agent at its xDS door; no namespace and account have this path. */
export function agentSpiffeId(trustDomain: string): string {
  return `spiffe://${trustDomain}/agent`;
}
