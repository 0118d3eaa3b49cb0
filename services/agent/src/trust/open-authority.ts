/** Opens the authority of a cluster, makes its first root, or takes over the plain one of an earlier release. */
import { createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isTrustDomainName } from '@hawser/model/spiffe-ids.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { readIfThere } from '@hawser/runtime/durable-file.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { ClusterAuthority, doorBundleText, writeDoorBundle } from './authority.ts';
import type { BroughtAuthority } from './brought-authority.ts';
import { type CaPair, makeRoot, selfSigned } from './ca-certificates.ts';
import { CaEncryption, type CaKeySource, loadCaEncryption } from './ca-encryption.ts';
import { doorBundleOf, fingerprint, type Generation, type StoredAuthority } from './generation.ts';
import { GenerationStore, type NumberedState } from './generation-store.ts';
import { IdentityLedger } from './identity-ledger.ts';
import { signingKeyOf } from './signing-key.ts';

/** What may be said beside the folder. */
export interface OpenAuthorityOptions {
  /** Of the key that encrypts the signing keys; without one, it is made in the folder. */
  readonly caKey?: CaKeySource | undefined;
  /** This agent among those that share the folder. */
  readonly replica?: string | undefined;
  readonly log?: Pick<Logger, 'error' | 'info' | 'warn'> | undefined;
}

type Log = NonNullable<OpenAuthorityOptions['log']>;
const SILENT: Log = { error: () => undefined, info: () => undefined, warn: () => undefined };

/**
 * Opens the authority in the cluster's identity folder, or makes it; replicas that start at once agree on one. Throws `ca-unusable`, `ca-key-missing` or `ca-key-wrong`,
 * with the way out, when files are damaged, expired or cannot be decrypted; a new root is never made over an old one.
 */
export async function openAuthority(
  identityDir: string,
  trustDomain: string,
  { caKey = {}, replica = 'agent', log = SILENT }: OpenAuthorityOptions = {},
): Promise<ClusterAuthority> {
  if (!isTrustDomainName(trustDomain)) throw new AppError('ca-unusable', `${JSON.stringify(trustDomain)} cannot be a trust domain`);
  const store = new GenerationStore(identityDir);
  const opened = await openState({ identityDir, trustDomain, store, caKey, log });
  const { stored } = opened.state;
  if (stored.trustDomain !== trustDomain)
    throw new AppError(
      'ca-unusable',
      `${identityDir} holds the authority of ${stored.trustDomain}, not of ${trustDomain}: use the right folder`,
    );
  checkActive(stored.generations, identityDir);
  const ledger = await IdentityLedger.open({ identityDir, replica, log });
  const readEncryption = (): Promise<CaEncryption> => loadCaEncryption(caKey, identityDir, false);
  const authority = new ClusterAuthority({ identityDir, store, ledger, log, readEncryption, ...opened });
  if (opened.state.number > 0) await leaveNothingPlain(identityDir, stored, log);
  return authority;
}

/** By which roots proxies know the agent's door, read without a key; undefined when there is no authority in the folder yet. */
export async function readDoorBundle(identityDir: string): Promise<readonly string[] | undefined> {
  const state = await new GenerationStore(identityDir).read();
  if (state !== undefined) return doorBundleOf(state.stored);
  const plain = await readIfThere(join(identityDir, 'ca.pem'));
  return plain === undefined ? undefined : [plain];
}

/** The trust domain of the authority in a folder; undefined when there is none that says. */
export async function trustDomainIn(identityDir: string): Promise<string | undefined> {
  return (await new GenerationStore(identityDir).read())?.stored.trustDomain;
}

/**
 * Adds what a user brought to the authority in the folder, as `prepared`; in a folder that has no authority yet it is the first one, and signs.
 * Returns which of both. Throws as `openAuthority` does, and `import-refused`.
 */
export async function importAuthority(
  place: { readonly identityDir: string; readonly trustDomain: string },
  brought: BroughtAuthority,
  options: OpenAuthorityOptions = {},
): Promise<'prepared' | 'active'> {
  const { identityDir, trustDomain } = place;
  const store = new GenerationStore(identityDir);
  if ((await readDoorBundle(identityDir)) === undefined) {
    const encryption = await loadCaEncryption(options.caKey ?? {}, identityDir, true);
    const key = encryption.seal(brought.key, { trustDomain, generation: brought.generation.id });
    const first: Generation = { ...brought.generation, key, state: 'active', origin: 'brought' };
    if (await store.replace(0, { version: 1, trustDomain, generations: [first], door: first })) {
      await writeDoorBundle(identityDir, { version: 1, trustDomain, generations: [first] });
      return 'active';
    }
  }
  await (await openAuthority(identityDir, trustDomain, options)).bring(brought);
  return 'prepared';
}

interface Opening {
  readonly identityDir: string;
  readonly trustDomain: string;
  readonly store: GenerationStore;
  readonly caKey: CaKeySource;
  readonly log: Log;
}

interface Opened {
  readonly state: NumberedState;
  readonly encryption: CaEncryption;
}

async function openState(opening: Opening): Promise<Opened> {
  const { identityDir, store, caKey } = opening;
  const state = await store.read();
  if (state !== undefined) return { state, encryption: await loadCaEncryption(caKey, identityDir, false) };
  const plain = await plainRoot(opening);
  try {
    const encryption = await loadCaEncryption(caKey, identityDir, true);
    const first = firstState(plain ?? (await makeRoot(opening.trustDomain)), opening.trustDomain, encryption);
    if (!(await store.replace(0, first))) return await openState(opening);
    return { state: { number: 1, stored: first }, encryption };
  } catch (error) {
    if (plain === undefined || !isReadOnly(error)) throw error;
    opening.log.warn({ error: messageOf(error) }, 'the signing key stays in plain text, and cannot be rotated: its folder is read-only');
    const encryption = new CaEncryption(randomBytes(32), 'memory');
    return { state: { number: 0, stored: firstState(plain, opening.trustDomain, encryption) }, encryption };
  }
}

function firstState({ certificate, key }: CaPair, trustDomain: string, encryption: CaEncryption): NumberedState['stored'] {
  const id = fingerprint(certificate);
  const sealed = encryption.seal(key, { trustDomain, generation: id });
  const first: Generation = { id, kind: 'root', state: 'active', origin: 'made', certificate, chain: [], root: certificate, key: sealed };
  return { version: 1, trustDomain, generations: [first], door: first };
}

function isReadOnly(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ca-read-only' || code === 'EROFS' || code === 'EACCES' || code === 'EPERM';
}

/** `ca.key` and `ca.pem`, as releases wrote them that did not encrypt; undefined when there are none. */
async function plainRoot({ identityDir, trustDomain }: Opening): Promise<CaPair | undefined> {
  const [keyPath, certificatePath] = [join(identityDir, 'ca.key'), join(identityDir, 'ca.pem')];
  const [key, certificate] = [await readIfThere(keyPath), await readIfThere(certificatePath)];
  if (key === undefined) {
    if (certificate === undefined) return undefined;
    // Another replica may have taken the key over since its state was looked for.
    if ((await new GenerationStore(identityDir).newest()) > 0) return undefined;
    throw new AppError('ca-unusable', `${certificatePath} exists but its key ${keyPath} does not: restore the key, or move both away`);
  }
  try {
    signingKeyOf(key);
  } catch (error) {
    const message = `${keyPath} is not usable (${messageOf(error)}): restore it, or move it and ca.pem away`;
    throw new AppError('ca-unusable', message, { cause: error });
  }
  if (certificate === undefined) return { key, certificate: await selfSigned(key, trustDomain) };
  const problem = rootProblem(certificate, key, trustDomain);
  if (problem === undefined) return { key, certificate };
  throw new AppError(
    'ca-unusable',
    `${certificatePath} ${problem}: restore the pair ca.key and ca.pem, or move both away to start a new root`,
  );
}

function rootProblem(pem: string, key: string, trustDomain: string): string | undefined {
  let root: X509Certificate;
  try {
    root = new X509Certificate(pem);
  } catch (error) {
    return `is not a certificate (${messageOf(error)})`;
  }
  if (!root.ca) return 'is not the certificate of an authority';
  if (!root.checkPrivateKey(createPrivateKey(key))) return 'does not belong to ca.key';
  if (root.subjectAltName !== `URI:spiffe://${trustDomain}`) return `is for ${root.subjectAltName}, not for spiffe://${trustDomain}`;
  if (root.validToDate.getTime() < Date.now()) return `expired on ${root.validTo}`;
  return undefined;
}

function checkActive(generations: readonly Generation[], identityDir: string): void {
  const active = generations.find(({ state }) => state === 'active');
  const ended = [active?.certificate, active?.root].find(
    (pem) => pem !== undefined && new X509Certificate(pem).validToDate.getTime() < Date.now(),
  );
  if (ended === undefined) return;
  const { validTo } = new X509Certificate(ended);
  throw new AppError(
    'ca-unusable',
    `what signs in ${identityDir} expired on ${validTo}: move ca and ca.pem away to start a new root, which every other cluster then learns`,
  );
}

/** The plain key is removed once it lies encrypted, and the bundle is shown; both again after a crash in between. */
async function leaveNothingPlain(identityDir: string, stored: StoredAuthority, log: Log): Promise<void> {
  try {
    if ((await readIfThere(join(identityDir, 'ca.pem'))) !== doorBundleText(stored)) await writeDoorBundle(identityDir, stored);
    const plain = await readIfThere(join(identityDir, 'ca.key'));
    if (plain === undefined) return;
    const key = createPrivateKey(plain);
    if (!stored.generations.some(({ certificate }) => new X509Certificate(certificate).checkPrivateKey(key)))
      return log.warn({ folder: identityDir }, 'ca.key is of no generation of this authority: it is not used, and should not lie there');
    await rm(join(identityDir, 'ca.key'));
    log.info({ folder: join(identityDir, 'ca') }, 'the signing key of an earlier release was encrypted, and its plain file removed');
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'the plain signing key, or the shown bundle, could not be replaced');
  }
}
