/**
 * The certificates of connected proxies: one per identity, shared by its streams, renewed at half its life, in memory only.
 * An identity that no stream holds any more is forgotten with its key.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { backoffMs } from '@hawser/runtime/backoff.ts';
import { sha256 } from '@hawser/runtime/canonical-json.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { SecretSchema } from '@hawser/xds/generated/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import type { XdsResource } from '../snapshot/resource.ts';
import type { HeldIdentity, IdentityHolder, IdentitySource, WorkloadIdentity } from '../xds/identity-source.ts';
import { IDENTITY_SECRET } from '../xds/resource-view.ts';
import type { Authority, IssuedCertificate } from './authority.ts';
import type { IdentityLedger } from './identity-ledger.ts';

const RETRY = { baseMs: 1_000, maxMs: 60_000 };
/** Renewals are spread over this part of the life after its half, so that a fleet does not renew at once. */
const JITTER = 0.1;
/** A new generation has all certificates renewed within this time, or at this pace where there are many. */
const RENEW_ALL_MS = 1_000;
const RENEW_PACE_MS = 4;

interface Entry {
  readonly identity: WorkloadIdentity;
  /** Who hears of a renewal, with the name of the proxy. */
  readonly holders: Map<() => void, string>;
  /** The first certificate, being issued. */
  readonly first: Promise<void>;
  current: XdsResource | undefined;
  /** Of `current`. */
  issued: IssuedCertificate | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** What it needs; `lifeMs` of a leaf is the authority's default unless given (tests give seconds). */
export interface WorkloadCertificatesOptions {
  readonly authority: Pick<Authority, 'issue'>;
  /** Where it is noted what proxies are given. */
  readonly ledger?: Pick<IdentityLedger, 'given' | 'acknowledged'>;
  readonly log: Logger;
  readonly lifeMs?: number;
  readonly random?: () => number;
}

/** Issues, caches and renews. */
export class WorkloadCertificates implements IdentitySource {
  readonly #options: WorkloadCertificatesOptions;
  readonly #entries = new Map<string, Entry>();
  /** The generation that certificates have to be of; undefined until one is replaced. */
  #wanted: string | undefined;

  constructor(options: WorkloadCertificatesOptions) {
    this.#options = options;
  }

  /** Identities in use. */
  get size(): number {
    return this.#entries.size;
  }

  /** When the first of the certificates in use ends, Unix ms; undefined while none is. */
  get firstEnd(): number | undefined {
    const ends = [...this.#entries.values()].flatMap(({ issued }) => (issued === undefined ? [] : [issued.notAfter]));
    return ends.length === 0 ? undefined : Math.min(...ends);
  }

  async hold(holder: IdentityHolder, onRenewed: () => void): Promise<HeldIdentity> {
    const { name, namespace, serviceAccount } = holder;
    const key = `${namespace}/${serviceAccount}`;
    const entry = this.#entries.get(key) ?? this.#start(key, { namespace, serviceAccount });
    const listener = (): void => onRenewed();
    entry.holders.set(listener, name);
    const release = (): void => this.#release(key, entry, listener);
    try {
      await entry.first;
      await this.#note(entry, [name]);
    } catch (error) {
      release();
      throw error;
    }
    return {
      acknowledged: (version) => this.#options.ledger?.acknowledged(name, version),
      get current() {
        if (entry.current === undefined) throw new Error('a held identity has no certificate');
        return entry.current;
      },
      release,
    };
  }

  /** Has every certificate that another generation signed renewed now, spread over about a second. */
  renewAll(wanted: string): void {
    this.#wanted = wanted;
    const stale = [...this.#entries.values()].filter(({ issued }) => issued !== undefined && issued.generation !== wanted);
    const spread = Math.max(RENEW_ALL_MS, stale.length * RENEW_PACE_MS);
    const random = this.#options.random ?? Math.random;
    for (const entry of stale) this.#schedule(entry, random() * spread, 0);
  }

  #start(key: string, identity: WorkloadIdentity): Entry {
    const first = this.#issue(() => entry);
    const entry: Entry = { identity, holders: new Map(), first, current: undefined, issued: undefined, timer: undefined };
    this.#entries.set(key, entry);
    return entry;
  }

  #release(key: string, entry: Entry, listener: () => void): void {
    entry.holders.delete(listener);
    if (entry.holders.size > 0 || this.#entries.get(key) !== entry) return;
    clearTimeout(entry.timer);
    this.#entries.delete(key);
  }

  async #issue(entryOf: () => Entry): Promise<void> {
    await Promise.resolve();
    const entry = entryOf();
    const { namespace, serviceAccount } = entry.identity;
    const issued = await this.#options.authority.issue({ namespace, serviceAccount }, this.#options.lifeMs);
    const next = identitySecret(issued);
    await this.#noteAll(entry, { ...issued, version: next.version });
    [entry.current, entry.issued] = [next, issued];
    if (entry.holders.size === 0) return;
    // Another generation may have become the active one while this was issued.
    const stale = this.#wanted !== undefined && issued.generation !== this.#wanted;
    this.#schedule(entry, stale ? 0 : renewalDelay(issued, this.#options.random ?? Math.random), 0);
  }

  /** Nothing is used before it is noted who may use it. */
  async #note({ issued, current }: Entry, names: readonly string[]): Promise<void> {
    if (issued !== undefined && current !== undefined) await this.#options.ledger?.given(names, { ...issued, version: current.version });
  }

  /** Streams that come while it is noted are noted too. */
  async #noteAll({ holders }: Entry, certificate: { generation: string; version: string; notAfter: number }): Promise<void> {
    const { ledger } = this.#options;
    for (const noted = new Set<string>(); ; ) {
      const names = new Set(holders.values()).difference(noted);
      if (ledger === undefined || names.size === 0) return;
      await ledger.given(names, certificate);
      for (const name of names) noted.add(name);
    }
  }

  #schedule(entry: Entry, delayMs: number, attempt: number): void {
    clearTimeout(entry.timer);
    entry.timer = setTimeout(() => void this.#renew(entry, attempt), delayMs).unref();
  }

  /** A renewal that fails is tried again; the certificate in use has half its life left. */
  async #renew(entry: Entry, attempt: number): Promise<void> {
    try {
      await this.#issue(() => entry);
      for (const listener of [...entry.holders.keys()]) listener();
    } catch (error) {
      this.#options.log.error({ ...entry.identity, attempt, error: messageOf(error) }, 'certificate not renewed');
      if (entry.holders.size > 0) this.#schedule(entry, RETRY.baseMs + backoffMs(attempt, RETRY), attempt + 1);
    }
  }
}

/** Milliseconds from now to the renewal: half of the life that is left, and some jitter. */
function renewalDelay(issued: IssuedCertificate, random: () => number): number {
  return Math.max(100, (issued.notAfter - Date.now()) * (0.5 + JITTER * random()));
}

/** The SDS resource `identity` of a certificate; its version is the hash of its bytes, as everywhere. */
export function identitySecret(issued: IssuedCertificate): XdsResource {
  const secret = create(SecretSchema, {
    name: IDENTITY_SECRET,
    type: {
      case: 'tlsCertificate',
      value: {
        certificateChain: { specifier: { case: 'inlineString', value: issued.certificateChainPem } },
        privateKey: { specifier: { case: 'inlineString', value: issued.privateKeyPem } },
      },
    },
  });
  const bytes = toBinary(SecretSchema, secret);
  return { type: 'SDS', name: IDENTITY_SECRET, version: sha256(bytes).slice(0, 16), bytes };
}
