/**
 * Proxies on Kubernetes prove who they are by projected tokens of their service accounts, which the API server itself judges
 * (TokenReview, authentication.k8s.io/v1). A token has to be made for Hawser: one for another audience proves nothing here.
 */
import { createHash } from 'node:crypto';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { decodeJwt } from 'jose';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { ApiRequest } from '../discover/kubernetes/api-client.ts';
import { type ProxyIdentity, TokenRefusal } from '../xds/proxy-gate.ts';
import type { ProxyTokenVerifier } from './proxy-tokens.ts';

/** Audience of the tokens: what the Pod's projected volume asks for. */
export const REVIEWED_AUDIENCE = 'hawser';

/** What it works with. */
export interface TokenReviewParts {
  readonly api: { json(request: ApiRequest): Promise<unknown> };
  readonly cluster: string;
  /** `NAMESPACE/ACCOUNT` that may be edge proxies. */
  readonly edgeAccounts: readonly string[];
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Below the deadline of a stream's authentication, so that the reason reaches the proxy. */
const DEADLINE_MS = 4_000;
/** A yes is good for this time; a token of a Pod that is gone is refused after it. */
const FRESH_MS = 60_000;
/** A no is good for this time: a proxy that comes again and again costs one question. */
const REFUSED_MS = 5_000;
/** While the API server does not answer, who was known this long ago is still believed, as long as the token itself lives. */
const STALE_MS = 3_600_000;
const MAX_KNOWN = 10_000;

interface Known {
  readonly at: number;
  readonly identity?: ProxyIdentity;
  readonly refusal?: string;
}

const Review = Compile(
  Type.Object({
    status: Type.Object({
      authenticated: Type.Optional(Type.Boolean()),
      error: Type.Optional(Type.String()),
      audiences: Type.Optional(Type.Array(Type.String())),
      user: Type.Optional(
        Type.Object({
          username: Type.Optional(Type.String()),
          extra: Type.Optional(Type.Record(Type.String(), Type.Array(Type.String()))),
        }),
      ),
    }),
  }),
);

/** A verifier by TokenReview; throws `TokenRefusal` with the reason. Answers are kept for a short time, by the token's hash. */
export function tokenReviewVerifier(parts: TokenReviewParts): ProxyTokenVerifier {
  const { now = Date.now } = parts;
  const known = new Map<string, Known>();
  const asking = new Map<string, Promise<ProxyIdentity>>();
  return async (token) => {
    const key = createHash('sha256').update(token).digest('base64');
    const last = known.get(key);
    if (last !== undefined && isFresh(last, now())) return answerOf(last);
    const asked = asking.get(key) ?? ask(token, key, last);
    asking.set(key, asked);
    return asked;
  };

  async function ask(token: string, key: string, last: Known | undefined): Promise<ProxyIdentity> {
    try {
      const answer = await review(parts, token).catch((error: unknown) => {
        if (last?.identity !== undefined && now() - last.at < STALE_MS && now() < (last.identity.expiresAt ?? 0)) return last;
        throw new TokenRefusal('unavailable', `the proxy token could not be checked: ${messageOf(error)}`);
      });
      const found = 'at' in answer ? answer : { ...answer, at: now() };
      known.delete(key);
      known.set(key, found);
      const [oldest] = known.keys();
      if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
      return answerOf(found);
    } finally {
      asking.delete(key);
    }
  }
}

/** Tries the agent's own tokens first, as machines outside of Kubernetes have them. */
export function eitherVerifier(own: ProxyTokenVerifier, reviewed: ProxyTokenVerifier): ProxyTokenVerifier {
  return async (token) => (await own(token)) ?? reviewed(token);
}

function isFresh({ at, identity }: Known, now: number): boolean {
  return identity === undefined ? now - at < REFUSED_MS : now - at < FRESH_MS && now < (identity.expiresAt ?? 0);
}

function answerOf({ identity, refusal = '' }: Known): ProxyIdentity {
  if (identity === undefined) throw new TokenRefusal('unauthenticated', refusal);
  return identity;
}

/** Asks the API server; rejects when it gives no verdict. */
async function review(parts: TokenReviewParts, token: string): Promise<Omit<Known, 'at'>> {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token, audiences: [REVIEWED_AUDIENCE] } };
  const answer = await parts.api.json({
    path: '/apis/authentication.k8s.io/v1/tokenreviews',
    method: 'POST',
    body,
    deadlineMs: DEADLINE_MS,
  });
  if (!Review.Check(answer)) throw new Error('the answer is no TokenReview');
  const { authenticated, error, audiences = [], user } = answer.status;
  if (authenticated !== true) return { refusal: `the API server refuses the proxy token: ${error ?? 'it is not valid'}` };
  if (!audiences.includes(REVIEWED_AUDIENCE)) return { refusal: `the proxy token is for another audience than ${REVIEWED_AUDIENCE}` };
  const [, namespace, serviceAccount] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user?.username ?? '') ?? [];
  if (namespace === undefined || serviceAccount === undefined)
    return { refusal: `the proxy token is of ${user?.username ?? 'nobody'}, which is no service account` };
  const [pod] = user?.extra?.['authentication.kubernetes.io/pod-name'] ?? [];
  const isEdge = parts.edgeAccounts.includes(`${namespace}/${serviceAccount}`);
  return {
    identity: {
      ...{ cluster: parts.cluster, namespace, serviceAccount, expiresAt: expiryOf(token) },
      // Pods of two namespaces may have one name; proxies of a cluster may not.
      ...(pod === undefined ? {} : { name: `${pod}.${namespace}` }),
      ...(isEdge ? { edge: true } : {}),
    },
  };
}

/** The API server has checked the token: its own word on its end is good. One without an end has to be judged anew each time. */
function expiryOf(token: string): number {
  try {
    return (decodeJwt(token).exp ?? 0) * 1_000;
  } catch {
    return 0;
  }
}
