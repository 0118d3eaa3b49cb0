/** Trust domains for tests: a root each, and certificates of any shape, wrong ones too. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export interface Identity {
  readonly certificate: string;
  readonly key: string;
}

export interface TrustDomain {
  readonly name: string;
  readonly bundle: string;
  /** A leaf with this URI; the domain does not care whether it is one of its own. */
  issue(uri: string): Promise<Identity>;
}

export async function createTrustDomain(name: string): Promise<TrustDomain> {
  const keys = await newKeys();
  const ca = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name} root`,
    keys,
    signingAlgorithm: ALGORITHM,
    ...validity(),
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      uriName(`spiffe://${name}`),
    ],
  });
  return { name, bundle: ca.toString('pem'), issue: (uri) => issue(ca, keys.privateKey, uri) };
}

async function issue(ca: X509Certificate, caKey: webcrypto.CryptoKey, uri: string): Promise<Identity> {
  const keys = await newKeys();
  const leaf = await X509CertificateGenerator.create({
    subject: 'O=hawser test',
    issuer: ca.subject,
    publicKey: keys.publicKey,
    signingKey: caKey,
    signingAlgorithm: ALGORITHM,
    ...validity(),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      uriName(uri),
    ],
  });
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { certificate: leaf.toString('pem'), key: PemConverter.encode(key, 'PRIVATE KEY') };
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']) as Promise<webcrypto.CryptoKeyPair>;
}

function uriName(uri: string): Extension {
  return new SubjectAlternativeNameExtension([{ type: 'url', value: uri }]);
}

function validity(): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000) };
}
