/** Keys of authorities: made, read, and brought to what signs with them. */
import 'reflect-metadata';
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, randomBytes, webcrypto } from 'node:crypto';
import { promisify } from 'node:util';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { fewRsaBits, LEAST_RSA_BITS } from '@hawser/runtime/certificate-checks.ts';

/** A signing key and how it signs. */
export interface SigningKey {
  readonly key: KeyObject;
  readonly publicKey: KeyObject;
  /** Of the signature, as node:crypto names it. */
  readonly digest: 'sha256' | 'sha384';
  /** As WebCrypto names key and signature. */
  readonly algorithm: SigningAlgorithm;
}

type SigningAlgorithm =
  | { readonly name: 'ECDSA'; readonly namedCurve: 'P-256' | 'P-384'; readonly hash: 'SHA-256' | 'SHA-384' }
  | { readonly name: 'RSASSA-PKCS1-v1_5'; readonly hash: 'SHA-256' };

/** A new ECDSA P-256 key, PKCS#8 in PEM. */
export async function newKeyPem(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  return privateKey;
}

/** Reads PEM; throws `key-unusable` for what is no private key, or one of a kind that authorities do not sign with. */
export function signingKeyOf(pem: string): SigningKey {
  const key = readKey(pem);
  const publicKey = createPublicKey(key);
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1')
    return { key, publicKey, digest: 'sha256', algorithm: { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } };
  if (key.asymmetricKeyType === 'ec' && namedCurve === 'secp384r1')
    return { key, publicKey, digest: 'sha384', algorithm: { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' } };
  if (key.asymmetricKeyType === 'rsa' && fewRsaBits(key) === undefined)
    return { key, publicKey, digest: 'sha256', algorithm: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } };
  const what =
    key.asymmetricKeyType === 'rsa' ? `RSA of ${modulusLength} bits` : `${key.asymmetricKeyType ?? 'unknown'} ${namedCurve ?? ''}`.trim();
  throw new AppError(
    'key-unusable',
    `the key is ${what}: an authority signs with ECDSA P-256 or P-384, or RSA of at least ${LEAST_RSA_BITS} bits`,
  );
}

function readKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw new AppError('key-unusable', `not a private key in PEM (${messageOf(error)})`, { cause: error });
  }
}

/** For WebCrypto, which does not give it out again. */
export function webSigningKey({ key, algorithm }: SigningKey): Promise<webcrypto.CryptoKey> {
  const der = new Uint8Array(key.export({ type: 'pkcs8', format: 'der' }));
  return webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
}

/** For WebCrypto. */
export function webPublicKey({ publicKey, algorithm }: SigningKey): Promise<webcrypto.CryptoKey> {
  const der = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
  return webcrypto.subtle.importKey('spki', der, algorithm, true, ['verify']);
}

/** A positive random serial number of 127 bits (RFC 5280 4.1.2.2). */
export function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes;
}
