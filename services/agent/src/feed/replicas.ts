/** The agents of one cluster among themselves: each one's signs of life, and what the others must know of its proxies. */
import type { Bus } from '@hawser/bus/bus.ts';
import type { LocalDrain } from '@hawser/model/fleet.ts';
import { open, PROTOCOL, seal } from '@hawser/wire/envelope.ts';
import { ReplicaBeat } from '@hawser/wire/messages.ts';
import { verifierOf } from '@hawser/wire/signing.ts';
import { replicaSubject } from '@hawser/wire/subjects.ts';
import { Compile } from 'typebox/compile';
import type { Member } from './membership.ts';

/** What it works with. */
export interface ReplicasParts {
  readonly bus: Bus;
  readonly member: Member;
  /** This replica's own name. */
  readonly replica: string;
  /** Its own account, made when it is sent. */
  current(): {
    readonly term: number;
    readonly sidecars: readonly string[];
    readonly draining: readonly string[];
    readonly localDrain?: LocalDrain | undefined;
  };
  /** Revisions of messages, rising over restarts. */
  nextRevision(): number;
  /** Another replica spoke. */
  onBeat(beat: ReplicaBeat): void;
  /** Another replica has been silent for too long to count. */
  onSilent(replica: string): void;
  readonly periodMs?: number;
}

interface Other {
  revision: number;
  heardAt: number;
}

const PERIOD_MS = 500;
const SOON_MS = 10;
/** A replica is gone when nothing was heard of it for this long: then what it said of its proxies is void. */
const GONE_MS = 30_000;
const MAX_REPLICAS = 64;
/** So that a beat is one message; an agent has far fewer proxies. */
const MAX_ADDRESSES = 5_000;
const beatBody = Compile(ReplicaBeat);
const KEY = 'beat';

/** Speaks and listens until stopped. */
export class Replicas {
  readonly #parts: ReplicasParts;
  readonly #others = new Map<string, Other>();
  readonly #timer: NodeJS.Timeout;
  readonly #stopListening: () => void;
  #soon: NodeJS.Timeout | undefined;
  #stopped = false;
  /** What was said last: NATS brings it back, and it need not be checked. */
  #ownBeat: Buffer | undefined;

  constructor(parts: ReplicasParts) {
    this.#parts = parts;
    const { bus, member } = parts;
    const subscription = bus.subscribe(replicaSubject(member.membership.cluster), ({ bytes }) => this.#hear(bytes));
    this.#stopListening = () => subscription.stop();
    this.#timer = setInterval(() => this.#tick(), parts.periodMs ?? PERIOD_MS);
  }

  /** Whether another agent of the cluster was heard of lately. */
  get hasOthers(): boolean {
    return this.#others.size > 0;
  }

  /** Speaks soon: what the others should know has changed. Many changes are one beat. */
  speak(): void {
    // Streams that end with the agent have nothing more to say: the connection is about to go.
    if (this.#stopped) return;
    this.#soon ??= setTimeout(() => this.#beat(), SOON_MS);
  }

  #beat(): void {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    const { bus, member, replica, current, nextRevision } = this.#parts;
    if (!bus.connected) return;
    const { cluster, epoch } = member.membership;
    const revision = nextRevision();
    const { term, sidecars, draining, localDrain } = current();
    const body = {
      replica,
      revision,
      term,
      sidecars: sidecars.slice(0, MAX_ADDRESSES),
      draining: draining.slice(0, MAX_ADDRESSES),
      ...(localDrain === undefined ? {} : { localDrain }),
    };
    const message = { protocol: PROTOCOL, from: cluster, to: cluster, key: KEY, epoch, revision, part: 0, parts: 1, body };
    this.#ownBeat = Buffer.from(seal(message, member.signer));
    bus.publish(replicaSubject(cluster), this.#ownBeat);
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    this.#stopListening();
  }

  #tick(): void {
    const now = performance.now();
    for (const [replica, other] of this.#others) {
      if (now - other.heardAt < GONE_MS) continue;
      this.#others.delete(replica);
      this.#parts.onSilent(replica);
    }
    this.#beat();
  }

  #hear(bytes: Uint8Array): void {
    if (this.#ownBeat?.equals(bytes) === true) return;
    const { member, replica, onBeat } = this.#parts;
    const { cluster, epoch } = member.membership;
    const document = open(bytes, (from) => (from === cluster ? verifierOf(member.signer.publicKey) : undefined));
    if (typeof document === 'string' || document.key !== KEY || document.to !== cluster || document.epoch !== epoch) return;
    if (!beatBody.Check(document.body) || document.body.replica === replica) return;
    const beat = document.body;
    const other = this.#others.get(beat.replica);
    if (other === undefined && this.#others.size >= MAX_REPLICAS) return;
    if (other !== undefined && document.revision <= other.revision) return;
    this.#others.set(beat.replica, { revision: document.revision, heardAt: performance.now() });
    onBeat(beat);
  }
}
