/** A cluster joins: its agent shows a single-use token and the possession of its keys, and gets its membership. */
import { trustDomainOf } from '@hawser/model/fleet.ts';
import type { ClusterSpec, JoinTokenSpec } from '@hawser/model/kind-specs.ts';
import { kindNamed } from '@hawser/model/kinds.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { apiVersionOf } from '@hawser/model/validate.ts';
import { type EnrollRequest, enrollProof, type Membership, type RenewRequest, renewProof } from '@hawser/wire/enrolment.ts';
import { verifierOf, verify } from '@hawser/wire/signing.ts';
import { auditRow, insertAudit } from '../audit/audit-store.ts';
import type { Database, Transaction } from '../db/database.ts';
import { StatusError } from '../http/status.ts';
import type { IssueNatsCredentials } from '../hub-core.ts';
import { desiredOf, newRow, resourceOf, updatedRow } from '../resource/resource-row.ts';
import { findRow, recordWrite } from '../resource/resource-store.ts';
import { trustDomainAtJoin } from '../trust/trust-domain-kind.ts';
import { secretHash } from './cluster-kinds.ts';
import { consumeJoinToken, findJoinToken } from './join-token-store.ts';
import { findMember, storeMember } from './member-store.ts';

/** What enrolment needs. */
export interface EnrolmentParts {
  readonly database: Database;
  readonly issueNatsCredentials: IssueNatsCredentials;
  readonly signingKeyPublic: string;
}

/** The two calls of an agent. Both throw `StatusError`: 401 wrong, 410 used up or expired, 403 not a member any more. */
export interface Enrolment {
  enroll(request: EnrollRequest): Promise<Membership>;
  renew(request: RenewRequest): Promise<Membership>;
}

const CLOCK_SKEW_MS = 5 * 60_000;
/** One text for everything about a token that only its owner may learn. */
const WRONG_TOKEN = 'the join token is not valid for this cluster: make one with hawser cluster join NAME --region REGION';

/** Builds enrolment. */
export function createEnrolment(parts: EnrolmentParts): Enrolment {
  return {
    enroll: async (request) => {
      requireProof(request.signingKey, enrollProof(request), request.proof);
      const hash = secretHash(request.secret);
      const membership = await parts.database.transaction((tx) => enroll(tx, parts, { request, hash }));
      if (membership !== undefined) return membership;
      throw await parts.database.transaction(async (tx) => refusal(await findJoinToken(tx, hash), request.cluster));
    },
    renew: (request) => parts.database.transaction((tx) => renew(tx, parts, request)),
  };
}

/** Undefined when the token cannot be used. If anything after that fails, the transaction takes the use back. */
async function enroll(
  tx: Transaction,
  parts: EnrolmentParts,
  { request, hash }: { readonly request: EnrollRequest; readonly hash: Buffer },
): Promise<Membership | undefined> {
  const token = await consumeJoinToken(tx, hash, request.cluster);
  if (token === undefined) return undefined;
  const { cluster, signingKey, natsUser } = request;
  // The Cluster first, then its member, as deleting does: two orders could wait for each other for ever.
  const row = await findRow(tx, { kind: 'Cluster', namespace: '', name: cluster }, 'lock');
  const trustDomain = await trustDomainAtJoin(tx, cluster);
  const epoch = await storeMember(tx, { cluster, signingKey, natsUser, trustDomain });
  const resource = clusterResource(token.spec, row?.spec as ClusterSpec | undefined);
  const credentials = await parts.issueNatsCredentials({ cluster, natsUser });
  // A join is a write even if the place is the same: the epoch and the key in the roster change.
  const write =
    row === undefined
      ? ({ action: 'create', row: newRow(resource, new Date()) } as const)
      : ({ action: 'update', row: updatedRow(row, { ...desiredOf(resource), annotations: row.annotations }) } as const);
  const written = await recordWrite(tx, { ...write, actor: `join:${cluster}` });
  if (written === undefined) throw new StatusError('Conflict', `the cluster ${cluster} is joining twice at this moment; try again`);
  return membership(parts, resourceOf(written), { epoch, credentials, trustDomain });
}

async function renew(tx: Transaction, parts: EnrolmentParts, request: RenewRequest): Promise<Membership> {
  const { cluster, natsUser } = request;
  const age = Math.abs(Date.now() - Date.parse(request.at));
  const member = await findMember(tx, cluster);
  const row = await findRow(tx, { kind: 'Cluster', namespace: '', name: cluster });
  if (member === undefined || row === undefined) {
    throw new StatusError(
      'Forbidden',
      'this cluster is not a member: it was revoked, removed, or never joined; join it with a new token: hawser cluster join',
    );
  }
  requireProof(member.signingKey, renewProof(request), request.proof);
  if (!(age <= CLOCK_SKEW_MS)) throw new StatusError('Unauthorized', 'the clocks of agent and hub differ by more than 5 minutes: set them');
  if (member.epoch !== request.epoch || member.natsUser !== natsUser) {
    throw new StatusError('Forbidden', 'this cluster has joined again since, with other keys: only that agent can renew');
  }
  const credentials = await parts.issueNatsCredentials({ cluster, natsUser });
  const note = { kind: 'Cluster', namespace: '', name: cluster, outcome: 'allowed', code: 200, reason: 'new credentials' } as const;
  await insertAudit(tx, [auditRow({ ...note, actor: `join:${cluster}` }, 'renew')]);
  const trustDomain = member.trustDomain ?? trustDomainOf(cluster);
  return membership(parts, resourceOf(row), { epoch: member.epoch, credentials, trustDomain });
}

function requireProof(signingKey: string, bytes: Uint8Array, proof: string): void {
  if (!proves(signingKey, bytes, proof)) {
    throw new StatusError('Unauthorized', 'the proof of possession does not match the signing key');
  }
}

function proves(signingKey: string, bytes: Uint8Array, proof: string): boolean {
  try {
    return verify(bytes, Buffer.from(proof, 'base64url'), verifierOf(signingKey));
  } catch {
    return false;
  }
}

/** Only who has the secret learns that it is used up or too old; everybody else gets the one answer. */
function refusal(token: Awaited<ReturnType<typeof findJoinToken>>, cluster: string): StatusError {
  if (token === undefined || token.cluster !== cluster) return new StatusError('Unauthorized', WRONG_TOKEN);
  if (token.usedAt !== null)
    return new StatusError('Gone', 'the join token was used already; every join needs a new one: hawser cluster join');
  return new StatusError('Gone', 'the join token has expired; make a new one: hawser cluster join');
}

/** Joining again takes back nothing that was said of what the cluster may do. */
function clusterResource(spec: JoinTokenSpec, before: ClusterSpec | undefined): Resource {
  const { cluster, labels, ttl: _ttl, ...placed } = spec;
  const place: ClusterSpec = { ...placed, ...(before?.exports === undefined ? {} : { exports: before.exports }) };
  const kind = kindNamed('Cluster');
  const apiVersion = kind === undefined ? '' : apiVersionOf(kind);
  return { apiVersion, kind: 'Cluster', metadata: { name: cluster, ...(labels === undefined ? {} : { labels }) }, spec: place };
}

interface Joined {
  readonly epoch: number;
  readonly credentials: Awaited<ReturnType<IssueNatsCredentials>>;
  readonly trustDomain: string;
}

function membership(parts: EnrolmentParts, cluster: Resource, { epoch, credentials, trustDomain }: Joined): Membership {
  const { region, zone } = cluster.spec as ClusterSpec;
  const { name } = cluster.metadata;
  return {
    cluster: name,
    region,
    zone: zone ?? '',
    trustDomain,
    epoch,
    hubKey: parts.signingKeyPublic,
    natsUrls: [...credentials.urls],
    natsJwt: credentials.jwt,
    natsJwtExpiresAt: credentials.expiresAt,
    ...(credentials.ca === undefined ? {} : { natsCa: credentials.ca }),
  };
}
