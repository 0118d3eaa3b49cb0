/** Who a cluster's agent is at its door, by the roots that its proxies were given. */
import { X509Certificate } from 'node:crypto';
import { agentSpiffeId, trustDomainOf, trustDomainOfAuthority } from '@hawser/model/spiffe-ids.ts';

/** The agent's SPIFFE ID: of the trust domain that the first root names, and of the cluster's own where it names none. */
export function agentIdentity(bundle: string, cluster: string): string {
  return agentSpiffeId(namedBy(bundle) ?? trustDomainOf(cluster));
}

function namedBy(bundle: string): string | undefined {
  try {
    return trustDomainOfAuthority(new X509Certificate(bundle).subjectAltName?.replace('URI:', '') ?? '');
  } catch {
    // Envoy, or the connection, says what is wrong with it.
    return undefined;
  }
}
