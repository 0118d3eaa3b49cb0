/**
 * An owner's fence on a stream: the message on `PREFIX.OWNER` itself, which no receiver's filter takes in. Who stored it last may
 * write below it: every publish names the fence's sequence, and the stream refuses it when another claim came since.
 */
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Bus } from './bus.ts';
import { publishStored } from './jetstream.ts';

/** Whose fence, and who may claim it. */
export interface FenceOptions {
  readonly bus: Bus;
  /** `PREFIX.OWNER`, such as `hawser.config.us-east`. */
  readonly prefix: string;
  /** Whether this process still speaks for the owner; without it, it always does. */
  readonly mayPublish: (() => Promise<boolean>) | undefined;
  readonly log: Logger;
}

const NONE: Readonly<Record<string, string>> = {};

/** A claim is good for writing only when `confirm` was called after what it covers was read. */
export class StreamFence {
  readonly #options: FenceOptions;
  #headers = NONE;
  #isOpen = false;

  constructor(options: FenceOptions) {
    this.#options = options;
  }

  /** What every publish below the prefix carries since the last claim. */
  get headers(): Readonly<Record<string, string>> {
    return this.#headers;
  }

  /** Shuts out whoever wrote before, late messages of this very process included. Throws `not-entitled`, or as `publishStored`. */
  async claim(): Promise<void> {
    await this.confirm();
    const { bus, prefix, log } = this.#options;
    try {
      const { sequence } = await publishStored(bus, prefix, new Uint8Array());
      this.#headers = {
        'Nats-Expected-Last-Subject-Sequence': String(sequence),
        'Nats-Expected-Last-Subject-Sequence-Subject': prefix,
      };
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'bus-refused') throw error;
      // Credentials of the release before do not name the fence; they write as that release did until they are renewed.
      if (!this.#isOpen)
        log.warn({ prefix, error: messageOf(error) }, 'the fence cannot be claimed with these credentials: writing without');
      this.#isOpen = true;
      this.#headers = NONE;
    }
  }

  /**
   * Throws `not-entitled` when another speaks for the owner now. Asked after the claim: a successor appointed before is known
   * here, and one appointed later claims later, which ends this claim.
   */
  async confirm(): Promise<void> {
    const { mayPublish, prefix } = this.#options;
    if (mayPublish !== undefined && !(await mayPublish()))
      throw new AppError('not-entitled', `${prefix}: another process publishes this now`);
  }
}
