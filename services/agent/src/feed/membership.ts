/** How a cluster belongs to the federation: enrolment by token, kept on disk, credentials renewed long before they end. */

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { backoffMs, sleep } from '@hawser/runtime/backoff.ts';
import { privateFolder, readIfThere, writeDurably } from '@hawser/runtime/durable-file.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { decodeJoinToken, type EnrollRequest, enrollProof, JoinTokenPayload, Membership, renewProof } from '@hawser/wire/enrolment.ts';
import { generateSigner, type Signer, sign, signerFromPem, signerToPem } from '@hawser/wire/signing.ts';
import { createUser, fromSeed } from '@nats-io/nkeys';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { type HubTrust, postToHub } from './hub-http.ts';

/** An enrolled cluster: what the hub gave, and the keys that never leave this machine. */
export interface Member {
  readonly agentDir: string;
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
  readonly token?: string | undefined;
  readonly cluster?: string | undefined;
  /** PEM of CAs that an https hub may have, beside the system's; a token's pin goes before it. */
  readonly hubCa?: string | undefined;
  readonly log: Logger;
}

const StoredMembership = Type.Object({
  hubUrl: Type.String(),
  /** The join token's pin of the hub's CA. */
  hubPin: Type.Optional(Type.String()),
  issuedAt: Type.String(),
  membership: Membership,
});
type StoredMembership = Static<typeof StoredMembership>;

const storedMembership = Compile(StoredMembership);
const membershipShape = Compile(Membership);
const tokenPayload = Compile(JoinTokenPayload);
const TIMEOUT_MS = 10_000;
/** A start does not wait longer for a hub that hangs. */
const REMOVAL_CHECK_MS = 2_000;
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
  const cluster = payload?.cluster ?? options.cluster ?? onlyCluster(options.stateDir);
  const agentDir = privateFolder(agentFolder(options.stateDir, cluster));
  const member = await loadMember(agentDir, options.hubCa);
  if (member !== undefined) return payload !== undefined && (await wasRemoved(member)) ? rejoin(member, payload, options) : member;
  if (payload === undefined)
    throw new AppError('not-joined', `cluster ${cluster} has not joined: make a token with hawser cluster join, and start with --token`);
  return enroll(payload, agentDir, options);
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
  try {
    return await enroll(payload, member.agentDir, options);
  } catch (error) {
    options.log.error(
      { cluster: payload.cluster, error: messageOf(error) },
      'the hub has removed this cluster and the token does not let it in',
    );
    return member;
  }
}

async function loadMember(agentDir: string, hubCa: string | undefined): Promise<Member | undefined> {
  const text = await readIfThere(join(agentDir, 'membership.json'));
  if (text === undefined) return undefined;
  const stored: unknown = JSON.parse(text);
  if (!storedMembership.Check(stored))
    throw new AppError('state-broken', `${agentDir}/membership.json is not a membership; remove ${agentDir} and join again`);
  const keys = await loadKeys(agentDir);
  return { agentDir, hubUrl: stored.hubUrl, hubTrust: { pin: stored.hubPin, ca: hubCa }, membership: stored.membership, ...keys };
}

/** The keys are written before the token is used, so that a crash in between loses no enrolment. */
async function loadKeys(agentDir: string): Promise<Pick<Member, 'signer' | 'natsSeed'>> {
  const [pemPath, seedPath] = [join(agentDir, 'signing.pem'), join(agentDir, 'nats.seed')];
  const pem = await readIfThere(pemPath);
  const seed = await readIfThere(seedPath);
  const signer = pem === undefined ? generateSigner() : signerFromPem(pem);
  const natsSeed = seed ?? new TextDecoder().decode(createUser().getSeed());
  if (pem === undefined) await writeDurably(pemPath, signerToPem(signer));
  if (seed === undefined) await writeDurably(seedPath, natsSeed);
  return { signer, natsSeed };
}

async function enroll(payload: JoinTokenPayload, agentDir: string, { hubCa, log }: JoinOptions): Promise<Member> {
  const hubTrust = { pin: payload.ca, ca: hubCa };
  const keys = await loadKeys(agentDir);
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
  await store({ agentDir, hubUrl: payload.hub, hubTrust }, membership);
  log.info({ cluster: payload.cluster, epoch: membership.epoch }, 'enrolled');
  return { agentDir, hubUrl: payload.hub, hubTrust, membership, ...keys };
}

/**
 * Renews the NATS credentials when a third of their life is over, with jitter, and again and again when the hub is away.
 * `onRenewed` hears of each new set; ends when the signal aborts.
 */
export async function keepRenewed(member: Member, parts: RenewalParts): Promise<void> {
  let { membership } = member;
  let issuedAt = await issuedAtOf(member.agentDir);
  while (!parts.signal.aborted) {
    const life = Date.parse(membership.natsJwtExpiresAt) - issuedAt;
    await sleepUntil(issuedAt + life * (0.3 + Math.random() / 30), parts.signal);
    for (let attempt = 0; !parts.signal.aborted; attempt += 1) {
      try {
        membership = await renew(member, membership);
        issuedAt = Date.now();
        parts.onRenewed(membership);
        break;
      } catch (error) {
        parts.log.warn({ error: messageOf(error), expiresAt: membership.natsJwtExpiresAt }, 'credentials were not renewed, trying again');
        await sleep(backoffMs(attempt, RENEW_RETRY), parts.signal);
      }
    }
  }
}

/** What a renewal needs around it. */
export interface RenewalParts {
  readonly log: Logger;
  readonly signal: AbortSignal;
  onRenewed(membership: Membership): void;
}

async function renew(member: Member, membership: Membership, timeoutMs = TIMEOUT_MS): Promise<Membership> {
  const { cluster, epoch } = membership;
  const request = { cluster, epoch, natsUser: natsUserOf(member.natsSeed), at: new Date().toISOString() };
  const proof = Buffer.from(sign(renewProof(request), member.signer)).toString('base64url');
  const renewed = await post(`${member.hubUrl}/join/v1/renew`, { ...request, proof }, { trust: member.hubTrust ?? {}, timeoutMs });
  if (renewed.hubKey !== membership.hubKey)
    throw new AppError('wrong-hub', `the hub at ${member.hubUrl} has another key than the one this cluster joined`);
  await store(member, renewed);
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

type StoredBeside = Pick<Member, 'agentDir' | 'hubUrl' | 'hubTrust'>;

async function store({ agentDir, hubUrl, hubTrust }: StoredBeside, membership: Membership): Promise<void> {
  const pin = hubTrust?.pin === undefined ? {} : { hubPin: hubTrust.pin };
  const stored: StoredMembership = { hubUrl, ...pin, issuedAt: new Date().toISOString(), membership };
  await writeDurably(join(agentDir, 'membership.json'), JSON.stringify(stored));
}

async function issuedAtOf(agentDir: string): Promise<number> {
  const stored: unknown = JSON.parse((await readIfThere(join(agentDir, 'membership.json'))) ?? 'null');
  return storedMembership.Check(stored) ? Date.parse(stored.issuedAt) : Date.now();
}

function readToken(token: string): JoinTokenPayload {
  const payload = decodeJoinToken(token);
  if (!tokenPayload.Check(payload) || !URL.canParse(payload.hub))
    throw new AppError('token-malformed', 'this is not a join token; use the whole line that hawser cluster join printed');
  return payload;
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
