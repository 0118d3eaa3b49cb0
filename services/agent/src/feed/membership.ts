/** How a cluster belongs to the federation: enrolment by token, kept on disk, credentials renewed long before they end. */

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { backoffMs, sleep } from '@hawser/runtime/backoff.ts';
import { privateFolder } from '@hawser/runtime/durable-file.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { decodeJoinToken, type EnrollRequest, enrollProof, JoinTokenPayload, Membership, renewProof } from '@hawser/wire/enrolment.ts';
import { type Signer, sign } from '@hawser/wire/signing.ts';
import { fromSeed } from '@nats-io/nkeys';
import { Compile } from 'typebox/compile';
import { type HubTrust, postToHub } from './hub-http.ts';
import type { Hurry } from './hurry.ts';
import { issuedAtOf, loadKeys, loadMember, type MemberPlace, readMembership, storeMembership } from './member-files.ts';

/** An enrolled cluster: what the hub gave, and the keys that never leave this machine. */
export interface Member {
  /** What this replica keeps for itself: its last good state, its revisions. */
  readonly agentDir: string;
  /** What the replicas of a cluster share: its keys and its membership. The same folder unless told otherwise. */
  readonly identityDir: string;
  readonly hubUrl: string;
  readonly hubTrust?: HubTrust;
  readonly membership: Membership;
  readonly signer: Signer;
  /** nkey seed (`SU…`) of the NATS user. */
  readonly natsSeed: string;
}

/** Where to look and what to join with. */
export interface JoinOptions {
  readonly stateDir: string;
  /** Folder of the cluster's keys, shared by its replicas; default: the cluster's folder below `stateDir`. */
  readonly identityDir?: string | undefined;
  readonly token?: string | undefined;
  readonly cluster?: string | undefined;
  /** PEM of CAs that an https hub may have, beside the system's; a token's pin goes before it. */
  readonly hubCa?: string | undefined;
  readonly log: Logger;
}

const membershipShape = Compile(Membership);
const tokenPayload = Compile(JoinTokenPayload);
const TIMEOUT_MS = 10_000;
/** The hub's answer (Gone) when a join token was used already. */
const USED_UP = 410;
/** How long a replica waits for what another one, which used the token first, was given. */
const SIBLING_MS = 10_000;
/** A start does not wait longer for a hub that hangs. */
const REMOVAL_CHECK_MS = 2_000;
const HURRY_PAUSE_MS = 30_000;
const RENEW_RETRY = { baseMs: 5_000, maxMs: 600_000 };
/** `setTimeout` holds no more than 2^31 ms. */
const MAX_TIMER_MS = 86_400_000;

/** The folder of one cluster's agent. */
export function agentFolder(stateDir: string, cluster: string): string {
  return join(stateDir, 'agents', cluster);
}

/**
 * Loads what an earlier start left, else enrols with the token. A member ignores its (used) token; a cluster that the hub says it
 * removed joins again with it, and if it cannot, goes on with what it has: its proxies must not pay for that.
 */
export async function loadOrEnroll(options: JoinOptions): Promise<Member> {
  const payload = options.token === undefined ? undefined : readToken(options.token);
  const cluster = payload?.cluster ?? options.cluster ?? (await clusterOf(options));
  const place = placeOf(options, cluster);
  const member = await loadMember(place, cluster);
  if (member !== undefined) return payload !== undefined && (await wasRemoved(member)) ? rejoin(member, payload, options) : member;
  if (payload === undefined)
    throw new AppError('not-joined', `cluster ${cluster} has not joined: make a token with hawser cluster join, and start with --token`);
  return enrollOrFollow(payload, place, options.log);
}

function placeOf({ stateDir, identityDir, hubCa }: JoinOptions, cluster: string): MemberPlace {
  const agentDir = privateFolder(agentFolder(stateDir, cluster));
  return { agentDir, identityDir: identityDir === undefined ? agentDir : privateFolder(identityDir), hubCa };
}

/** Of two first starters with one token and one set of keys, one is let in, and the other takes what that one was given. */
async function enrollOrFollow(payload: JoinTokenPayload, place: MemberPlace, log: Logger): Promise<Member> {
  try {
    return await enroll(payload, place, log);
  } catch (error) {
    if (!(error instanceof AppError) || error.status !== USED_UP) throw error;
    for (const until = Date.now() + SIBLING_MS; Date.now() < until; await sleep(50)) {
      const member = await loadMember(place, payload.cluster);
      if (member !== undefined) return member;
    }
    throw error;
  }
}

/** Only the hub's own word counts; a hub that is away says nothing. */
async function wasRemoved(member: Member): Promise<boolean> {
  try {
    await renew(member, member.membership, REMOVAL_CHECK_MS);
    return false;
  } catch (error) {
    return error instanceof AppError && error.status === 403;
  }
}

async function rejoin(member: Member, payload: JoinTokenPayload, options: JoinOptions): Promise<Member> {
  const place = placeOf(options, payload.cluster);
  try {
    return await enroll(payload, place, options.log);
  } catch (error) {
    const now = await loadMember(place, payload.cluster);
    if (now !== undefined && now.membership.epoch !== member.membership.epoch) return now;
    options.log.error(
      { cluster: payload.cluster, error: messageOf(error) },
      'the hub has removed this cluster and the token does not let it in',
    );
    return member;
  }
}

async function enroll(payload: JoinTokenPayload, { agentDir, identityDir, hubCa }: MemberPlace, log: Logger): Promise<Member> {
  const hubTrust = { pin: payload.ca, ca: hubCa };
  const keys = await loadKeys(identityDir);
  const request = {
    cluster: payload.cluster,
    secret: payload.secret,
    signingKey: keys.signer.publicKey,
    natsUser: natsUserOf(keys.natsSeed),
  };
  const proof = Buffer.from(sign(enrollProof(request), keys.signer)).toString('base64url');
  const membership = await post(`${payload.hub}/join/v1/enroll`, { ...request, proof } satisfies EnrollRequest, { trust: hubTrust });
  if (membership.hubKey !== payload.pin)
    throw new AppError('wrong-hub', `the hub at ${payload.hub} is not the one that made this token: its key differs from the token's pin`);
  if (membership.cluster !== payload.cluster)
    throw new AppError('join-refused', `the hub at ${payload.hub} answered for another cluster than the token's, ${payload.cluster}`);
  await storeMembership({ identityDir, hubUrl: payload.hub, hubTrust }, membership);
  log.info({ cluster: payload.cluster, epoch: membership.epoch }, 'enrolled');
  return { agentDir, identityDir, hubUrl: payload.hub, hubTrust, membership, ...keys };
}

/**
 * Renews the NATS credentials when a third of their life is over, with jitter, and again and again when the hub is away.
 * `onRenewed` hears of each new set; ends when the signal aborts.
 */
export async function keepRenewed(member: Member, parts: RenewalParts): Promise<void> {
  let { membership } = member;
  let issuedAt = await issuedAtOf(member.identityDir);
  while (!parts.signal.aborted) {
    const life = Date.parse(membership.natsJwtExpiresAt) - issuedAt;
    await sleepUntil(issuedAt + life * (0.3 + Math.random() / 30), hurried(parts));
    const isHurried = parts.hurry?.signal.aborted === true;
    for (let attempt = 0; !parts.signal.aborted; attempt += 1) {
      try {
        membership = await renew(member, membership);
        issuedAt = Date.now();
        // A folder of secrets may be read-only: then a restart begins with the older credentials, and renews them.
        await storeMembership(member, membership).catch((error: unknown) =>
          parts.log.warn({ error: messageOf(error) }, 'the renewed credentials were not written'),
        );
        parts.onRenewed(membership);
        parts.onProblem?.(undefined);
        break;
      } catch (error) {
        parts.log.warn({ error: messageOf(error), expiresAt: membership.natsJwtExpiresAt }, 'credentials were not renewed, trying again');
        if (error instanceof AppError && error.code === 'join-refused') parts.onProblem?.(messageOf(error));
        await sleep(backoffMs(attempt, RENEW_RETRY), parts.signal);
      }
    }
    // Credentials that are refused though the hub has just given them are not asked for in a rush.
    if (isHurried) await sleep(HURRY_PAUSE_MS, parts.signal);
    parts.hurry?.heeded();
  }
}

function hurried({ signal, hurry }: RenewalParts): AbortSignal {
  return hurry === undefined ? signal : AbortSignal.any([signal, hurry.signal]);
}

/** What a renewal needs around it. */
export interface RenewalParts {
  readonly log: Logger;
  readonly signal: AbortSignal;
  onRenewed(membership: Membership): void;
  /** Renews before it is time. */
  readonly hurry?: Hurry;
  /** Why the hub refuses; undefined once it does not. */
  onProblem?(problem: string | undefined): void;
}

async function renew(member: Member, membership: Membership, timeoutMs = TIMEOUT_MS): Promise<Membership> {
  const { cluster, epoch } = membership;
  const request = { cluster, epoch, natsUser: natsUserOf(member.natsSeed), at: new Date().toISOString() };
  const proof = Buffer.from(sign(renewProof(request), member.signer)).toString('base64url');
  const renewed = await post(`${member.hubUrl}/join/v1/renew`, { ...request, proof }, { trust: member.hubTrust ?? {}, timeoutMs });
  if (renewed.hubKey !== membership.hubKey)
    throw new AppError('wrong-hub', `the hub at ${member.hubUrl} has another key than the one this cluster joined`);
  return renewed;
}

interface Asking {
  readonly trust: HubTrust;
  readonly timeoutMs?: number;
}

async function post(url: string, body: unknown, { trust, timeoutMs = TIMEOUT_MS }: Asking): Promise<Membership> {
  const { status, text } = await postToHub(url, body, { trust, timeoutMs });
  if (status < 200 || status > 299)
    throw new AppError('join-refused', `the hub refused: ${problemOf(text) ?? `it answered ${status}`}`, { status });
  const membership = membershipIn(text);
  if (membership === undefined) throw new AppError('join-refused', `${url} did not answer with a membership; is it a Hawser hub?`);
  return membership;
}

function membershipIn(text: string): Membership | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return membershipShape.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function problemOf(text: string): string | undefined {
  try {
    const answer: unknown = JSON.parse(text);
    return answer !== null && typeof answer === 'object' && 'message' in answer && typeof answer.message === 'string'
      ? answer.message
      : undefined;
  } catch {
    return undefined;
  }
}

function readToken(token: string): JoinTokenPayload {
  const payload = decodeJoinToken(token);
  if (!tokenPayload.Check(payload) || !URL.canParse(payload.hub))
    throw new AppError('token-malformed', 'this is not a join token; use the whole line that hawser cluster join printed');
  return payload;
}

/** The cluster of the shared identity, else the only one of the state folder. */
async function clusterOf({ identityDir, stateDir }: JoinOptions): Promise<string> {
  const stored = identityDir === undefined ? undefined : await readMembership(identityDir);
  return stored?.membership.cluster ?? onlyCluster(stateDir);
}

function onlyCluster(stateDir: string): string {
  const folder = join(stateDir, 'agents');
  const clusters = existsSync(folder) ? readdirSync(folder) : [];
  const [cluster, ...others] = clusters;
  if (cluster !== undefined && others.length === 0) return cluster;
  const found = clusters.length === 0 ? `no cluster has joined in ${stateDir}` : `${stateDir} holds ${clusters.join(', ')}`;
  throw new AppError('cluster-unknown', `which cluster? ${found}; start with --token, or with --cluster NAME`);
}

function natsUserOf(seed: string): string {
  return fromSeed(new TextEncoder().encode(seed)).getPublicKey();
}

async function sleepUntil(at: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && Date.now() < at) await sleep(Math.min(MAX_TIMER_MS, at - Date.now()), signal);
}
