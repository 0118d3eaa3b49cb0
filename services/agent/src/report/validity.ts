/** PURE: how long what an agent lives on is good: its credentials for the bus, the roots of its cluster. */
import { X509Certificate } from 'node:crypto';
import type { Membership } from '@hawser/wire/enrolment.ts';
import type { Validity } from '@hawser/wire/messages.ts';

/** Of the NATS credentials; they begin where their JWT was issued (`iat`, RFC 7519 section 4.1.6). */
export function credentialsValidity({ natsJwt, natsJwtExpiresAt }: Pick<Membership, 'natsJwt' | 'natsJwtExpiresAt'>): Validity {
  return { of: 'credentials', from: issuedAt(natsJwt), until: natsJwtExpiresAt };
}

/** Of the root that ends first. */
export function rootValidity(trustBundle: readonly string[]): Validity {
  const [first] = trustBundle.map((pem) => new X509Certificate(pem)).sort((a, b) => a.validToDate.getTime() - b.validToDate.getTime());
  return { of: 'root', from: first?.validFromDate.toISOString() ?? '', until: first?.validToDate.toISOString() ?? '' };
}

/** The ends, Unix milliseconds, by what ends. */
export function endsOf(all: readonly Validity[]): Readonly<Record<string, number>> {
  return Object.fromEntries(all.map(({ of, until }) => [of, Date.parse(until)]));
}

/** Empty when the JWT does not say. */
function issuedAt(jwt: string): string {
  try {
    const { iat } = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString('utf8')) as { readonly iat?: unknown };
    return typeof iat === 'number' ? new Date(iat * 1000).toISOString() : '';
  } catch {
    return '';
  }
}
