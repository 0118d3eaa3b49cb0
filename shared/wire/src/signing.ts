/** Ed25519 (RFC 8032) over node:crypto; public keys travel raw in base64url. */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto';

/** A private key that signs documents. */
export interface Signer {
  readonly privateKey: KeyObject;
  /** Raw public key, base64url. */
  readonly publicKey: string;
}

/** A public key that verifies documents. */
export type Verifier = KeyObject;

/** Makes a new signing key. */
export function generateSigner(): Signer {
  return signerOf(generateKeyPairSync('ed25519').privateKey);
}

/** Reads a PKCS#8 PEM; throws when it is not an Ed25519 key. */
export function signerFromPem(pem: string): Signer {
  const key = createPrivateKey(pem);
  if (key.asymmetricKeyType !== 'ed25519') throw new Error(`expected an Ed25519 key, found ${key.asymmetricKeyType ?? 'none'}`);
  return signerOf(key);
}

/** PKCS#8 PEM of a signing key; keep it 0600. */
export function signerToPem(signer: Signer): string {
  return signer.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

/** Reads a raw base64url public key; throws when it is not one. */
export function verifierOf(publicKey: string): Verifier {
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' });
}

/** 64-byte signature. */
export function sign(bytes: Uint8Array, signer: Signer): Uint8Array {
  return signBytes(null, bytes, signer.privateKey);
}

/** Whether the signature is this key's over exactly these bytes. */
export function verify(bytes: Uint8Array, signature: Uint8Array, verifier: Verifier): boolean {
  return verifyBytes(null, bytes, verifier, signature);
}

function signerOf(privateKey: KeyObject): Signer {
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  if (x === undefined) throw new Error('the key has no Ed25519 public part');
  return { privateKey, publicKey: x };
}
