/** Certificates of authorities of any shape, good and bad, for tests of who is believed. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** What is unusual about it. */
export interface AuthorityShape {
  readonly ca?: boolean;
  readonly usages?: number;
  /** URIs that it bears; none unless given. */
  readonly uris?: readonly string[];
  readonly hash?: 'SHA-1' | 'SHA-256';
  /** RSA of so many bits instead of P-256. */
  readonly rsaBits?: number;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly keys?: webcrypto.CryptoKeyPair;
}

/** A key pair for several certificates. */
export function authorityKeys({
  rsaBits,
  hash = 'SHA-256',
}: Pick<AuthorityShape, 'rsaBits' | 'hash'> = {}): Promise<webcrypto.CryptoKeyPair> {
  const rsa = { name: 'RSASSA-PKCS1-v1_5', hash, publicExponent: new Uint8Array([1, 0, 1]), modulusLength: rsaBits ?? 2048 };
  const algorithm = rsaBits === undefined ? { name: 'ECDSA', namedCurve: 'P-256' } : rsa;
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>;
}

/** PEM of a self-signed certificate of an authority. */
export async function authorityCertificate(name: string, shape: AuthorityShape = {}): Promise<string> {
  const { ca = true, usages = KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, uris = [], hash = 'SHA-256', rsaBits } = shape;
  const keys = shape.keys ?? (await authorityKeys(shape));
  const made = await X509CertificateGenerator.createSelfSigned({
    ...{ name: `CN=${name}`, keys, signingAlgorithm: { name: rsaBits === undefined ? 'ECDSA' : 'RSASSA-PKCS1-v1_5', hash } },
    notBefore: shape.notBefore ?? new Date(Date.now() - 60_000),
    notAfter: shape.notAfter ?? new Date(Date.now() + 3_600_000),
    extensions: [
      new BasicConstraintsExtension(ca, undefined, true),
      new KeyUsagesExtension(usages, true),
      ...(uris.length === 0 ? [] : [new SubjectAlternativeNameExtension(uris.map((value) => ({ type: 'url' as const, value })))]),
    ],
  });
  return `${made.toString('pem')}\n`;
}
