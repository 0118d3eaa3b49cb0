/** SPIFFE IDs of the federation (SPIFFE-ID section 2; DESIGN.md, identity). Imports nothing, so that every package may use it. */

/** What a trust domain's name may be (SPIFFE-ID 2.1), for use within a longer pattern, of RE2 and JSON Schema too. */
export const TRUST_DOMAIN_PATTERN = '[a-z0-9._-]{1,255}';
const NAME = new RegExp(`^${TRUST_DOMAIN_PATTERN}$`);
const OF_ID = /^spiffe:\/\/([^/]+)/;

/** Whether a text can be the name of a trust domain. */
export function isTrustDomainName(text: string): boolean {
  return NAME.test(text);
}

/** The trust domain that an ID is of, of a workload's or its own, as it is written there; undefined where it is no SPIFFE ID at all. */
export function trustDomainOfId(id: string): string | undefined {
  return OF_ID.exec(id)?.[1];
}

/** The trust domain that an authority names by its URI, which has no path (X509-SVID 4.1); undefined when it is not one. */
export function trustDomainOfAuthority(uri: string): string | undefined {
  const name = trustDomainOfId(uri);
  return name !== undefined && isTrustDomainName(name) && uri === `spiffe://${name}` ? name : undefined;
}

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
