/** What the other clusters say of themselves: facts and endpoint shards, each believed only by the key the roster gives it. */
import { isIP } from 'node:net';
import type { Bus } from '@hawser/bus/bus.ts';
import { type DocumentWatcher, type HeardDigest, watchDocuments } from '@hawser/bus/document-watcher.ts';
import { PublishedShard, receivedShard } from '@hawser/model/endpoint-shard.ts';
import { ClusterFacts } from '@hawser/model/fleet.ts';
import { serviceKey } from '@hawser/model/service-host.ts';
import { checkBundle } from '@hawser/runtime/authority-certificate.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Document } from '@hawser/wire/envelope.ts';
import type { PeerStatus } from '@hawser/wire/messages.ts';
import { type Verifier, verifierOf } from '@hawser/wire/signing.ts';
import { FACTS_KEY, FLEET_PREFIX, FLEET_STREAM, shardKey } from '@hawser/wire/subjects.ts';
import { Compile } from 'typebox/compile';
import type { Moment } from '../control-loop.ts';
import type { Warnings } from '../report/warnings.ts';
import type { Federation } from '../state/federation.ts';
import { RawDocuments } from './raw-documents.ts';

/** What it works with. */
export interface ShardWatcherParts {
  readonly bus: Bus;
  readonly cluster: string;
  readonly federation: Federation;
  readonly warnings: Warnings;
  readonly log: Logger;
  readonly seed: readonly Uint8Array[];
  /** A cluster silent for this long is stale; the default is three heartbeats. */
  readonly staleAfterMs?: number | undefined;
  /** The federation's state changed. */
  readonly onChange: () => void;
  /** What the stream held was delivered. */
  readonly onListed: () => void;
  /** A peer's state (KNOWN, STALE, UNKNOWN) or its completeness changed. */
  readonly onPeer: () => void;
}

interface Peer {
  heardAt: number;
  stale: boolean;
  consistent: boolean;
  /** Of the newest digest that agreed with what is held. */
  moment: Moment | undefined;
}

const shardBody = Compile(PublishedShard);
const factsBody = Compile(ClusterFacts);
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** A shard beyond this is a fault of its owner, not a service (Cloudflare, 2025-11-18: a budget is checked by the consumer too). */
const MAX_ENDPOINTS = 20_000;

/** Watches `hawser.fleet.>`; the roster must be known before it starts. */
export class ShardWatcher {
  readonly #parts: ShardWatcherParts;
  readonly #raw = new Map<string, RawDocuments>();
  readonly #verifiers = new Map<string, Verifier>();
  readonly #peers = new Map<string, Peer>();
  readonly #watcher: DocumentWatcher;
  #seeding = true;

  constructor(parts: ShardWatcherParts) {
    this.#parts = parts;
    const { bus, log, seed, cluster, staleAfterMs } = parts;
    this.#watcher = watchDocuments({
      ...{ bus, log, seed, stream: FLEET_STREAM, prefix: FLEET_PREFIX, filter: `${FLEET_PREFIX}.>`, owner: 'from' },
      ...(staleAfterMs === undefined ? {} : { staleAfterMs }),
      verifierOf: (from, epoch) => this.#verifierOf(from, epoch),
      accept: (document) => document.to === '*',
      onDocument: (document, raw) => document.from !== cluster && this.#document(document, raw),
      onDigest: (owner, heard) => this.#digest(owner, heard),
      onAbsent: (owner, keys) => this.#absent(owner, keys),
      onRefused: (reason, subject) => reason !== 'unknown-signer' && parts.warnings.event(subject, `a document was refused: ${reason}`),
      onListed: () => parts.onListed(),
      onStale: (owner) => this.#stale(owner),
    });
    this.#seeding = false;
  }

  /** The roster changed: members that were unknown are believed now. */
  relist(): void {
    this.#verifiers.clear();
    for (const name of [...this.#raw.keys()]) if (this.#parts.federation.member(name) === undefined) this.#forget(name);
    this.#watcher.relist();
  }

  /** Sealed messages for the last good state, base64. */
  encoded(): string[] {
    return [...this.#raw.values()].flatMap((raw) => raw.encoded());
  }

  /** Every other member, sorted by name. */
  peers(): PeerStatus[] {
    return this.#parts.federation.peers().map(({ name }) => {
      const peer = this.#peers.get(name);
      const endpoints = this.#parts.federation.endpointsOf(name);
      const lastHeardAt = peer === undefined || peer.heardAt === 0 ? '' : new Date(peer.heardAt).toISOString();
      return { cluster: name, state: stateOf(peer, this.#raw.has(name)), lastHeardAt, endpoints };
    });
  }

  /** By cluster, the newest (epoch, revision) of which everything was held here. */
  moments(): Map<string, Moment> {
    return new Map([...this.#peers].flatMap(([name, { moment }]) => (moment === undefined ? [] : [[name, moment] as const])));
  }

  /** Whether everything that each member has published is held here. */
  get complete(): boolean {
    return this.#parts.federation.peers().every(({ name }) => this.#peers.get(name)?.consistent === true);
  }

  stop(): void {
    this.#watcher.stop();
  }

  #verifierOf(from: string, epoch: number): Verifier | undefined {
    const member = this.#parts.federation.member(from);
    if (member === undefined || member.epoch !== epoch) return undefined;
    const known = this.#verifiers.get(member.signingKey) ?? verifierOf(member.signingKey);
    this.#verifiers.set(member.signingKey, known);
    return known;
  }

  #document(document: Document, raw: readonly Uint8Array[]): void {
    const { from, key, body } = document;
    const problem = key === FACTS_KEY ? this.#takeFacts(from, body) : this.#takeShard(from, key, body);
    this.#parts.warnings.standing(`${from} ${key}`, problem === undefined ? [] : [problem]);
    if (problem !== undefined) return;
    const own = this.#raw.get(from) ?? new RawDocuments();
    this.#raw.set(from, own);
    own.put(key, raw, body === null);
    if (!this.#seeding) this.#parts.onChange();
  }

  #takeFacts(from: string, body: unknown): string | undefined {
    if (body === null || !factsBody.Check(body)) return 'its facts have not the shape of such; the last good ones are kept';
    const { federation, warnings } = this.#parts;
    const { authorities, problems } = checkBundle(federation.member(from)?.trustDomain ?? '', body.trustBundle, Date.now());
    warnings.standing(`${from} bundle`, problems);
    if (authorities.length === 0 && body.trustBundle.length > 0) return `${problems[0]}; nothing is left, and the last good bundle is kept`;
    const conflict = federation.setFacts(from, { ...body, trustBundle: authorities.map(({ pem }) => pem) });
    return conflict === undefined ? undefined : `${conflict}; its last good facts are kept`;
  }

  #takeShard(from: string, key: string, body: unknown): string | undefined {
    const [, namespace = '', service = ''] = /^shard\.([^.]+)\.([^.]+)$/.exec(key) ?? [];
    if (!DNS_LABEL.test(namespace) || !DNS_LABEL.test(service)) return undefined;
    const service_ = serviceKey({ namespace, service });
    if (body === null) this.#parts.federation.setShard(from, service_, undefined);
    else {
      if (!shardBody.Check(body)) return 'it has not the shape of an endpoint shard; the last good one is kept';
      const problem = shardProblem(body, from, key);
      if (problem !== undefined) return `${problem}; the last good one is kept`;
      this.#parts.federation.setShard(from, service_, receivedShard(body));
    }
    return undefined;
  }

  #digest(owner: string, heard: HeardDigest): void {
    if (owner === this.#parts.cluster) return;
    const before = this.#peers.get(owner);
    const moment = heard.consistent ? { epoch: heard.epoch, revision: heard.revision } : before?.moment;
    this.#peers.set(owner, { heardAt: heard.heardAt, stale: false, consistent: heard.consistent, moment });
    if (before === undefined || before.stale || before.consistent !== heard.consistent) this.#parts.onPeer();
  }

  /** Silence is not death: endpoints stay, and are called stale. */
  #stale(owner: string): void {
    const peer = this.#peers.get(owner);
    if (peer === undefined) return;
    peer.stale = true;
    this.#parts.onPeer();
  }

  /** The owner's signed digest proves these gone: its word, as a tombstone is. */
  #absent(owner: string, keys: readonly string[]): void {
    if (owner === this.#parts.cluster) return;
    for (const key of keys) {
      if (key === FACTS_KEY) continue;
      this.#takeShard(owner, key, null);
      this.#raw.get(owner)?.forget(key);
      this.#parts.warnings.standing(`${owner} ${key}`, []);
    }
    this.#parts.onChange();
  }

  #forget(name: string): void {
    this.#raw.delete(name);
    this.#peers.delete(name);
  }
}

function stateOf(peer: Peer | undefined, saved: boolean): PeerStatus['state'] {
  if (peer === undefined) return saved ? 'STALE' : 'UNKNOWN';
  return peer.stale ? 'STALE' : 'KNOWN';
}

/** What a schema cannot say. */
function shardProblem(shard: PublishedShard, from: string, key: string): string | undefined {
  if (shard.cluster !== from || shardKey(shard.namespace, shard.service) !== key) return 'it is of another cluster or service than its key';
  if (!shard.exported) return 'it is not exported';
  const { endpoints } = receivedShard(shard);
  if (endpoints.length > MAX_ENDPOINTS) return `it has more than ${MAX_ENDPOINTS} endpoints`;
  const bad = endpoints.find((endpoint) => isIP(endpoint.address) === 0);
  return bad === undefined ? undefined : `${JSON.stringify(bad.address.slice(0, 60))} is not an IP address`;
}
