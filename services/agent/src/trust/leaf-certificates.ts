/**
 * Issues X.509-SVIDs (SPIFFE X509-SVID sections 2 to 4). The bytes are put together here, because a leaf is always of the same form
 * and a library takes most of a millisecond for it; a test holds them against the library's, bit for bit. Keys and signatures are
 * OpenSSL's, the keys on its threads.
 */
import 'reflect-metadata';
import { generateKeyPair, sign, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import * as x509 from '@peculiar/x509';
import { BACKDATE_MS } from './ca-certificates.ts';
import { bitString, der, sequence, TAG, time } from './der.ts';
import { type SigningKey, serialNumber } from './signing-key.ts';

const newPair = promisify(generateKeyPair);
const signed = promisify(sign);

/** What a generation signs leaves with. */
export interface LeafSigner {
  readonly key: SigningKey;
  /** DER of the signer's subject. */
  readonly issuer: Uint8Array;
  /** The signer's subject key identifier. */
  readonly keyId: Uint8Array;
  /** PEM of what stands between a leaf and its root. */
  readonly intermediates: string;
  /** Unix ms: none of the chain is good for longer. */
  readonly notAfter: number;
}

/** A leaf and its key. */
export interface SignedLeaf {
  /** PEM. */
  readonly certificate: string;
  /** PKCS#8, PEM. */
  readonly key: string;
  /** Unix ms. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** What is needed of a generation's certificates: its own, those above it, and its root (PEM). */
export function leafSigner(
  key: SigningKey,
  certificate: string,
  above: { readonly chain: readonly string[]; readonly root: string },
): LeafSigner {
  const own = new x509.X509Certificate(certificate);
  const isRoot = new X509Certificate(certificate).fingerprint256 === new X509Certificate(above.root).fingerprint256;
  const all = [certificate, ...above.chain, above.root].map((pem) => new X509Certificate(pem).validToDate.getTime());
  return {
    key,
    issuer: new Uint8Array(own.subjectName.toArrayBuffer()),
    keyId: Buffer.from(own.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId ?? '', 'hex'),
    intermediates: (isRoot ? [] : [certificate, ...above.chain]).map((pem) => `${pem.trim()}\n`).join(''),
    notAfter: Math.min(...all),
  };
}

/** What a leaf is the certificate of: a SPIFFE ID and no other name, or names in DNS and no ID, which is nobody in the mesh. */
export type LeafName = string | { readonly dns: readonly string[] };

/** A fresh P-256 key and a certificate for it. */
export async function signLeaf(signer: LeafSigner, id: LeafName, lifeMs: number): Promise<SignedLeaf> {
  const { publicKey, privateKey } = await newPair('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const now = Date.now();
  const [notBefore, notAfter] = [now - BACKDATE_MS, Math.min(now + lifeMs, signer.notAfter)];
  const body = leafBody(signer, { id, publicKey, notBefore, notAfter, serial: serialNumber() });
  const { digest, key, algorithm } = signer.key;
  // A signature by P-256 takes less than the way to another thread and back; one by RSA is worth it.
  const signature =
    algorithm.name === 'ECDSA' && algorithm.namedCurve === 'P-256' ? sign(digest, body, key) : await signed(digest, body, key);
  const certificate = pem('CERTIFICATE', sequence(body, signatureAlgorithm(signer.key), bitString(signature)));
  return { certificate, key: privateKey, notBefore, notAfter };
}

/** What differs between leaves. */
export interface LeafFields {
  readonly id: LeafName;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly serial: Uint8Array;
}

const VERSION_3 = der(0xa0, der(TAG.integer, Buffer.from([2])));
const NO_SUBJECT = sequence();
const TRUE = der(TAG.boolean, Buffer.from([0xff]));
const OID = {
  ecdsaWithSha256: oid('2a8648ce3d040302'),
  ecdsaWithSha384: oid('2a8648ce3d040303'),
  rsaWithSha256: oid('2a864886f70d01010b'),
  keyUsage: oid('551d0f'),
  subjectAltName: oid('551d11'),
  basicConstraints: oid('551d13'),
  authorityKeyId: oid('551d23'),
  extKeyUsage: oid('551d25'),
  serverAuth: oid('2b06010505070301'),
  clientAuth: oid('2b06010505070302'),
} as const;
/** cA is FALSE by default, and a default is not encoded; digitalSignature is bit 0; both extended usages. */
const SAME_FOR_ALL = [
  extension(OID.basicConstraints, sequence(), 'critical'),
  extension(OID.keyUsage, der(TAG.bitString, Buffer.from([7, 0x80])), 'critical'),
  extension(OID.extKeyUsage, sequence(OID.serverAuth, OID.clientAuth)),
];

/** The TBSCertificate (RFC 5280 section 4.1). */
export function leafBody(signer: LeafSigner, { id, publicKey, notBefore, notAfter, serial }: LeafFields): Buffer {
  // A URI is [6], a name in DNS [2], a key identifier [0]. The name is critical, because the subject is empty (RFC 5280 section 4.2.1.6).
  const names =
    typeof id === 'string' ? [der(0x86, Buffer.from(id, 'latin1'))] : id.dns.map((one) => der(0x82, Buffer.from(one, 'latin1')));
  const name = extension(OID.subjectAltName, sequence(...names), 'critical');
  const authority = signer.keyId.length === 0 ? [] : [extension(OID.authorityKeyId, sequence(der(0x80, signer.keyId)))];
  return sequence(
    VERSION_3,
    der(TAG.integer, serial),
    signatureAlgorithm(signer.key),
    signer.issuer,
    sequence(time(notBefore), time(notAfter)),
    NO_SUBJECT,
    publicKey,
    der(0xa3, sequence(...SAME_FOR_ALL, name, ...authority)),
  );
}

function signatureAlgorithm({ algorithm, digest }: SigningKey): Buffer {
  if (algorithm.name === 'RSASSA-PKCS1-v1_5') return sequence(OID.rsaWithSha256, der(TAG.null));
  return sequence(digest === 'sha384' ? OID.ecdsaWithSha384 : OID.ecdsaWithSha256);
}

function extension(name: Uint8Array, value: Uint8Array, critical?: 'critical'): Buffer {
  return sequence(name, ...(critical === undefined ? [] : [TRUE]), der(TAG.octetString, value));
}

function oid(hex: string): Buffer {
  return der(TAG.oid, Buffer.from(hex, 'hex'));
}

function pem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
