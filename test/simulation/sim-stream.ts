/** A JetStream stream of state in memory, and a push consumer's place in it. */
import type { SimBus } from './sim-nats.ts';

/** A stored message. */
export interface Stored {
  readonly subject: string;
  readonly sequence: number;
  readonly storedAt: number;
  bytes: Uint8Array;
}

/** The reply subject that tells a push consumer where a message is (ADR-15). */
export type Place = string;

/** Keeps the last message of every subject. */
export class SimStream {
  readonly name: string;
  readonly created: string;
  lastSequence = 0;
  readonly last = new Map<string, Stored>();
  readonly #subjects: readonly string[];

  constructor(name: string, subjects: readonly string[], created: string) {
    this.name = name;
    this.#subjects = subjects;
    this.created = created;
  }

  takes(subject: string): boolean {
    return this.#subjects.some((filter) => matches(filter, subject));
  }

  sequenceOf(subject: string): number {
    return this.last.get(subject)?.sequence ?? 0;
  }

  store(subject: string, bytes: Uint8Array, now: number): Stored {
    this.lastSequence += 1;
    const stored = { subject, sequence: this.lastSequence, storedAt: now, bytes };
    this.last.set(subject, stored);
    return stored;
  }
}

/** What a consumer was asked to deliver. */
export class SimConsumer {
  readonly stream: SimStream;
  readonly bus: SimBus;
  readonly inbox: string;
  readonly heartbeatMs: number;
  delivered = 0;
  readonly #filter: string;
  readonly #from: number;

  constructor(stream: SimStream, bus: SimBus, config: Readonly<Record<string, unknown>>) {
    this.stream = stream;
    this.bus = bus;
    this.inbox = String(config['deliver_subject']);
    this.heartbeatMs = Number(config['idle_heartbeat']) / 1e6;
    this.#filter = String(config['filter_subject']);
    this.#from = config['deliver_policy'] === 'by_start_sequence' ? Number(config['opt_start_seq']) : 0;
  }

  /** What the stream holds for it now, in order. */
  backlog(): Stored[] {
    const wanted = [...this.stream.last.values()].filter(
      ({ subject, sequence }) => sequence >= this.#from && matches(this.#filter, subject),
    );
    return wanted.sort((a, b) => a.sequence - b.sequence);
  }

  wants(stream: SimStream, stored: Stored): boolean {
    return stream === this.stream && matches(this.#filter, stored.subject);
  }

  place(stored: Stored, pending: number): Place {
    this.delivered += 1;
    return `$JS.ACK.${this.stream.name}.c.1.${stored.sequence}.${this.delivered}.${stored.storedAt}000000.${pending}`;
  }
}

const patterns = new Map<string, RegExp>();

/** Whether a subject is of a filter with NATS wildcards. */
export function matches(filter: string, subject: string): boolean {
  if (filter === subject) return true;
  if (!/[*>]/.test(filter)) return false;
  const known = patterns.get(filter) ?? new RegExp(`^${filter.replaceAll(/[.$]/g, '\\$&').replaceAll('*', '[^.]+').replace(/>$/, '.+')}$`);
  patterns.set(filter, known);
  return known.test(subject);
}
