/**
 * PURE: whether what a user brings can sign for a trust domain. Signatures, keys and dates are checked by node:crypto; what it does
 * not look at (name constraints, path lengths over the whole chain, key usage) is checked here (RFC 5280 section 6.1, SPIFFE X509-SVID).
 */
import 'reflect-metadata';
import { type createPublicKey, X509Certificate } from 'node:crypto';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { fewRsaBits, LEAST_RSA_BITS, weakHashOf } from '@hawser/runtime/certificate-checks.ts';
import { AsnConvert } from '@peculiar/asn1-schema';
import { type GeneralSubtree, id_ce_nameConstraints, NameConstraints } from '@peculiar/asn1-x509';
import * as x509 from '@peculiar/x509';
import type { BroughtPems } from './brought-files.ts';
import { fingerprint, type Generation } from './generation.ts';
import { signingKeyOf } from './signing-key.ts';

/** What it is for, and what else is known. */
export interface BroughtFor {
  readonly trustDomain: string;
  /** Authorities of other trust domains (PEM), which must stay theirs. */
  readonly bound?: readonly { readonly trustDomain: string; readonly certificate: string }[];
  /** Unix ms. */
  readonly now: number;
}

/** A generation that can sign, and its key (PEM). */
export interface BroughtAuthority {
  readonly generation: Omit<Generation, 'key' | 'state' | 'origin'>;
  readonly key: string;
}

const EXTENDED_USES = ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'] as const;
const ANY_USE = '2.5.29.37.0';

/** Checks everything; throws `import-refused` with the reason and the way out. */
export function broughtAuthority({ certificates, key }: BroughtPems, purpose: BroughtFor): BroughtAuthority {
  const signer = signerAmong(certificates, key);
  const path = pathOf(signer, certificates);
  for (const [below, pem] of path.entries()) {
    const problem = certificateProblem(pem, below, purpose);
    if (problem !== undefined) throw refused(`${nameOf(pem)} ${problem}`);
  }
  const root = path.at(-1) ?? signer;
  const kind = path.length === 1 ? 'root' : 'intermediate';
  return { generation: { id: fingerprint(signer), kind, certificate: signer, chain: path.slice(1, -1), root }, key };
}

/** The certificate that the key is of. */
function signerAmong(certificates: readonly string[], key: string): string {
  const [first] = certificates;
  if (first === undefined) throw refused('there is no certificate in what was given');
  let publicKey: ReturnType<typeof createPublicKey>;
  try {
    ({ publicKey } = signingKeyOf(key));
  } catch (error) {
    throw refused(messageOf(error), error);
  }
  const signer = certificates.find((pem) => new X509Certificate(pem).publicKey.equals(publicKey));
  if (signer !== undefined) return signer;
  throw refused(`the key is not that of ${nameOf(first)}: give the two that belong together`);
}

/** From the signer to its root, each signed by the next. */
function pathOf(signer: string, certificates: readonly string[]): string[] {
  const path = [signer];
  for (let current = new X509Certificate(signer); !isSelfSigned(current); ) {
    const above = certificates.find((pem) => isSignedBy(current, new X509Certificate(pem)));
    if (above === undefined || path.includes(above))
      throw refused(
        `nothing that was given signed ${nameOf(path.at(-1) ?? signer)}: give the certificates above it, up to the root, with --chain`,
      );
    path.push(above);
    current = new X509Certificate(above);
  }
  return path;
}

function isSelfSigned(certificate: X509Certificate): boolean {
  return isSignedBy(certificate, certificate);
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  // Not `checkIssued`: it also looks at usages, and would hide which certificate is at fault.
  return certificate.issuer === issuer.subject && certificate.verify(issuer.publicKey);
}

/** Why one certificate of the path cannot stand there; `below` is the number of authorities between it and leaves. */
function certificateProblem(pem: string, below: number, purpose: BroughtFor): string | undefined {
  const read = new X509Certificate(pem);
  const parsed = new x509.X509Certificate(pem);
  return (
    dateProblem(read, purpose.now) ??
    strengthProblem(read, parsed) ??
    usageProblem(parsed, below) ??
    nameProblem(parsed, purpose.trustDomain) ??
    bindingProblem(read, purpose)
  );
}

function dateProblem({ validFromDate, validToDate }: X509Certificate, now: number): string | undefined {
  if (validToDate.getTime() <= now) return `expired on ${validToDate.toISOString()}: bring one that is valid`;
  if (validFromDate.getTime() > now)
    return `is not valid before ${validFromDate.toISOString()}: import it then, or check this machine's clock`;
  return undefined;
}

function strengthProblem({ publicKey }: X509Certificate, parsed: x509.X509Certificate): string | undefined {
  const hash = weakHashOf(parsed);
  if (hash !== undefined) return `is signed with ${hash}, which can be forged: have it signed with SHA-256 or better`;
  const bits = fewRsaBits(publicKey);
  if (bits !== undefined) return `has an RSA key of ${bits} bits: bring one of at least ${LEAST_RSA_BITS}, or ECDSA P-256 or P-384`;
  return undefined;
}

function usageProblem(parsed: x509.X509Certificate, below: number): string | undefined {
  const constraints = parsed.getExtension(x509.BasicConstraintsExtension);
  if (constraints?.ca !== true) return 'is not the certificate of an authority (basicConstraints CA:TRUE is missing): bring that of the CA';
  const usage = parsed.getExtension(x509.KeyUsagesExtension);
  if (usage === null || (usage.usages & x509.KeyUsageFlags.keyCertSign) === 0)
    return 'may not sign certificates (keyCertSign is missing in its key usage): bring one that may';
  if (constraints.pathLength !== undefined && constraints.pathLength < below)
    return `has path length ${constraints.pathLength}, and ${below} authorities are below it: no leaf would be believed; have it made with a longer one`;
  const extended = parsed.getExtension(x509.ExtendedKeyUsageExtension)?.usages.map(String);
  if (extended !== undefined && !extended.includes(ANY_USE) && !EXTENDED_USES.every((use) => extended.includes(use)))
    return 'has an extended key usage without serverAuth and clientAuth, and so cannot sign for workloads: bring one without, or with both';
  return undefined;
}

function nameProblem(parsed: x509.X509Certificate, trustDomain: string): string | undefined {
  const own = `spiffe://${trustDomain}`;
  const names = parsed.extensions
    .filter(({ type }) => type === '2.5.29.17')
    .flatMap((name) => new x509.SubjectAlternativeNameExtension(name.rawData).names.items);
  const foreign = names.find(({ type, value }) => type === 'url' && value.startsWith('spiffe:') && value !== own);
  if (foreign !== undefined) return `is for ${foreign.value}, not for ${own}: every trust domain has an authority of its own`;
  const extension = parsed.extensions.find(({ type }) => type === id_ce_nameConstraints);
  if (extension === undefined) return undefined;
  const { permittedSubtrees = [], excludedSubtrees = [] } = AsnConvert.parse(extension.value, NameConstraints);
  const permitted = hostsOf([...permittedSubtrees]);
  const excluded = hostsOf([...excludedSubtrees]);
  if (
    (permitted.length === 0 || permitted.some((host) => covers(host, trustDomain))) &&
    !excluded.some((host) => covers(host, trustDomain))
  )
    return undefined;
  return `excludes ${own} by its name constraints (URI ${[...permitted, ...excluded.map((host) => `not ${host}`)].join(', ')}): bring one that permits it`;
}

function hostsOf(subtrees: readonly GeneralSubtree[]): string[] {
  return subtrees.flatMap(({ base }) => (base.uniformResourceIdentifier === undefined ? [] : [base.uniformResourceIdentifier]));
}

/** A host, or with a leading dot everything below it (RFC 5280 section 4.2.1.10). */
function covers(constraint: string, host: string): boolean {
  return constraint.startsWith('.') ? host.endsWith(constraint) : host === constraint;
}

function bindingProblem({ publicKey }: X509Certificate, { bound = [], trustDomain }: BroughtFor): string | undefined {
  const other = bound.find((each) => each.trustDomain !== trustDomain && new X509Certificate(each.certificate).publicKey.equals(publicKey));
  if (other === undefined) return undefined;
  return `has the key of an authority of the trust domain ${other.trustDomain}: who has that key could speak for both; bring a key of its own`;
}

function nameOf(pem: string): string {
  return `the certificate ${JSON.stringify(new X509Certificate(pem).subject?.replaceAll('\n', ',') ?? '')}`;
}

function refused(reason: string, cause?: unknown): AppError {
  return new AppError('import-refused', reason, { status: 422, cause });
}
