/** What one client made of what it was sent of one type: accepted, refused or not answered yet, name by name. Pure. */
import type { AskedNames } from './asked-names.ts';
import { UNKNOWN } from './client-versions.ts';
import type { DeltaRequest } from './delta-request.ts';
import type { LayerSet } from './layer-sets.ts';
import type { CollectorParts } from './response-collector.ts';
import type { InFlight } from './type-response.ts';

/** What became of one name since a generation. */
export type Outcome = 'acked' | 'pending' | { readonly nacked: string };

/** What is known of one type's client, shared with its subscription. */
export interface AnswerParts<Hold> extends Omit<CollectorParts<Hold>, 'type' | 'maxBytes'> {
  readonly asked: AskedNames;
}

/** Keeps the one response that is not answered yet, and takes in its answer. */
export class ClientAnswers<Hold> {
  readonly #parts: AnswerParts<Hold>;
  #inFlight: InFlight | undefined;
  #responses = 0;
  #settled = 0;

  constructor(parts: AnswerParts<Hold>) {
    this.#parts = parts;
  }

  get inFlight(): InFlight | undefined {
    return this.#inFlight;
  }

  /** Responses made so far, and how many of them the client answered. */
  get progress(): { readonly responses: number; readonly settled: number } {
    return { responses: this.#responses, settled: this.#settled };
  }

  /** A response goes out; the one before it was answered. */
  await(response: InFlight): void {
    this.#inFlight = response;
    this.#responses += 1;
  }

  /** Takes in whether a request answers the response in flight, and how; a stale nonce answers nothing. */
  take(request: DeltaRequest): 'ack' | 'nack' | undefined {
    const answered = this.#inFlight;
    if (answered === undefined || request.nonce !== answered.nonce) return undefined;
    this.#inFlight = undefined;
    this.#settled += 1;
    if (request.error === undefined) this.#accept(answered);
    else this.#refuse(answered, request.error);
    return request.error === undefined ? 'ack' : 'nack';
  }

  /** The client accepted a response that held everything, so also these, name → version, that it had refused before. */
  acceptRefused(versionOf: (name: string) => string | undefined): void {
    const { refusals, versions, view } = this.#parts;
    for (const name of [...refusals.names]) {
      const version = versionOf(name);
      if (version === undefined || version !== refusals.get(name)?.version) continue;
      versions.send(name, version);
      this.#acceptOne(name, version, view.generation);
    }
  }

  /** What the client made of a name that it is told of, as it was in `generation` or later. */
  outcome(name: string, generation: number): Outcome {
    const { ackedIn, refusals } = this.#parts;
    if ((ackedIn.get(name) ?? -1) >= generation) return 'acked';
    if (!this.#isSettled(name)) return 'pending';
    const refusal = refusals.get(name);
    if (refusal === undefined) return 'acked';
    return refusals.retries(name) ? 'pending' : { nacked: refusal.message };
  }

  /** A name is about to change: the client has it as it was in every generation before this one. */
  noteAcked(name: string): void {
    const { ackedIn, versions, refusals, view } = this.#parts;
    if (ackedIn.has(name) || !versions.has(name)) return;
    if (this.#isSettled(name) && refusals.get(name) === undefined) ackedIn.set(name, view.generation - 1);
  }

  /** The client does not want the name any more. */
  forget(name: string): void {
    const { versions, refusals, ackedIn, dirty, held } = this.#parts;
    if (this.#inFlight !== undefined) this.#inFlight.whole = undefined;
    versions.forget(name);
    for (const names of [ackedIn, dirty, held]) names.delete(name);
    refusals.forget(name);
  }

  #accept(answered: InFlight): void {
    const { asked, versions, refusals } = this.#parts;
    if (answered.whole !== undefined) this.#acceptWhole(answered.whole, answered.generation);
    const puts = answered.whole === undefined ? answered.puts : [];
    for (const { name, version } of puts) {
      if (!asked.covers(name)) continue;
      this.#remember(name, version);
      this.#acceptOne(name, version, answered.generation);
    }
    for (const name of answered.removed) {
      versions.accept(name, undefined);
      refusals.forget(name);
    }
  }

  #acceptWhole(set: LayerSet, generation: number): void {
    const { versions, dirty, ackedIn } = this.#parts;
    versions.acceptAll(set);
    for (const name of dirty.names()) if (set.versions.has(name)) ackedIn.set(name, generation);
  }

  /** A name that was dropped and asked for again while it was under way has reached the client after all. */
  #remember(name: string, version: string): void {
    const { versions, dirty } = this.#parts;
    if (versions.has(name)) return;
    versions.send(name, version);
    dirty.compare(name);
  }

  #acceptOne(name: string, version: string, generation: number): void {
    const { versions, refusals, ackedIn } = this.#parts;
    versions.accept(name, version);
    refusals.forget(name);
    if (this.#isSettled(name)) ackedIn.delete(name);
    else ackedIn.set(name, generation);
  }

  /** Nothing of the name is under way or waits. */
  #isSettled(name: string): boolean {
    const { dirty, held } = this.#parts;
    return this.#inFlight?.holds(name) !== true && !dirty.has(name) && !held.has(name);
  }

  #refuse(answered: InFlight, message: string): void {
    const { asked, versions, refusals, dirty } = this.#parts;
    const refused = answered.puts.filter(({ name }) => asked.covers(name));
    for (const { name } of refused) {
      this.#remember(name, UNKNOWN);
      versions.send(name, UNKNOWN);
    }
    refusals.add(
      refused.map(({ name, version }) => [name, version]),
      message,
    );
    if (answered.puts.length === 0) return;
    for (const name of answered.removed.filter((removed) => asked.covers(removed))) {
      versions.send(name, UNKNOWN);
      dirty.compare(name);
    }
  }
}
