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
import type { HeldIdentity, IdentitySource, WorkloadIdentity } from '../xds/identity-source.ts';
import { IDENTITY_SECRET } from '../xds/resource-view.ts';
import type { Authority, IssuedCertificate } from './authority.ts';

const RETRY = { baseMs: 1_000, maxMs: 60_000 };
/** Renewals are spread over this part of the life after its half, so that a fleet does not renew at once. */
const JITTER = 0.1;

interface Entry {
  readonly identity: WorkloadIdentity;
  readonly renewed: Set<() => void>;
  /** The first certificate, being issued. */
  readonly first: Promise<void>;
  current: XdsResource | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** What it needs; `lifeMs` of a leaf is the authority's default unless given (tests give seconds). */
export interface WorkloadCertificatesOptions {
  readonly authority: Pick<Authority, 'issue'>;
  readonly log: Logger;
  readonly lifeMs?: number;
  readonly random?: () => number;
}

/** Issues, caches and renews. */
export class WorkloadCertificates implements IdentitySource {
  readonly #options: WorkloadCertificatesOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: WorkloadCertificatesOptions) {
    this.#options = options;
  }

  /** Identities in use. */
  get size(): number {
    return this.#entries.size;
  }

  async hold(identity: WorkloadIdentity, onRenewed: () => void): Promise<HeldIdentity> {
    const key = `${identity.namespace}/${identity.serviceAccount}`;
    const entry = this.#entries.get(key) ?? this.#start(key, identity);
    const listener = (): void => onRenewed();
    entry.renewed.add(listener);
    const release = (): void => this.#release(key, entry, listener);
    try {
      await entry.first;
    } catch (error) {
      release();
      throw error;
    }
    return {
      get current() {
        if (entry.current === undefined) throw new Error('a held identity has no certificate');
        return entry.current;
      },
      release,
    };
  }

  #start(key: string, identity: WorkloadIdentity): Entry {
    const entry: Entry = { identity, renewed: new Set(), first: this.#issue(() => entry), current: undefined, timer: undefined };
    this.#entries.set(key, entry);
    return entry;
  }

  #release(key: string, entry: Entry, listener: () => void): void {
    entry.renewed.delete(listener);
    if (entry.renewed.size > 0 || this.#entries.get(key) !== entry) return;
    clearTimeout(entry.timer);
    this.#entries.delete(key);
  }

  async #issue(entryOf: () => Entry): Promise<void> {
    await Promise.resolve();
    const entry = entryOf();
    const { namespace, serviceAccount } = entry.identity;
    const issued = await this.#options.authority.issue({ namespace, serviceAccount }, this.#options.lifeMs);
    entry.current = identitySecret(issued);
    if (entry.renewed.size > 0) this.#schedule(entry, renewalDelay(issued, this.#options.random ?? Math.random), 0);
  }

  #schedule(entry: Entry, delayMs: number, attempt: number): void {
    entry.timer = setTimeout(() => void this.#renew(entry, attempt), delayMs).unref();
  }

  /** A renewal that fails is tried again; the certificate in use has half its life left. */
  async #renew(entry: Entry, attempt: number): Promise<void> {
    try {
      await this.#issue(() => entry);
      for (const listener of entry.renewed) listener();
    } catch (error) {
      this.#options.log.error({ ...entry.identity, attempt, error: messageOf(error) }, 'certificate not renewed');
      if (entry.renewed.size > 0) this.#schedule(entry, RETRY.baseMs + backoffMs(attempt, RETRY), attempt + 1);
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
