/** Certificates of sites and of their clients, as a public authority gives them: DNS names, RSA or ECDSA, revocation lists. */
import 'reflect-metadata';
import { createHash, webcrypto } from 'node:crypto';
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
  X509CrlGenerator,
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
    const entries = identities.map(({ certificate }) => ({ serialNumber: new X509Certificate(certificate).serialNumber }));
    const crl = await X509CrlGenerator.create({ ...sign, thisUpdate: validity().notBefore, nextUpdate: validity().notAfter, entries });
    return PemConverter.encode(crl.rawData, 'X509 CRL');
  };
  return { certificate: ca.toString('pem'), issue, revoke };
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
