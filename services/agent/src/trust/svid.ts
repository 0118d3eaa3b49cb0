/**
 * What makes a certificate an X.509-SVID of a workload (SPIFFE X509-SVID sections 2, 4 and 5.2, SPIFFE-ID section 2), where
 * Envoy's validator does not look: it takes two URI SANs and any extended key usage (RELIABILITY.md 0.3). Signatures are not checked.
 */
import 'reflect-metadata';
import { X509Certificate } from 'node:crypto';
import { isTrustDomainName } from '@hawser/model/spiffe-ids.ts';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { fewRsaBits, isOnKnownCurve, uriNamesOf, weakHashOf } from '@hawser/runtime/certificate-checks.ts';
import * as x509 from '@peculiar/x509';

/** What is expected of a certificate; what is not named is not checked. */
export interface SvidExpectations {
  /** The trust domain that its ID must be of. */
  readonly trustDomain?: string;
  /** Unix ms; the current time unless given. */
  readonly now?: number;
}

const OID = { subjectAltName: '2.5.29.17', keyUsage: '2.5.29.15', basicConstraints: '2.5.29.19', extKeyUsage: '2.5.29.37' } as const;
/** Extensions that a verifier of SVIDs knows; another one that is critical must not be passed over (RFC 5280 section 4.2). */
const KNOWN = new Set<string>([...Object.values(OID), '2.5.29.14', '2.5.29.35', '2.5.29.32', '2.5.29.31', '1.3.6.1.5.5.7.1.1']);
const SEGMENT = /^(?!\.{1,2}$)[a-zA-Z0-9._-]+$/;
const MAX_ID_BYTES = 2048;

/** Why a certificate (PEM or DER) is not the SVID of a workload; empty when it is one. Never throws. */
export function svidProblems(certificate: string | Uint8Array, expected: SvidExpectations = {}): readonly string[] {
  try {
    const read = new X509Certificate(certificate);
    const parsed = new x509.X509Certificate(new Uint8Array(read.raw));
    return [
      ...nameProblems(parsed, expected.trustDomain),
      ...usageProblems(parsed),
      ...extensionProblems(parsed),
      ...validityProblems(read, expected.now ?? Date.now()),
      ...keyProblems(read, parsed),
    ];
  } catch (error) {
    return [`not a certificate that can be read (${messageOf(error)})`];
  }
}

/** Why a text is not the SPIFFE ID of a workload; empty when it is one. */
export function spiffeIdProblems(id: string): readonly string[] {
  if (Buffer.byteLength(id) > MAX_ID_BYTES) return [`the ID is longer than ${MAX_ID_BYTES} bytes`];
  const shown = JSON.stringify(id);
  if (!id.startsWith('spiffe://')) return [`${shown} does not begin with spiffe://`];
  const [trustDomain = '', ...segments] = id.slice('spiffe://'.length).split('/');
  if (!isTrustDomainName(trustDomain)) return [`the trust domain of ${shown} has other characters than a-z, 0-9, ".", "-" and "_"`];
  if (segments.length === 0) return [`${shown} has no path: it names a trust domain, not a workload`];
  return segments.every((segment) => SEGMENT.test(segment)) ? [] : [`the path of ${shown} has an empty, relative or ill-formed segment`];
}

function nameProblems(parsed: x509.X509Certificate, trustDomain: string | undefined): string[] {
  const uris = uriNamesOf(parsed);
  const [id = ''] = uris;
  if (uris.length !== 1) return [`${uris.length} URI SANs where there must be exactly one`];
  const problems = spiffeIdProblems(id);
  if (problems.length > 0 || trustDomain === undefined || id.startsWith(`spiffe://${trustDomain}/`)) return [...problems];
  return [`${id} is of another trust domain than ${trustDomain}`];
}

function usageProblems(parsed: x509.X509Certificate): string[] {
  const problems: string[] = [];
  if (parsed.getExtension(x509.BasicConstraintsExtension)?.ca === true)
    problems.push('it is the certificate of an authority (cA), not of a workload');
  const usage = parsed.getExtension(x509.KeyUsagesExtension);
  if (usage === null) problems.push('key usage is missing');
  else {
    if (!usage.critical) problems.push('key usage is not critical');
    if ((usage.usages & x509.KeyUsageFlags.digitalSignature) === 0) problems.push('key usage has no digitalSignature');
    if ((usage.usages & (x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign)) !== 0)
      problems.push('key usage has keyCertSign or cRLSign, which a workload must not have');
  }
  const extended = parsed.getExtension(x509.ExtendedKeyUsageExtension)?.usages.map(String);
  const wanted = [x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth];
  if (extended !== undefined && !wanted.every((one) => extended.includes(one)))
    problems.push('extended key usage is there without both serverAuth and clientAuth');
  return problems;
}

function extensionProblems({ extensions }: x509.X509Certificate): string[] {
  const types = extensions.map(({ type }) => type);
  const twice = types.filter((type, index) => types.indexOf(type) !== index);
  const unknown = extensions.filter(({ type, critical }) => critical && !KNOWN.has(type)).map(({ type }) => type);
  return [...twice.map((type) => `extension ${type} is there twice`), ...unknown.map((type) => `critical extension ${type} is not known`)];
}

function validityProblems(read: X509Certificate, now: number): string[] {
  if (read.validFromDate.getTime() > now) return [`not valid before ${read.validFromDate.toISOString()}`];
  if (read.validToDate.getTime() < now) return [`expired on ${read.validToDate.toISOString()}`];
  return [];
}

function keyProblems({ publicKey }: X509Certificate, parsed: x509.X509Certificate): string[] {
  const problems: string[] = [];
  const { modulusLength = 0, namedCurve = '' } = publicKey.asymmetricKeyDetails ?? {};
  const type = publicKey.asymmetricKeyType;
  const strong = type === 'rsa' ? fewRsaBits(publicKey) === undefined : type === 'ed25519' || isOnKnownCurve(publicKey);
  if (!strong) problems.push(`its key is too weak or of an unknown kind (${type ?? 'unknown'} ${namedCurve || modulusLength})`);
  const hash = weakHashOf(parsed);
  if (hash !== undefined) problems.push(`it is signed with ${hash}`);
  return problems;
}
