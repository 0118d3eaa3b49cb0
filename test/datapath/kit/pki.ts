/** Trust domains for tests: a root each, and certificates for any URI. */
import { forge, forgeRoot, type Identity, type Issuer, uri } from '../../kit/forge.ts';

export type { Identity } from '../../kit/forge.ts';

export interface TrustDomain {
  readonly name: string;
  readonly bundle: string;
  /** The root, to forge with. */
  readonly issuer: Issuer;
  /** A leaf with this URI; the domain does not care whether it is one of its own. */
  issue(value: string): Promise<Identity>;
}

export async function createTrustDomain(name: string): Promise<TrustDomain> {
  const issuer = await forgeRoot(name);
  return { name, bundle: issuer.certificate.toString('pem'), issuer, issue: (value) => forge(issuer, { names: [uri(value)] }) };
}
