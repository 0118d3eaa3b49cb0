/** A cluster's identity on disk: its keys and its membership, shared by the replicas that are given the same folder. */
import { join } from 'node:path';
import { AppError } from '@hawser/runtime/app-error.ts';
import { readIfThere, writeDurably } from '@hawser/runtime/durable-file.ts';
import { Membership } from '@hawser/wire/enrolment.ts';
import { generateSigner, signerFromPem, signerToPem } from '@hawser/wire/signing.ts';
import { createUser } from '@nats-io/nkeys';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { createExclusively } from '../trust/exclusive-file.ts';
import type { Member } from './membership.ts';

/** Where a member is kept, and the CAs that an https hub may have. */
export interface MemberPlace extends Pick<Member, 'agentDir' | 'identityDir'> {
  readonly hubCa: string | undefined;
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

/** The member that an earlier start left; undefined when there is none. Throws `state-broken` for a damaged file or another cluster's. */
export async function loadMember({ agentDir, identityDir, hubCa }: MemberPlace, cluster: string): Promise<Member | undefined> {
  const stored = await readMembership(identityDir);
  if (stored === undefined) return undefined;
  const { membership, hubUrl, hubPin } = stored;
  if (membership.cluster !== cluster)
    throw new AppError('state-broken', `${identityDir} holds the identity of cluster ${membership.cluster}, not of ${cluster}`);
  return { agentDir, identityDir, hubUrl, hubTrust: { pin: hubPin, ca: hubCa }, membership, ...(await loadKeys(identityDir)) };
}

/** The membership file, if there is one; throws `state-broken` when it is none. */
export async function readMembership(identityDir: string): Promise<StoredMembership | undefined> {
  const text = await readIfThere(join(identityDir, 'membership.json'));
  if (text === undefined) return undefined;
  const stored: unknown = JSON.parse(text);
  if (storedMembership.Check(stored)) return stored;
  throw new AppError('state-broken', `${identityDir}/membership.json is not a membership; remove ${identityDir} and join again`);
}

/** The keys are written before the token is used, so that a crash in between loses no enrolment; replicas agree on the first written. */
export async function loadKeys(identityDir: string): Promise<Pick<Member, 'signer' | 'natsSeed'>> {
  const pem = await readOrMake(join(identityDir, 'signing.pem'), () => signerToPem(generateSigner()));
  const natsSeed = await readOrMake(join(identityDir, 'nats.seed'), () => new TextDecoder().decode(createUser().getSeed()));
  return { signer: signerFromPem(pem), natsSeed };
}

async function readOrMake(path: string, make: () => string): Promise<string> {
  const known = await readIfThere(path);
  if (known !== undefined) return known;
  await createExclusively(path, make());
  return (await readIfThere(path)) ?? '';
}

/** Replaces the membership file. */
export async function storeMembership(member: Pick<Member, 'identityDir' | 'hubUrl' | 'hubTrust'>, membership: Membership): Promise<void> {
  const { identityDir, hubUrl, hubTrust } = member;
  const pin = hubTrust?.pin === undefined ? {} : { hubPin: hubTrust.pin };
  const stored: StoredMembership = { hubUrl, ...pin, issuedAt: new Date().toISOString(), membership };
  await writeDurably(join(identityDir, 'membership.json'), JSON.stringify(stored));
}

/** When the stored credentials were issued, Unix milliseconds. */
export async function issuedAtOf(identityDir: string): Promise<number> {
  const stored = await readMembership(identityDir);
  return stored === undefined ? Date.now() : Date.parse(stored.issuedAt);
}
