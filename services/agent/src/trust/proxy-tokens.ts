/**
 * Tokens by which a proxy proves who it is: JWTs (RFC 7519, EdDSA) signed with a key in the agent's folder. They are made on
 * the agent's machine alone (docs/decisions/0001-foundations.md), are bound to cluster, namespace and service account, and
 * to one proxy's name if wanted.
 */
import { createPublicKey } from 'node:crypto';
import { join } from 'node:path';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { readIfThere } from '@hawser/runtime/durable-file.ts';
import { generateSigner, type Signer, signerFromPem, signerToPem } from '@hawser/wire/signing.ts';
import { jwtVerify, SignJWT } from 'jose';
import type { ProxyIdentity } from '../xds/proxy-gate.ts';
import { createExclusively } from './exclusive-file.ts';

/** 30 days: a proxy restarts with the token file it has, so it outlasts a long outage of whoever renews it. */
export const PROXY_TOKEN_LIFE_MS = 720 * 3_600_000;

const AUDIENCE = 'hawser-xds';
const KEY_FILE = 'proxy-token.pem';

/** What a token says. `ttlMs` is `PROXY_TOKEN_LIFE_MS` unless given. */
export interface ProxyTokenRequest extends Omit<ProxyIdentity, 'expiresAt'> {
  readonly agentDir: string;
  readonly ttlMs?: number;
}

/** Makes a token; makes the key `AGENT_DIR/proxy-token.pem` (0600) when there is none. */
export async function mintProxyToken(request: ProxyTokenRequest): Promise<string> {
  const { agentDir, cluster, namespace, serviceAccount, name, edge, ttlMs = PROXY_TOKEN_LIFE_MS } = request;
  const { privateKey } = await tokenKey(agentDir);
  return new SignJWT({ namespace, serviceAccount, ...(name === undefined ? {} : { name }), ...(edge === true ? { edge } : {}) })
    .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT' })
    .setIssuer(cluster)
    .setAudience(AUDIENCE)
    .setIssuedAt()
    .setExpirationTime(new Date(Date.now() + ttlMs))
    .sign(privateKey);
}

/** Checks tokens of one cluster: undefined for one that is forged, foreign, expired or without the claims; or throws `TokenRefusal`. */
export type ProxyTokenVerifier = (token: string) => Promise<ProxyIdentity | undefined>;

/** A verifier by the agent's own key, which is made when there is none. */
export async function proxyTokenVerifier(agentDir: string, cluster: string): Promise<ProxyTokenVerifier> {
  const key = createPublicKey((await tokenKey(agentDir)).privateKey);
  const options = { algorithms: ['EdDSA'], issuer: cluster, audience: AUDIENCE, requiredClaims: ['exp', 'iat'] };
  return async (token) => {
    const verified = await jwtVerify(token, key, options).catch(() => undefined);
    if (verified === undefined) return undefined;
    const { namespace, serviceAccount, name, edge } = verified.payload;
    if (typeof namespace !== 'string' || typeof serviceAccount !== 'string') return undefined;
    if (name !== undefined && typeof name !== 'string') return undefined;
    const expiresAt = (verified.payload.exp ?? 0) * 1_000;
    return { cluster, namespace, serviceAccount, expiresAt, ...(name === undefined ? {} : { name }), ...(edge === true ? { edge } : {}) };
  };
}

async function tokenKey(agentDir: string): Promise<Signer> {
  const path = join(agentDir, KEY_FILE);
  const existing = await readIfThere(path);
  if (existing === undefined) {
    await createExclusively(path, signerToPem(generateSigner()));
    return tokenKey(agentDir);
  }
  try {
    return signerFromPem(existing);
  } catch (error) {
    const message = `${path} is not an Ed25519 key in PEM (${messageOf(error)}): restore it, or delete it and make all proxy tokens anew`;
    throw new AppError('proxy-key-unusable', message, { cause: error });
  }
}
