/** A stream's hold on its proxy's certificate, taken when the proxy first asks for secrets: 200 proxies that connect at once need no 200 keys. */
import type { XdsResource } from '../snapshot/resource.ts';
import type { HeldIdentity } from './identity-source.ts';

/** One stream's certificate. */
export class IdentityLease {
  readonly #hold: () => Promise<HeldIdentity>;
  #acquiring: Promise<void> | undefined;
  #held: HeldIdentity | undefined;
  #released = false;
  #acknowledged: string | undefined;

  constructor(hold: () => Promise<HeldIdentity>) {
    this.#hold = hold;
  }

  /** The SDS resource `identity`; undefined while it was not asked for. */
  get current(): XdsResource | undefined {
    return this.#held?.current;
  }

  /** Resolves when there is a certificate; rejects when none can be issued. */
  acquire(): Promise<void> {
    this.#acquiring ??= this.#acquire();
    return this.#acquiring;
  }

  /** The proxy acknowledged secrets, and uses the certificate of this version; undefined when it uses none of ours. */
  acknowledged(version: string | undefined): void {
    if (version === undefined || version === this.#acknowledged) return;
    this.#acknowledged = version;
    this.#held?.acknowledged(version);
  }

  /** The stream ended. */
  release(): void {
    this.#released = true;
    this.#held?.release();
  }

  async #acquire(): Promise<void> {
    const held = await this.#hold();
    if (this.#released) held.release();
    else this.#held = held;
  }
}
