/** Hears what agents say of their proxies and of each revision; believes only what the cluster's own key signed. */
import type { Bus } from '@hawser/bus/bus.ts';
import { PartCollector } from '@hawser/bus/document-parts.ts';
import type { RosterMember } from '@hawser/model/fleet.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { type Document, open, type Refusal } from '@hawser/wire/envelope.ts';
import { AgentStatus, RolloutStatus } from '@hawser/wire/messages.ts';
import { type Verifier, verifierOf } from '@hawser/wire/signing.ts';
import { Compile } from 'typebox/compile';
import type { AgentAccounts, Speaker } from './agent-accounts.ts';
import type { FleetState } from './fleet-state.ts';

/** What the collector works with. */
export interface StatusCollectorParts {
  readonly fleet: FleetState;
  readonly accounts: AgentAccounts;
  readonly log: Logger;
  /** Counts what was refused. */
  readonly onRefused?: (reason: StatusRefusal) => void;
  readonly now?: () => number;
}

/** Why a message was not believed: as for documents, or not newer than the last, or not of its shape. */
export type StatusRefusal = Refusal | 'stale' | 'body';

/** Agents of one release back name no replica. */
const SUBJECT = /^hawser\.status\.([^.]+)\.(proxies|rollout)(?:\.([0-9a-f]{12}))?$/;
/** Replicas whose folders were lost leave their names behind. */
const MAX_SEEN = 20_000;
const KEYS: Readonly<Record<string, string>> = { proxies: 'status', rollout: 'rollout' };
const agentStatus = Compile(AgentStatus);
const rolloutStatus = Compile(RolloutStatus);

/** Subscribes; the subscription survives reconnects. Returns how to stop. */
export function collectStatus(bus: Bus, parts: StatusCollectorParts): () => void {
  const collector = new StatusCollector(parts);
  const subscription = bus.subscribe('hawser.status.>', (message) => collector.receive(message.subject, message.bytes));
  return () => subscription.stop();
}

/** The verification of status messages, apart from the connection they came by. */
export class StatusCollector {
  readonly #parts: StatusCollectorParts;
  readonly #now: () => number;
  readonly #seen = new Map<string, Seen>();
  readonly #verifiers = new Map<string, Verifier>();

  constructor(parts: StatusCollectorParts) {
    this.#parts = parts;
    this.#now = parts.now ?? Date.now;
  }

  /** Takes one message; answers why it was refused, or undefined. */
  receive(subject: string, bytes: Uint8Array): StatusRefusal | undefined {
    const refusal = this.#take(subject, bytes);
    if (refusal !== undefined) {
      this.#parts.onRefused?.(refusal);
      this.#parts.log.debug({ subject, refusal }, 'refused a status message');
    }
    return refusal;
  }

  #take(subject: string, bytes: Uint8Array): StatusRefusal | undefined {
    const [, cluster = '', topic = '', replica = ''] = SUBJECT.exec(subject) ?? [];
    const member = this.#parts.fleet.cluster(cluster)?.member;
    if (member === undefined) return 'unknown-signer';
    const document = open(bytes, (from, epoch) => (from === member.name && epoch === member.epoch ? this.#verifier(member) : undefined));
    if (typeof document === 'string') return document;
    if ((document.to !== 'hub' && document.to !== '*') || document.key !== KEYS[topic]) return 'wrong-address';
    const seen = this.#seenOf(`${cluster}/${topic}/${replica}`);
    if (document.epoch < seen.epoch || (document.epoch === seen.epoch && document.revision < seen.revision)) return 'stale';
    const whole = document.parts === 1 ? document : assembled(seen, document, bytes);
    if (whole === 'malformed') return 'malformed';
    if (whole === undefined) return undefined;
    seen.epoch = whole.epoch;
    seen.revision = whole.revision;
    return this.#apply({ cluster, replica }, topic, whole.body);
  }

  #apply(speaker: Speaker, topic: string, body: unknown): StatusRefusal | undefined {
    const { accounts, fleet } = this.#parts;
    const at = this.#now();
    if (topic === 'proxies' && agentStatus.Check(body)) accounts.putStatus(speaker, body, at);
    else if (topic === 'rollout' && rolloutStatus.Check(body)) accounts.putRollout(speaker, body, at);
    else return 'body';
    fleet.heard(speaker.cluster, at);
    return undefined;
  }

  #seenOf(key: string): Seen {
    if (this.#seen.size > MAX_SEEN) this.#seen.clear();
    const seen = this.#seen.get(key) ?? { epoch: 0, revision: -1, parts: new PartCollector() };
    this.#seen.set(key, seen);
    return seen;
  }

  #verifier(member: RosterMember): Verifier {
    const known = this.#verifiers.get(member.signingKey);
    if (known !== undefined) return known;
    if (this.#verifiers.size > 10_000) this.#verifiers.clear();
    const verifier = verifierOf(member.signingKey);
    this.#verifiers.set(member.signingKey, verifier);
    return verifier;
  }
}

interface Seen {
  epoch: number;
  revision: number;
  readonly parts: PartCollector;
}

function assembled(seen: Seen, document: Document, bytes: Uint8Array): Document | 'malformed' | undefined {
  const whole = seen.parts.add(document, bytes);
  return whole === undefined || whole === 'malformed' ? whole : whole.document;
}
