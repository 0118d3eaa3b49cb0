/**
 * The certificate authority of one cluster: signs short-lived X.509-SVIDs for its workloads (SPIFFE X509-SVID; RELIABILITY.md 5.1)
 * with the active one of its generations, which a rotation replaces. Signing keys never leave the identity folder, and lie there
 * encrypted (docs/decisions/0022-authority.md).
 */
import { X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { agentSpiffeId, spiffeId } from '@hawser/model/fleet.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { writeDurably } from '@hawser/runtime/durable-file.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { WorkloadIdentity } from '../xds/identity-source.ts';
import type { BroughtAuthority } from './brought-authority.ts';
import { makeIntermediate, makeRoot, pathLengthOf } from './ca-certificates.ts';
import type { CaEncryption, SealedKey } from './ca-encryption.ts';
import { activeOf, bundleOf, doorBundleOf, fingerprint, type Generation, type StoredAuthority, viewOf } from './generation.ts';
import type { GenerationStore, NumberedState } from './generation-store.ts';
import { heldUntil, identityAccount } from './held-certificates.ts';
import type { IdentityLedger } from './identity-ledger.ts';
import { type LeafName, type LeafSigner, leafSigner, signLeaf } from './leaf-certificates.ts';
import type { AuthorityAccount, GenerationView, RotatingAuthority, RotationOrder } from './rotation.ts';
import { parentOf, rotationStep } from './rotation-steps.ts';
import { signingKeyOf } from './signing-key.ts';

/** A leaf outlives any control-plane outage that must be survived, and is renewed at half its life (R13). */
export const LEAF_LIFE_MS = 24 * 3_600_000;
const POLL_MS = 500;
/** Before its root ends by this much, the door is signed by the active generation, whose root proxies have with their tokens since. */
const DOOR_MOVES_MS = 60 * 24 * 3_600_000;
/** The parts of a workload's path, as SPIFFE-ID section 2.2 allows them. */
const PATH_SEGMENT = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,253}$/;

/** A workload's certificate and key, as Envoy takes them. */
export interface IssuedCertificate {
  /** The leaf, then the intermediates; the root is in the bundle and not repeated here. */
  readonly certificateChainPem: string;
  /** PKCS#8. */
  readonly privateKeyPem: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** ID of the generation that signed it. */
  readonly generation: string;
}

/** Issues the certificates of one trust domain. */
export interface Authority {
  readonly trustDomain: string;
  /** The trust bundle as it is now: PEM certificates, sorted. */
  readonly trustBundle: readonly string[];
  /** A fresh key and a certificate for it; `lifeMs` is `LEAF_LIFE_MS` unless given. Throws for names that no SPIFFE ID can hold. */
  issue(identity: WorkloadIdentity, lifeMs?: number): Promise<IssuedCertificate>;
  /** The same for the agent's own xDS door: `agentSpiffeId(trustDomain)`, which no workload can be given. */
  issueAgent(lifeMs?: number): Promise<IssuedCertificate>;
}

/** What an authority is made of, opened. */
export interface AuthorityParts {
  readonly identityDir: string;
  readonly store: GenerationStore;
  readonly encryption: CaEncryption;
  /** The encryption key as it is now where it came from: it may have been replaced. */
  readonly readEncryption: () => Promise<CaEncryption>;
  readonly ledger: IdentityLedger;
  readonly state: NumberedState;
  readonly log: Pick<Logger, 'error' | 'info' | 'warn'>;
}

/** The authority in the cluster's identity folder, which other replicas may change too. */
export class ClusterAuthority implements RotatingAuthority {
  readonly trustDomain: string;
  readonly ledger: IdentityLedger;
  readonly #parts: AuthorityParts;
  readonly #listeners = new Set<() => void>();
  readonly #signers = new Map<string, LeafSigner>();
  #encryption: CaEncryption;
  #state: NumberedState;
  #bundle: readonly string[];
  #views: readonly GenerationView[];

  constructor(parts: AuthorityParts) {
    this.#parts = parts;
    this.#state = parts.state;
    this.#encryption = parts.encryption;
    this.trustDomain = parts.state.stored.trustDomain;
    this.ledger = parts.ledger;
    this.#bundle = bundleOf(this.#generations);
    this.#views = this.#generations.map(viewOf);
    parts.ledger.onChange.add(() => this.#tell());
    // What signs is opened now: a key that is wrong is found at the start, not at the first proxy.
    this.#signerOf(this.#active);
  }

  get trustBundle(): readonly string[] {
    return this.#bundle;
  }

  get generations(): readonly GenerationView[] {
    return this.#views;
  }

  /** ID of the generation that signs workloads. */
  get active(): string {
    return this.#active.id;
  }

  /** Another value since each emergency: connections that were made before are to end. Undefined before the first. */
  get severed(): string | undefined {
    return this.#state.stored.severed?.slice(0, 16);
  }

  /** ID of the generation that the agent's own door is signed by; another one after an emergency, or when that one nears its end. */
  get door(): string {
    return this.#door.id;
  }

  issue({ namespace, serviceAccount }: WorkloadIdentity, lifeMs = LEAF_LIFE_MS): Promise<IssuedCertificate> {
    if (PATH_SEGMENT.test(namespace) && PATH_SEGMENT.test(serviceAccount))
      return this.#issue(this.#active, spiffeId(this.trustDomain, namespace, serviceAccount), lifeMs);
    const message = `no SPIFFE ID can hold ${JSON.stringify(namespace)} and ${JSON.stringify(serviceAccount)}`;
    return Promise.reject(new AppError('identity-invalid', message));
  }

  issueAgent(lifeMs = LEAF_LIFE_MS): Promise<IssuedCertificate> {
    return this.#issue(this.#door, agentSpiffeId(this.trustDomain), lifeMs);
  }

  /** For a door that is known by names in DNS, signed as the agent's own: no workload, and nobody to Envoy. */
  issueServer(dns: readonly string[], lifeMs = LEAF_LIFE_MS): Promise<IssuedCertificate> {
    return this.#issue(this.#door, { dns }, lifeMs);
  }

  /** PEM of what the agent's doors are known by. */
  get doorBundle(): string {
    return doorBundleText(this.#state.stored);
  }

  account(): AuthorityAccount {
    return { generations: this.#views, identities: identityAccount(this.ledger.held, this.active, Date.now()) };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async apply(order: RotationOrder): Promise<void> {
    for (let made: Generation | undefined; ; ) {
      const current = await this.#read();
      this.#requireKeys(current);
      // Sealed with a key that was replaced meanwhile.
      if (made?.key !== undefined && made.key.by !== this.#encryption.id) made = undefined;
      await this.ledger.refresh();
      const { generations } = current.stored;
      const { held, unreadable } = this.ledger;
      if (order.phase === 'retire' && order.emergency !== true && unreadable.length > 0)
        throw refusal(
          `nobody knows what ${unreadable.join(', ')} in the folder "issued" says: restore it, or remove it a day after its agent stopped`,
        );
      const result = rotationStep(generations, { order, made, heldUntil: (id) => heldUntil(held, id, Date.now()) });
      if ('refused' in result) throw refusal(result.refused);
      if ('needs' in result) made = await this.#make(order.kind, generations);
      else if (result.generations === generations) return this.#take(current);
      else if (await this.#replace(current, result.generations, result.atOnce)) {
        this.#parts.log.info({ rotation: order.rotation, phase: order.phase, active: this.active.slice(0, 16) }, 'rotation step applied');
        return;
      }
    }
  }

  /** Adds a generation that a user brought, as `prepared`; its root is in the bundle from now on. Throws `import-refused`. */
  async bring({ generation, key: pem }: BroughtAuthority): Promise<void> {
    for (;;) {
      const current = await this.#read();
      this.#requireKeys(current);
      const key = this.#encryption.seal(pem, { trustDomain: this.trustDomain, generation: generation.id });
      const { generations } = current.stored;
      const problem = bringingProblem(generations, generation.id);
      if (problem !== undefined) throw new AppError('import-refused', problem, { status: 409 });
      if (await this.#replace(current, [...generations, { ...generation, key, state: 'prepared', origin: 'brought' }])) return;
    }
  }

  /** Forgets what was brought and no rotation has taken yet. Throws `import-refused` when there is nothing such. */
  async discardBrought(): Promise<string> {
    for (;;) {
      const current = await this.#read();
      const { generations } = current.stored;
      const brought = generations.find(isWaiting);
      if (brought === undefined) throw new AppError('import-refused', 'nothing that was imported waits for a rotation', { status: 409 });
      if (
        await this.#replace(
          current,
          generations.filter((each) => each !== brought),
        )
      )
        return brought.id;
    }
  }

  /** Follows what other replicas, and the command line, change in the folder. Returns how to stop. */
  watch(): () => void {
    let timer: NodeJS.Timeout;
    let complaint = '';
    const look = async (): Promise<void> => {
      try {
        if ((await this.#parts.store.newest()) > this.#state.number) this.#take(await this.#read());
        await this.ledger.refresh();
        complaint = '';
      } catch (error) {
        if (messageOf(error) !== complaint) this.#parts.log.error({ error: messageOf(error) }, 'the authority cannot be read again');
        complaint = messageOf(error);
      }
      if (!stopped) timer = setTimeout(() => void look(), POLL_MS).unref();
    };
    let stopped = false;
    timer = setTimeout(() => void look(), POLL_MS).unref();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }

  get #generations(): readonly Generation[] {
    return this.#state.stored.generations;
  }

  get #active(): Generation {
    const active = activeOf(this.#generations);
    if (active !== undefined) return active;
    throw new AppError('ca-unusable', `the authority of ${this.trustDomain} has no active generation: restore its folder`);
  }

  get #door(): Generation {
    const { door } = this.#state.stored;
    if (door === undefined || new X509Certificate(door.root).validToDate.getTime() - Date.now() < DOOR_MOVES_MS) return this.#active;
    return door;
  }

  async #issue(generation: Generation, id: LeafName, lifeMs: number): Promise<IssuedCertificate> {
    const signer = this.#signerOf(generation);
    const { certificate, key, notBefore, notAfter } = await signLeaf(signer, id, lifeMs);
    return {
      certificateChainPem: `${certificate}${signer.intermediates}`,
      privateKeyPem: key,
      ...{ notBefore, notAfter, generation: generation.id },
    };
  }

  #signerOf(generation: Generation): LeafSigner {
    const known = this.#signers.get(generation.id);
    if (known !== undefined) return known;
    const signer = leafSigner(signingKeyOf(this.#keyOf(generation)), generation.certificate, generation);
    this.#signers.set(generation.id, signer);
    return signer;
  }

  #keyOf({ id, key }: Generation): string {
    if (key === undefined) throw new AppError('ca-unusable', `the key of generation ${id} is not here: restore the folder`);
    return this.#encryption.open(key, { trustDomain: this.trustDomain, generation: id });
  }

  async #make(kind: Generation['kind'], generations: readonly Generation[]): Promise<Generation> {
    const { trustDomain } = this;
    const parent = kind === 'root' ? undefined : this.#parentIn(generations);
    const issuer = parent === undefined ? undefined : { certificate: parent.certificate, key: signingKeyOf(this.#keyOf(parent)) };
    const { certificate, key } = issuer === undefined ? await makeRoot(trustDomain) : await makeIntermediate(issuer, trustDomain);
    const id = fingerprint(certificate);
    const sealed = this.#encryption.seal(key, { trustDomain, generation: id });
    const root = parent?.certificate ?? certificate;
    return { id, kind, state: 'prepared', origin: 'made', certificate, chain: [], root, key: sealed };
  }

  #parentIn(generations: readonly Generation[]): Generation {
    const parent = parentOf(generations);
    if (parent === undefined)
      throw refusal("the root's key is not here: bring an intermediate with hawser trust import, or rotate the root");
    if (pathLengthOf(parent.certificate) === 0)
      throw refusal('the root allows no intermediate below it (path length 0, as earlier releases made them): rotate the root first');
    return parent;
  }

  async #read(): Promise<NumberedState> {
    const read = await this.#parts.store.read();
    if (read === undefined) return this.#state;
    const sealed = sealedIn(read.stored);
    if (sealed.some((key) => key.by !== this.#encryption.id)) this.#encryption = await this.#parts.readEncryption();
    return read;
  }

  /** What is in force was sealed with another key when the encryption key was replaced: nothing is added to it that this one sealed. */
  #requireKeys({ stored }: NumberedState): void {
    const foreign = sealedIn(stored).find((key) => !this.#encryption.opens(key));
    if (foreign !== undefined)
      throw new AppError(
        'ca-key-wrong',
        `the encryption key of ${this.trustDomain} was replaced (by ${foreign.by}), and this agent has the one before: start it with the new one`,
        { status: 409 },
      );
  }

  /** Where the active one is replaced at once, the door gets another signer too: who has the old key could stand at it. */
  async #replace({ number, stored: before }: NumberedState, generations: readonly Generation[], atOnce = false): Promise<boolean> {
    const door = atOnce ? activeOf(generations) : before.door;
    const severed = atOnce && door !== undefined ? { severed: door.id } : {};
    const stored = { ...before, generations: [...generations], ...(door === undefined ? {} : { door }), ...severed };
    if (!(await this.#parts.store.replace(number, stored))) return false;
    await writeDoorBundle(this.#parts.identityDir, stored);
    this.#take({ number: number + 1, stored });
    return true;
  }

  /** Takes a state up, unless a newer one is in use already. */
  #take(state: NumberedState): void {
    if (state.number <= this.#state.number) return;
    const active = activeOf(state.stored.generations);
    if (active !== undefined) this.#signerOf(active);
    this.#state = state;
    const kept = new Set([...this.#generations, this.#door].flatMap(({ id, key }) => (key === undefined ? [] : [id])));
    for (const id of this.#signers.keys()) if (!kept.has(id)) this.#signers.delete(id);
    this.#bundle = bundleOf(this.#generations);
    this.#views = this.#generations.map(viewOf);
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Every encrypted key of a state. */
function sealedIn({ generations, door }: StoredAuthority): readonly SealedKey[] {
  return [...generations, ...(door === undefined ? [] : [door])].flatMap(({ key }) => (key === undefined ? [] : [key]));
}

/** Brought, and taken by no rotation. */
function isWaiting({ state, rotation }: Generation): boolean {
  return state === 'prepared' && rotation === undefined;
}

function bringingProblem(generations: readonly Generation[], id: string): string | undefined {
  const same = generations.find((each) => each.id === id);
  if (same !== undefined) return `the authority has this certificate already, and it is ${same.state}`;
  const waiting = generations.find(isWaiting);
  if (waiting === undefined) return undefined;
  return `${waiting.id.slice(0, 16)} was imported before and waits for its rotation: rotate to it, or forget it with hawser trust import --discard`;
}

function refusal(reason: string): AppError {
  return new AppError('rotation-refused', reason, { status: 409 });
}

/** Puts what proxies of this machine know the agent's door by where they find it: `ca.pem` of the identity folder. */
export async function writeDoorBundle(identityDir: string, stored: StoredAuthority): Promise<void> {
  await writeDurably(join(identityDir, 'ca.pem'), doorBundleText(stored), 0o644);
}

/** As it lies there. */
export function doorBundleText(stored: StoredAuthority): string {
  return doorBundleOf(stored)
    .map((pem) => `${pem.trim()}\n`)
    .join('');
}
