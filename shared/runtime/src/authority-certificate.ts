/**
 * Certificates of authorities that somebody else made, read with suspicion (SPIFFE X509-SVID 3 and 4; RELIABILITY.md 5.1): what Envoy and
 * OpenSSL let pass is refused where it is read.
 */
import 'reflect-metadata';
import { createHash, type KeyObject, X509Certificate } from 'node:crypto';
import { trustDomainOfAuthority } from '@hawser/model/spiffe-ids.ts';
import * as x509 from '@peculiar/x509';
import { messageOf } from './app-error.ts';
import { fewRsaBits, isOnKnownCurve, LEAST_RSA_BITS, uriNamesOf, weakHashOf } from './certificate-checks.ts';

/** A certificate that may sign those of workloads. */
export interface AuthorityCertificate {
  readonly pem: string;
  /** Hex SHA-256 of the certificate, and of its public key: the key is what a trust domain owns. */
  readonly fingerprint: string;
  readonly keyId: string;
  readonly subject: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** The trust domain that it names by its URI, if it names one. */
  readonly trustDomain: string | undefined;
}

/** Bounded by forgetting all: what is asked for is mostly what was asked for before. */
const MOST_REMEMBERED = 2_000;
const remembered = new Map<string, AuthorityCertificate | { readonly problem: string }>();

/** Reads one PEM certificate; what it is not good for is in `problem`. Dates are not looked at. */
export function readAuthority(pem: string): AuthorityCertificate | { readonly problem: string } {
  const known = remembered.get(pem);
  if (known !== undefined) return known;
  if (remembered.size >= MOST_REMEMBERED) remembered.clear();
  const read = parsed(pem);
  remembered.set(pem, read);
  return read;
}

function parsed(pem: string): AuthorityCertificate | { readonly problem: string } {
  try {
    return checked(new X509Certificate(pem), new x509.X509Certificate(pem));
  } catch (error) {
    return { problem: `is no certificate (${messageOf(error)})` };
  }
}

function checked(certificate: X509Certificate, details: x509.X509Certificate): AuthorityCertificate | { readonly problem: string } {
  const uris = uriNamesOf(details);
  const trustDomain = trustDomainOfAuthority(uris[0] ?? '');
  const problem = weakness(certificate, details) ?? nameProblem(uris.length, trustDomain);
  if (problem !== undefined) return { problem };
  return {
    pem: certificate.toString(),
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    keyId: createHash('sha256').update(new Uint8Array(details.publicKey.rawData)).digest('hex'),
    subject: certificate.subject.replaceAll('\n', ','),
    notBefore: certificate.validFromDate.getTime(),
    notAfter: certificate.validToDate.getTime(),
    trustDomain,
  };
}

function nameProblem(uris: number, trustDomain: string | undefined): string | undefined {
  if (uris > 1) return 'has more than one URI';
  return uris === 1 && trustDomain === undefined ? 'has a URI that is no trust domain: that of an authority has no path' : undefined;
}

function weakness(certificate: X509Certificate, details: x509.X509Certificate): string | undefined {
  const isAuthority = details.getExtension(x509.BasicConstraintsExtension)?.ca === true;
  const usages = details.getExtension(x509.KeyUsagesExtension)?.usages ?? 0;
  if (isAuthority && (usages & x509.KeyUsageFlags.keyCertSign) === 0) return 'may not sign certificates (no keyCertSign)';
  if (!isAuthority || !certificate.ca) return 'is not the certificate of an authority (CA:FALSE)';
  const hash = weakHashOf(details);
  return hash === undefined ? keyWeakness(certificate.publicKey) : `is signed with ${hash}`;
}

function keyWeakness(key: KeyObject): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails } = key;
  if (type === 'ec') return isOnKnownCurve(key) ? undefined : `has a key on the curve ${asymmetricKeyDetails?.namedCurve}`;
  if (type !== 'rsa' && type !== 'rsa-pss') return `has a key of type ${type}, which Envoy does not verify with`;
  const bits = fewRsaBits(key);
  return bits === undefined ? undefined : `has an RSA key of ${bits} bits; at least ${LEAST_RSA_BITS} are needed`;
}

/** A bundle as it is believed, and what was left out of it, in words. */
export interface CheckedBundle {
  readonly authorities: readonly AuthorityCertificate[];
  readonly problems: readonly string[];
}

/**
 * Reads the bundle of a trust domain. Expired certificates are left out while another one is good: a bundle that has expired whole
 * stays as it is, so that time alone ends the trust in it.
 */
export function checkBundle(trustDomain: string, pems: readonly string[], now: number): CheckedBundle {
  const problems: string[] = [];
  const read = new Map<string, AuthorityCertificate>();
  pems.forEach((pem, index) => {
    const authority = readAuthority(pem);
    const problem = 'problem' in authority ? authority.problem : foreign(authority, trustDomain);
    if (problem !== undefined) problems.push(`certificate ${index + 1} of the bundle of ${trustDomain} ${problem}: it is left out`);
    else if (!('problem' in authority)) read.set(authority.fingerprint, authority);
  });
  const all = [...read.values()].sort((a, b) => (a.pem < b.pem ? -1 : 1));
  const live = all.filter(({ notAfter }) => notAfter > now);
  for (const { subject, notAfter } of all.filter((one) => !live.includes(one)))
    problems.push(`the root ${subject} of ${trustDomain} expired on ${new Date(notAfter).toISOString()}`);
  return { authorities: live.length > 0 ? live : all, problems };
}

function foreign(authority: AuthorityCertificate, trustDomain: string): string | undefined {
  const { trustDomain: named } = authority;
  return named === undefined || named === trustDomain ? undefined : `is the root of ${named} by its own word`;
}

/** Certificates in a PEM text, each by itself. */
export function pemCertificates(text: string): string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g)?.map((pem) => `${pem}\n`) ?? [];
}

/** Which trust domain each authority's key belongs to: a key that two claimed would let one speak for the other. */
export class KeyOwners {
  readonly #owners = new Map<string, string>();
  readonly #keys = new Map<string, ReadonlySet<string>>();

  /** The first of these that another trust domain owns. */
  conflict(trustDomain: string, keys: Iterable<string>): { readonly keyId: string; readonly owner: string } | undefined {
    for (const keyId of keys) {
      const owner = this.#owners.get(keyId);
      if (owner !== undefined && owner !== trustDomain) return { keyId, owner };
    }
    return undefined;
  }

  /** A source (a cluster, or the hub for external domains) now vouches for these keys of a trust domain, and for no others. */
  claim(source: string, trustDomain: string, keys: Iterable<string>): void {
    this.release(source);
    const own = new Set(keys);
    this.#keys.set(source, own);
    for (const keyId of own) this.#owners.set(keyId, trustDomain);
  }

  /** What a source vouched for is free, unless another source of the same trust domain vouches for it too. */
  release(source: string): void {
    const before = this.#keys.get(source);
    if (before === undefined) return;
    this.#keys.delete(source);
    for (const keyId of before) if (![...this.#keys.values()].some((keys) => keys.has(keyId))) this.#owners.delete(keyId);
  }
}
