/** How Cluster and JoinToken differ from other kinds. */
import { createHash, randomBytes } from 'node:crypto';
import { parseDuration } from '@hawser/model/duration.ts';
import type { JoinTokenSpec } from '@hawser/model/kind-specs.ts';
import { encodeJoinToken } from '@hawser/wire/enrolment.ts';
import { byUid, type KindBehaviour, namesOf } from '../resource/kind-behaviour.ts';
import { deleteJoinToken, expireJoinTokens, joinTokensNamed, storeJoinToken } from './join-token-store.ts';
import { deleteMember, membersNamed } from './member-store.ts';

/** What goes into every join token. */
export interface JoinTokenParts {
  /** How agents reach the hub. */
  readonly publicUrl: () => string;
  /** The hub's document-signing public key. */
  readonly pin: string;
  /** SHA-256 of the public key of the CA behind an https `publicUrl`. */
  readonly caPin?: string | undefined;
}

const DEFAULT_TTL_MS = 10 * 60_000;

/** SHA-256 of a join token's secret, as it is stored. */
export function secretHash(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}

/** Clusters are made by joining; removing one ends its membership. */
export const clusterBehaviour: KindBehaviour = {
  createRefused: 'clusters are made by joining: run hawser cluster join NAME --region REGION, and start an agent with the token it prints',
  deleted: async (tx, { metadata }) => {
    await deleteMember(tx, metadata.name);
    // Whoever had the cluster may have its tokens: only one that is made from now on lets the name in again.
    await expireJoinTokens(tx, metadata.name);
  },
  statuses: async (tx, resources) => {
    const rows = await membersNamed(tx, namesOf(resources));
    const fields = new Map(rows.map((row) => [row.cluster, { epoch: row.epoch, enrolledAt: row.enrolledAt.toISOString() }]));
    return byUid(resources, (name) => fields.get(name));
  },
};

/** The token's text is in the answer to `create` and nowhere else. */
export function joinTokenBehaviour(parts: JoinTokenParts): KindBehaviour {
  return {
    specFixed: 'cannot be changed: delete this join token and create another',
    created: async (tx, { metadata, spec }) => {
      const tokenSpec = spec as JoinTokenSpec;
      const secret = randomBytes(32).toString('base64url');
      const ttlMs = tokenSpec.ttl === undefined ? DEFAULT_TTL_MS : (parseDuration(tokenSpec.ttl) ?? DEFAULT_TTL_MS);
      const expiresAt = await storeJoinToken(
        tx,
        { name: metadata.name, secretHash: secretHash(secret), spec: tokenSpec },
        Math.ceil(ttlMs),
      );
      const ca = parts.caPin === undefined ? {} : { ca: parts.caPin };
      const token = encodeJoinToken({ v: 1, hub: parts.publicUrl(), cluster: tokenSpec.cluster, secret, pin: parts.pin, ...ca });
      return { token, expiresAt: expiresAt.toISOString() };
    },
    deleted: async (tx, { metadata }) => deleteJoinToken(tx, metadata.name),
    statuses: async (tx, resources) => {
      const rows = await joinTokensNamed(tx, namesOf(resources));
      const fields = new Map(
        rows.map((row) => [
          row.name,
          { expiresAt: row.expiresAt.toISOString(), ...(row.usedAt === null ? {} : { usedAt: row.usedAt.toISOString() }) },
        ]),
      );
      return byUid(resources, (name) => fields.get(name));
    },
  };
}
