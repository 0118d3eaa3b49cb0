/** What the hub wants of this cluster: roster and policies, taken together once the hub's digest says that they are whole. */
import type { Bus } from '@hawser/bus/bus.ts';
import { type DocumentWatcher, type HeardDigest, watchDocuments } from '@hawser/bus/document-watcher.ts';
import { Roster } from '@hawser/model/fleet.ts';
import { kindNamed } from '@hawser/model/kinds.ts';
import { type Resource, resourceKey } from '@hawser/model/resource.ts';
import { validateInForce } from '@hawser/model/validate.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { type Document, HUB } from '@hawser/wire/envelope.ts';
import type { Verifier } from '@hawser/wire/signing.ts';
import { CONFIG_PREFIX, CONFIG_STREAM, configSubjects, policyKey, ROSTER_KEY, TRUST_KEY } from '@hawser/wire/subjects.ts';
import { TrustOrder } from '@hawser/wire/trust.ts';
import { Compile } from 'typebox/compile';
import type { ControlLoop } from '../control-loop.ts';
import type { Warnings } from '../report/warnings.ts';
import { RawDocuments } from './raw-documents.ts';

/** What it works with. */
export interface ConfigWatcherParts {
  readonly bus: Bus;
  readonly cluster: string;
  readonly hubKey: Verifier;
  readonly loop: Pick<ControlLoop, 'configure'>;
  readonly warnings: Warnings;
  readonly log: Logger;
  /** Sealed messages of the last good state. */
  readonly seed: readonly Uint8Array[];
  /** The hub's word on the rotation of the own authority, as it is now; undefined when it has none. */
  readonly onTrustOrder: (order: TrustOrder | undefined) => void;
  /** What would be saved differs. */
  readonly onChange: () => void;
}

const trustOrder = Compile(TrustOrder);
const rosterBody = Compile(Roster);
/** A policy of an unknown kind, or without sense, must not grow memory either. */
const MAX_POLICIES = 100_000;

/** Watches `hawser.config.CLUSTER.>`. */
export class ConfigWatcher {
  readonly #parts: ConfigWatcherParts;
  readonly #raw = new RawDocuments();
  readonly #watcher: DocumentWatcher;
  #roster: Roster | undefined;
  /** By document key. */
  readonly #policies = new Map<string, Resource>();
  #seeding = true;

  constructor(parts: ConfigWatcherParts) {
    this.#parts = parts;
    const { bus, cluster, hubKey, log, seed } = parts;
    this.#watcher = watchDocuments({
      ...{ bus, log, seed, stream: CONFIG_STREAM, prefix: CONFIG_PREFIX, filter: configSubjects(cluster), owner: 'to' },
      verifierOf: (from) => (from === HUB ? hubKey : undefined),
      accept: (document) => document.from === HUB && document.to === cluster,
      onDocument: (document, raw) => this.#document(document, raw),
      onDigest: (_owner, heard) => this.#digest(heard),
      onAbsent: (_owner, keys) => this.#absent(keys),
      onRefused: (reason, subject) => parts.warnings.event(subject, `a document was refused: ${reason}`),
    });
    this.#seeding = false;
    if (this.#roster !== undefined) this.#hand(undefined);
  }

  /** Sealed messages for the last good state, base64. */
  encoded(): string[] {
    return this.#raw.encoded();
  }

  stop(): void {
    this.#watcher.stop();
  }

  #document(document: Document, raw: readonly Uint8Array[]): void {
    const { key, body } = document;
    const problem = this.#take(key, body);
    this.#parts.warnings.standing(`policy ${key}`, problem === undefined ? [] : [problem]);
    // A refused document is not saved: after a restart the one before it would be missing.
    if (problem !== undefined) return;
    this.#raw.put(key, raw, body === null);
    if (!this.#seeding) this.#parts.onChange();
  }

  #take(key: string, body: unknown): string | undefined {
    if (key === ROSTER_KEY) return this.#takeRoster(body);
    return key === TRUST_KEY ? this.#takeOrder(body) : this.#takePolicy(key, body);
  }

  /** It acts at once: each step is whole by itself, whatever else of the hub's is on its way. */
  #takeOrder(body: unknown): string | undefined {
    if (body !== null && !trustOrder.Check(body)) return 'has not the shape of a trust order; nothing is done';
    this.#parts.onTrustOrder(body ?? undefined);
    return undefined;
  }

  /** The roster is never removed: without it nobody could be believed. */
  #takeRoster(body: unknown): string | undefined {
    if (!rosterBody.Check(body)) return 'the roster has not the shape of one; the last good one is kept';
    this.#roster = body;
    return undefined;
  }

  /** RELIABILITY R10: what the hub checked when it was written is checked again when it is read. */
  #takePolicy(key: string, body: unknown): string | undefined {
    const plural = /^policy\.([^.]+)\./.exec(key)?.[1];
    if (plural === undefined) return undefined;
    if (body === null) {
      this.#policies.delete(key);
      return undefined;
    }
    const kind = kindNamed(plural);
    if (kind === undefined || !kind.policy) return `${plural} is no kind of policy that this agent knows; the last good one is kept`;
    const checked = validateInForce(body, kind);
    if ('issues' in checked) {
      const [issue] = checked.issues;
      return `${issue?.path}: ${issue?.message}; the last good one is kept`;
    }
    const resource = body as Resource;
    if (policyKey(kind.plural, resource.metadata.namespace ?? '', resource.metadata.name) !== key)
      return `holds ${resource.metadata.name}, which is another policy`;
    if (this.#policies.size >= MAX_POLICIES && !this.#policies.has(key)) return `is beyond the ${MAX_POLICIES} policies an agent holds`;
    this.#policies.set(key, resource);
    return undefined;
  }

  #digest({ epoch, revision, consistent }: HeardDigest): void {
    if (consistent && this.#roster !== undefined) this.#hand({ epoch, revision });
  }

  /** The hub's own digest proves these gone, by its signature; a roster it never lacks. */
  #absent(keys: readonly string[]): void {
    for (const key of keys) {
      if (key === ROSTER_KEY) continue;
      if (key === TRUST_KEY) this.#parts.onTrustOrder(undefined);
      this.#policies.delete(key);
      this.#raw.forget(key);
      this.#parts.warnings.standing(`policy ${key}`, []);
    }
    this.#parts.onChange();
  }

  #hand(moment: { readonly epoch: number; readonly revision: number } | undefined): void {
    if (this.#roster === undefined) return;
    const policies = new Map(
      [...this.#policies.values()].map((policy) => [resourceKey(policy.kind, policy.metadata.namespace, policy.metadata.name), policy]),
    );
    this.#parts.loop.configure({ roster: this.#roster, policies, moment });
  }
}
