/** Opens what members say on core NATS: believes only what the cluster's own key signed, for the hub, and newer than before. */
import { PartCollector } from '@hawser/bus/document-parts.ts';
import type { RosterMember } from '@hawser/model/fleet.ts';
import { type Document, open, type Refusal } from '@hawser/wire/envelope.ts';
import { type Verifier, verifierOf } from '@hawser/wire/signing.ts';
import type { FleetState } from './fleet-state.ts';

/** Why a message was not believed: as for documents, or not newer than the last. */
export type MessageRefusal = Refusal | 'stale';

/** Which message is expected on a subject. */
export interface Expected {
  /** Who must have signed it. */
  readonly cluster: string;
  /** Messages of one stream follow each other. */
  readonly stream: string;
  readonly key: string;
}

/** Replicas whose folders were lost leave their names behind. */
const MAX_SEEN = 20_000;

/** What was heard of each stream. */
export class MemberMessages {
  readonly #fleet: FleetState;
  readonly #seen = new Map<string, Seen>();
  readonly #verifiers = new Map<string, Verifier>();

  constructor(fleet: FleetState) {
    this.#fleet = fleet;
  }

  /** The whole message once its last part is here, or why it is refused. */
  open({ cluster, stream, key }: Expected, bytes: Uint8Array): Document | MessageRefusal | undefined {
    const member = this.#fleet.cluster(cluster)?.member;
    if (member === undefined) return 'unknown-signer';
    const document = open(bytes, (from, epoch) => (from === member.name && epoch === member.epoch ? this.#verifier(member) : undefined));
    if (typeof document === 'string') return document;
    if ((document.to !== 'hub' && document.to !== '*') || document.key !== key) return 'wrong-address';
    const seen = this.#seenOf(`${cluster}/${stream}`);
    if (document.epoch < seen.epoch || (document.epoch === seen.epoch && document.revision < seen.revision)) return 'stale';
    const whole = document.parts === 1 ? document : assembled(seen, document, bytes);
    if (whole === undefined || whole === 'malformed') return whole;
    seen.epoch = whole.epoch;
    seen.revision = whole.revision;
    return whole;
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
