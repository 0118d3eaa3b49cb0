/** An issuer of tokens, as a RequestAuthentication names it. */
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import type { CallOptions } from './clients.ts';

/** Who issues tokens unless they say otherwise. */
export const ISSUER = 'https://issuer.example/realms/a';

/** A pair of keys, and the tokens that they sign. */
export interface Issuer {
  /** The public key as a JSON Web Key Set (RFC 7517). */
  readonly jwks: string;
  /** A token of `ISSUER` for `ann`, valid for an hour, unless told otherwise. */
  token(claims?: JWTPayload, expires?: string): Promise<string>;
}

/** Makes one with new keys: what one signs, no other verifies. */
export async function createIssuer(): Promise<Issuer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  return {
    jwks: JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }] }),
    token: (claims = {}, expires = '1h') => {
      const jwt = new SignJWT({ iss: ISSUER, sub: 'ann', ...claims }).setProtectedHeader({ alg: 'ES256', kid: 'one' }).setIssuedAt();
      return jwt.setExpirationTime(expires).sign(privateKey);
    },
  };
}

/** A call that shows a token. */
export function bearer(token: string): CallOptions {
  return { headers: { authorization: `Bearer ${token}` } };
}
