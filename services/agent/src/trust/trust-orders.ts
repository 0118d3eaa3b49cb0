/** Obeys the hub's orders about the rotation of the own authority, one after the other, and accounts for it. */
import { messageOf } from '@hawser/runtime/app-error.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { TrustAccount, TrustOrder } from '@hawser/wire/trust.ts';
import type { AuthorityAccount, RotatingAuthority } from './rotation.ts';

/** What it works with. */
export interface TrustOrdersParts {
  readonly authority: Pick<RotatingAuthority, 'apply' | 'account'>;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  /** The account differs. */
  readonly onChange: () => void;
  /** How long after a refusal the order is tried again. */
  readonly retryMs?: number;
}

const RETRY_MS = 2_000;

/** The newest order counts: one that is replaced before its turn is passed over, since each step does what is missing before it or says what is. */
export class TrustOrders {
  readonly #parts: TrustOrdersParts;
  #wanted: TrustOrder | undefined;
  #taken: TrustAccount['order'];
  #isBusy = false;
  #running: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(parts: TrustOrdersParts) {
    this.#parts = parts;
  }

  /** The hub's word, as it is now; the same again changes nothing. Without one, what was refused is not tried again. */
  take(order: TrustOrder | undefined): void {
    if (order === undefined) {
      this.#wanted = undefined;
      clearTimeout(this.#retry);
      return;
    }
    const { rotation, phase, emergency } = order;
    if (this.#wanted?.rotation === rotation && this.#wanted.phase === phase && this.#wanted.emergency === emergency) return;
    this.#wanted = order;
    this.#begin();
  }

  /** For the agent's status. */
  account(): Pick<TrustAccount, 'generations' | 'identities' | 'order'> {
    const { generations, identities } = this.#parts.authority.account();
    const order = this.#taken;
    return { ...accounted({ generations, identities }), ...(order === undefined ? {} : { order }) };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    await this.#running;
  }

  #begin(): void {
    clearTimeout(this.#retry);
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    for (let done: TrustOrder | undefined; this.#wanted !== done && !this.#stopped; ) {
      done = this.#wanted;
      if (done !== undefined) await this.#apply(done);
    }
    this.#isBusy = false;
  }

  async #apply(order: TrustOrder): Promise<void> {
    const { authority, log, onChange, retryMs = RETRY_MS } = this.#parts;
    const { rotation, kind, phase, emergency } = order;
    try {
      await authority.apply({ rotation, kind, phase, emergency });
      this.#taken = { rotation, phase, emergency };
      log.info({ rotation, kind, phase, emergency }, 'a step of a rotation is done');
    } catch (error) {
      const refusal = messageOf(error);
      if (this.#taken?.refusal !== refusal) log.warn({ rotation, kind, phase, error: refusal }, 'a step of a rotation is refused');
      this.#taken = { rotation, phase, emergency, refusal };
      if (!this.#stopped && this.#wanted === order) this.#retry = setTimeout(() => this.#begin(), retryMs).unref();
    }
    onChange();
  }
}

function accounted({ generations, identities }: AuthorityAccount): Pick<TrustAccount, 'generations' | 'identities'> {
  return { generations: generations.map((each) => ({ ...each })), identities: { ...identities, missing: [...identities.missing] } };
}
