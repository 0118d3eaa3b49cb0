/** Tells the hub what this agent serves and what its proxies answered: sealed messages on core NATS, whole every time. */
import type { Bus } from '@hawser/bus/bus.ts';
import { sealParts } from '@hawser/bus/document-parts.ts';
import { HUB } from '@hawser/wire/envelope.ts';
import type { AgentStatus, RolloutStatus } from '@hawser/wire/messages.ts';
import type { Signer } from '@hawser/wire/signing.ts';
import { rolloutSubject, statusSubject } from '@hawser/wire/subjects.ts';

/** What the reporter speaks for. */
export interface ReporterParts {
  readonly bus: Bus;
  readonly cluster: string;
  /** Which of the cluster's agents this is. */
  readonly replica: string;
  readonly epoch: number;
  readonly signer: Signer;
  /** Revisions of messages, rising over restarts. */
  nextRevision(): number;
  /** The whole account, made when it is sent. */
  status(): AgentStatus;
  readonly heartbeatMs?: number;
  /** Least time between two accounts; changes in between go with the next. */
  readonly spacingMs?: number;
}

const HEARTBEAT_MS = 5_000;
const SPACING_MS = 50;
/** An account is never made more often than this many times the time it takes: with many proxies it is no small work. */
const REST = 20;
const MOST_REST_MS = 1_000;
/** A costly account waits at least this long, so that proxies are told of a change before the hub is. */
const LATER_MS = 50;

/** Reports on change, at most every `spacingMs`, and as a heartbeat. Lost messages need no repetition: the next is whole too. */
export class StatusReporter {
  readonly #parts: ReporterParts;
  #sentAt = Number.NEGATIVE_INFINITY;
  #costMs = 0;
  #changePending = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #stopWatching: () => void;
  #stopped = false;

  constructor(parts: ReporterParts) {
    this.#parts = parts;
    this.#stopWatching = parts.bus.onStatus((connected) => connected && this.changed());
    this.#schedule(0);
  }

  /** Something an operator could see is different: an account goes out soon, when the spacing allows. */
  changed(): void {
    if (this.#changePending) return;
    this.#changePending = true;
    const rest = Math.min(this.#costMs * REST, MOST_REST_MS);
    const spacing = Math.max(this.#parts.spacingMs ?? SPACING_MS, rest);
    this.#schedule(Math.max(Math.min(rest, LATER_MS), this.#sentAt + spacing - performance.now()));
  }

  /** Sends the account of one hub revision at once. */
  rollout(status: RolloutStatus): void {
    this.#send(rolloutSubject(this.#parts.cluster, this.#parts.replica), 'rollout', status);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#stopWatching();
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#report(), delayMs).unref();
  }

  #report(): void {
    this.#changePending = false;
    this.#sentAt = performance.now();
    this.#send(statusSubject(this.#parts.cluster, this.#parts.replica), 'status', this.#parts.status());
    this.#costMs = performance.now() - this.#sentAt;
    this.#schedule(this.#parts.heartbeatMs ?? HEARTBEAT_MS);
  }

  #send(subject: string, key: string, body: unknown): void {
    const { bus, cluster, epoch, signer } = this.#parts;
    if (!bus.connected) return;
    const head = { from: cluster, to: HUB, key, epoch, revision: this.#parts.nextRevision() };
    for (const message of sealParts(head, body, signer)) bus.publish(subject, message);
  }
}
