/**
 * A trust store in PKCS#12 (RFC 7292): certificates without a key, marked as Java and OpenSSL mark those that are trusted. They are public,
 * so nothing is encrypted; the password keeps the file from being changed.
 */

import { createHash, createHmac, randomBytes, X509Certificate } from 'node:crypto';
import { der, sequence, TAG } from '@hawser/agent/trust/der.ts';

/** A certificate and the name it has in the store. */
export interface TrustedCertificate {
  readonly pem: string;
  readonly name: string;
}

const OID = {
  data: '1.2.840.113549.1.7.1',
  certBag: '1.2.840.113549.1.12.10.1.3',
  x509Certificate: '1.2.840.113549.1.9.22.1',
  friendlyName: '1.2.840.113549.1.9.20',
  /** Oracle's: by it Java knows an entry that is trusted. */
  trustedKeyUsage: '2.16.840.1.113894.746875.1.1',
  anyExtendedKeyUsage: '2.5.29.37.0',
  sha256: '2.16.840.1.101.3.4.2.1',
} as const;
const ITERATIONS = 10_000;
/** Block of SHA-256, bytes. */
const BLOCK = 64;
/** RFC 7292, B.3: the key is for a MAC. */
const FOR_MAC = 3;

/** DER of the store. */
export function trustStore(certificates: readonly TrustedCertificate[], password: string): Buffer {
  const safe = sequence(contentInfo(sequence(...certificates.map(bagOf))));
  const salt = randomBytes(16);
  const mac = createHmac('sha256', macKey(password, salt)).update(safe).digest();
  const digest = sequence(sequence(oid(OID.sha256), der(TAG.null)), octets(mac));
  return sequence(integer(3), contentInfo(safe), sequence(digest, octets(salt), integer(ITERATIONS)));
}

function bagOf({ pem, name }: TrustedCertificate): Buffer {
  const certificate = sequence(oid(OID.x509Certificate), explicit(octets(new X509Certificate(pem).raw)));
  const friendly = attribute(OID.friendlyName, der(0x1e, Buffer.from(name, 'utf16le').swap16()));
  const trusted = attribute(OID.trustedKeyUsage, oid(OID.anyExtendedKeyUsage));
  return sequence(oid(OID.certBag), explicit(certificate), set(friendly, trusted));
}

function contentInfo(content: Buffer): Buffer {
  return sequence(oid(OID.data), explicit(octets(content)));
}

function attribute(type: string, value: Buffer): Buffer {
  return sequence(oid(type), set(value));
}

/** RFC 7292, B.2, for a key as long as the hash: the first round is all. */
function macKey(password: string, salt: Buffer): Buffer {
  const text = Buffer.concat([Buffer.from(password, 'utf16le').swap16(), Buffer.alloc(2)]);
  let key = Buffer.concat([Buffer.alloc(BLOCK, FOR_MAC), filled(salt), filled(text)]);
  for (let round = 0; round < ITERATIONS; round += 1) key = createHash('sha256').update(key).digest();
  return key;
}

function filled(bytes: Buffer): Buffer {
  return Buffer.alloc(BLOCK * Math.ceil(bytes.length / BLOCK), bytes);
}

/** DER sorts what is in a set. */
function set(...parts: readonly Buffer[]): Buffer {
  return der(TAG.set, ...parts.toSorted(Buffer.compare));
}

function octets(bytes: Buffer): Buffer {
  return der(TAG.octetString, bytes);
}

function explicit(content: Buffer): Buffer {
  return der(0xa0, content);
}

/** Below 2^31. */
function integer(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  const first = bytes.findIndex((byte, index) => byte !== 0 || (bytes[index + 1] ?? 0x80) >= 0x80);
  return der(TAG.integer, bytes.subarray(first));
}

function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return der(TAG.oid, Buffer.from([40 * first + second, ...rest].flatMap(base128)));
}

function base128(arc: number): number[] {
  const digits = [arc % 128];
  for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) digits.unshift((left % 128) | 0x80);
  return digits;
}
