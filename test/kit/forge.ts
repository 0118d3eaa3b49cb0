/** Certificates that no honest authority makes, and those that one does: every part of them is the test's to say. The one place where tests make any. */
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
import { der, sequence } from '../../services/agent/src/trust/der.ts';

/** As `webcrypto` has it. */
export type AnyAlgorithm = (webcrypto.EcKeyGenParams | webcrypto.RsaHashedKeyGenParams) & { readonly hash: string };

/** NIST P-256 with SHA-256: what Hawser uses. */
export const P256: AnyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const HOUR_MS = 3_600_000;

/** RSA, as PKCS#1 version 1.5 signs with it. */
export function rsa(bits: number, hash = 'SHA-256'): AnyAlgorithm {
  return { name: 'RSASSA-PKCS1-v1_5', hash, publicExponent: new Uint8Array([1, 0, 1]), modulusLength: bits };
}

/** What a peer presents, PEM. */
export interface Identity {
  readonly certificate: string;
  readonly key: string;
}

/** An issuer: its certificate, its key, and what must be sent along for it to be found. */
export interface Issuer {
  /** What it calls itself in what it signs. */
  readonly subject: string;
  readonly certificate: X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
  readonly algorithm: AnyAlgorithm;
  /** PEM of the certificates from this one up to a root, which is not in it: empty for a root. */
  readonly chain: string;
}

/** What to make; what is left out is as an honest authority does it. */
export interface Forgery {
  readonly names?: readonly JsonGeneralName[];
  /** As `CN=…` has it; random unless given. */
  readonly commonName?: string;
  readonly ca?: boolean;
  readonly pathLength?: number | undefined;
  /** Null leaves the extension out. */
  readonly keyUsage?: KeyUsageFlags | null;
  readonly extendedKeyUsage?: readonly string[] | null;
  readonly basicConstraints?: boolean;
  /** Hours from now. */
  readonly from?: number;
  readonly until?: number;
  readonly algorithm?: AnyAlgorithm;
  /** Of another certificate: the same key again. */
  readonly keys?: webcrypto.CryptoKeyPair | undefined;
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
  const keys = forgery.keys ?? (await newKeys(algorithm));
  const self = { subject: `CN=${name}`, keys, algorithm };
  const certificate = await signed(self, { ...self, ...{ ca: true, names: [uri(`spiffe://${name}`)] }, ...forgery, keys });
  return { ...self, certificate, chain: '' };
}

/** A certificate below an issuer: what a peer presents. */
export async function forge(issuer: Issuer, forgery: Forgery): Promise<Identity> {
  const { keys, chain } = await forgeIssuer(issuer, forgery);
  return { certificate: chain, key: await keyPem(keys) };
}

/** The same, to issue with. */
export async function forgeIssuer(issuer: Issuer, forgery: Forgery): Promise<Issuer> {
  const algorithm = forgery.algorithm ?? P256;
  const keys = forgery.keys ?? (await newKeys(algorithm));
  const subject = `CN=${forgery.commonName ?? `forged ${randomUUID()}`}`;
  const above = await AuthorityKeyIdentifierExtension.create(issuer.certificate, false, webcrypto);
  const certificate = await signed(issuer, { ...forgery, subject, keys, extra: [...(forgery.extra ?? []), above] });
  return { subject, certificate, keys, algorithm, chain: `${certificate.toString('pem')}\n${issuer.chain}` };
}

/** PKCS#8 in PEM. */
export async function keyPem({ privateKey }: webcrypto.CryptoKeyPair): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY');
}

/** Keys for several certificates. */
export function newKeys(algorithm: AnyAlgorithm): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>;
}

/** Critical name constraints on the hosts of URIs, with a leading dot on all below one (RFC 5280 4.2.1.10). */
export function uriHosts({
  permitted = [],
  excluded = [],
}: {
  readonly permitted?: readonly string[] | undefined;
  readonly excluded?: readonly string[] | undefined;
}): Extension {
  const subtrees = (tag: number, hosts: readonly string[]): Uint8Array[] =>
    hosts.length === 0 ? [] : [der(tag, ...hosts.map((host) => sequence(der(0x86, Buffer.from(host)))))];
  return new Extension('2.5.29.30', true, sequence(...subtrees(0xa0, permitted), ...subtrees(0xa1, excluded)));
}

type Signer = Pick<Issuer, 'subject' | 'keys' | 'algorithm'>;

function signed(by: Signer, forgery: Forgery & Pick<Issuer, 'subject' | 'keys'>): Promise<X509Certificate> {
  return X509CertificateGenerator.create(
    {
      ...{ subject: forgery.subject, issuer: by.subject, publicKey: forgery.keys.publicKey, signingKey: by.keys.privateKey },
      ...{ signingAlgorithm: { ...by.algorithm, hash: forgery.signedWith ?? by.algorithm.hash }, ...validity(forgery) },
      extensions: extensions(forgery),
    },
    webcrypto,
  );
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

function validity({ from = -1, until = 1 }: Forgery): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() + from * HOUR_MS), notAfter: new Date(Date.now() + until * HOUR_MS) };
}
