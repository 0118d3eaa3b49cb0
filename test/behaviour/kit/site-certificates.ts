/** Certificates of sites and of their clients, as a public authority gives them: DNS names, RSA or ECDSA, revocation lists. */
import 'reflect-metadata';
import { createHash, sign, webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';
import type { Identity } from '../../datapath/kit/pki.ts';

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', publicExponent: new Uint8Array([1, 0, 1]), modulusLength: 2048 } as const;

/** An authority that anybody may trust. */
export interface Authority {
  readonly certificate: string;
  /** A leaf for these names: a DNS name, or a URI when it has a colon. */
  issue(names: readonly string[], key?: 'ecdsa' | 'rsa'): Promise<Identity>;
  /** A list, in PEM, that revokes these certificates. */
  revoke(identities: readonly Identity[]): Promise<string>;
}

export async function createAuthority(name: string): Promise<Authority> {
  const keys = await generate(ECDSA);
  const ca = await X509CertificateGenerator.createSelfSigned({
    ...{ name: `CN=${name}`, keys, signingAlgorithm: ECDSA, ...validity() },
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  });
  const sign = { signingKey: keys.privateKey, signingAlgorithm: ECDSA, issuer: ca.subject };
  const issue = async (names: readonly string[], key: 'ecdsa' | 'rsa' = 'ecdsa'): Promise<Identity> => {
    const own = await generate(key === 'rsa' ? RSA : ECDSA);
    const leaf = await X509CertificateGenerator.create({
      ...{ ...sign, subject: `CN=${names[0]}`, publicKey: own.publicKey, ...validity() },
      extensions: [
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
        new SubjectAlternativeNameExtension(names.map((value) => ({ type: value.includes(':') ? 'url' : 'dns', value }))),
      ],
    });
    const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', own.privateKey);
    return { certificate: leaf.toString('pem'), key: PemConverter.encode(pkcs8, 'PRIVATE KEY') };
  };
  const revoke = async (identities: readonly Identity[]): Promise<string> => {
    const pem = PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
    return revocationList(new X509Certificate(ca.rawData).subjectName.toArrayBuffer(), pem, identities);
  };
  return { certificate: ca.toString('pem'), issue, revoke };
}

/** A list of version 1 (RFC 5280, 5.1), which has no extensions. */
function revocationList(issuer: ArrayBuffer, key: string, identities: readonly Identity[]): string {
  const { notBefore, notAfter } = validity();
  const revoked = identities.map(({ certificate }) => {
    const serial = Buffer.from(new X509Certificate(certificate).serialNumber, 'hex');
    return der(0x30, der(0x02, (serial[0] ?? 0) > 127 ? Buffer.concat([Buffer.of(0), serial]) : serial), utcTime(notBefore));
  });
  const algorithm = der(0x30, Buffer.from('06082a8648ce3d040302', 'hex'));
  const list = der(0x30, algorithm, Buffer.from(issuer), utcTime(notBefore), utcTime(notAfter), der(0x30, ...revoked));
  const signature = der(0x03, Buffer.of(0), sign('sha256', list, { key, dsaEncoding: 'der' }));
  return PemConverter.encode(new Uint8Array(der(0x30, list, algorithm, signature)).buffer, 'X509 CRL');
}

function utcTime(date: Date): Buffer {
  return der(0x17, Buffer.from(`${date.toISOString().replace(/[-:T]/g, '').slice(2, 14)}Z`));
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}

/** SHA-256 of a certificate, hexadecimal. */
export function hashOf({ certificate }: Identity): string {
  return createHash('sha256')
    .update(Buffer.from(new X509Certificate(certificate).rawData))
    .digest('hex');
}

/** SHA-256 of a certificate's public key, base64. */
export function spkiOf({ certificate }: Identity): string {
  return createHash('sha256')
    .update(Buffer.from(new X509Certificate(certificate).publicKey.rawData))
    .digest('base64');
}

function generate(algorithm: typeof ECDSA | typeof RSA): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>;
}

function validity(): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) };
}
