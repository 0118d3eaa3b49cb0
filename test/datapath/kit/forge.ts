/** Certificates that no honest authority makes: every part of them is the test's to say. */
import 'reflect-metadata';
import { randomUUID, webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { Identity } from './pki.ts';

/** As `webcrypto` has it. */
type AnyAlgorithm = (webcrypto.EcKeyGenParams & { readonly hash: string }) | (webcrypto.RsaHashedKeyGenParams & { readonly hash: string });

/** NIST P-256 with SHA-256: what Hawser uses. */
export const P256: AnyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const HOUR_MS = 3_600_000;

/** An issuer: its certificate, its key, and what must be sent along for it to be found. */
export interface Issuer {
  readonly certificate: X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly algorithm: AnyAlgorithm;
  /** PEM of the certificates from this one up to a root, which is not in it: empty for a root. */
  readonly chain: string;
}

/** What to make; what is left out is as an honest authority does it. */
export interface Forgery {
  readonly names?: readonly JsonGeneralName[];
  readonly ca?: boolean;
  readonly pathLength?: number;
  /** Null leaves the extension out. */
  readonly keyUsage?: KeyUsageFlags | null;
  readonly extendedKeyUsage?: readonly string[] | null;
  readonly basicConstraints?: boolean;
  /** Hours from now. */
  readonly from?: number;
  readonly until?: number;
  readonly algorithm?: AnyAlgorithm;
  /** Of the signature; the issuer's unless given. */
  readonly signedWith?: string;
  readonly extra?: readonly Extension[];
}

/** One URI name. */
export function uri(value: string): JsonGeneralName {
  return { type: 'url', value };
}

/** A self-signed root. */
export async function forgeRoot(name: string, forgery: Forgery = {}): Promise<Issuer> {
  const algorithm = forgery.algorithm ?? P256;
  const keys = await generate(algorithm);
  const certificate = await X509CertificateGenerator.create(
    {
      ...{ subject: `CN=${name}`, issuer: `CN=${name}`, publicKey: keys.publicKey, signingKey: keys.privateKey },
      ...{ signingAlgorithm: { ...algorithm, hash: forgery.signedWith ?? algorithm.hash }, ...validity(forgery) },
      extensions: extensions({ ca: true, names: [uri(`spiffe://${name}`)], ...forgery }),
    },
    webcrypto,
  );
  return { certificate, keys, algorithm, chain: '' };
}

/** A certificate below an issuer: what a peer presents. */
export async function forge(issuer: Issuer, forgery: Forgery): Promise<Identity> {
  const { keys, chain } = await forgeIssuer(issuer, forgery);
  const key = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
  return { certificate: chain, key };
}

/** The same, to issue with. */
export async function forgeIssuer(issuer: Issuer, forgery: Forgery): Promise<Issuer> {
  const algorithm = forgery.algorithm ?? P256;
  const keys = await generate(algorithm);
  const certificate = await X509CertificateGenerator.create(
    {
      ...{ subject: `CN=forged ${randomUUID()}`, issuer: issuer.certificate.subject },
      ...{ publicKey: keys.publicKey, signingKey: issuer.keys.privateKey },
      ...{ signingAlgorithm: { ...issuer.algorithm, hash: forgery.signedWith ?? issuer.algorithm.hash }, ...validity(forgery) },
      extensions: [...extensions(forgery), await AuthorityKeyIdentifierExtension.create(issuer.certificate, false, webcrypto)],
    },
    webcrypto,
  );
  return { certificate, keys, algorithm, chain: `${certificate.toString('pem')}\n${issuer.chain}` };
}

/** Critical name constraints that permit URIs of these hosts alone (RFC 5280 4.2.1.10). */
export function onlyUriHosts(...hosts: readonly string[]): Extension {
  const subtrees = hosts.map((host) => der(0x30, der(0x86, Buffer.from(host))));
  return new Extension('2.5.29.30', true, der(0x30, der(0xa0, Buffer.concat(subtrees))));
}

function der(tag: number, content: Uint8Array): Buffer {
  if (content.length > 127) throw new Error('too long for a test');
  return Buffer.concat([Buffer.from([tag, content.length]), content]);
}

function extensions({
  names = [],
  ca = false,
  pathLength,
  keyUsage,
  extendedKeyUsage,
  basicConstraints = true,
  extra = [],
}: Forgery): Extension[] {
  const usages =
    keyUsage === undefined ? (ca ? KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign : KeyUsageFlags.digitalSignature) : keyUsage;
  const purposes = extendedKeyUsage === undefined && !ca ? [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth] : extendedKeyUsage;
  return [
    ...(basicConstraints ? [new BasicConstraintsExtension(ca, pathLength, true)] : []),
    ...(usages === null ? [] : [new KeyUsagesExtension(usages, true)]),
    ...(purposes === undefined || purposes === null ? [] : [new ExtendedKeyUsageExtension([...purposes])]),
    ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension([...names])]),
    ...extra,
  ];
}

function generate(algorithm: AnyAlgorithm): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>;
}

function validity({ from = -1, until = 1 }: Forgery): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() + from * HOUR_MS), notAfter: new Date(Date.now() + until * HOUR_MS) };
}
