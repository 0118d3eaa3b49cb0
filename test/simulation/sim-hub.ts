/** A hub's distribution, made of the product's own parts: outbox loop, placement, publishers, streams. */
import { keepStreams } from '@hawser/bus/streams.ts';
import { startDistribution } from '@hawser/hub/distribute/start-distribution.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Signer } from '@hawser/wire/signing.ts';
import type { CommittedLog } from './committed-log.ts';
import type { SimNats } from './sim-nats.ts';
import type { Actor, VirtualTime } from './virtual-time.ts';

/** What every life of a hub needs. */
export interface HubParts {
  readonly time: VirtualTime;
  readonly nats: SimNats;
  readonly log: CommittedLog;
  readonly signer: Signer;
  readonly logger: Logger;
}

/** One hub process; `start` begins a life of it. */
export class SimHub {
  readonly actor: Actor;
  readonly #parts: HubParts;
  #alive = false;

  constructor(name: string, parts: HubParts) {
    this.actor = { name, life: 0, paused: false };
    this.#parts = parts;
  }

  get alive(): boolean {
    return this.#alive;
  }

  start(): void {
    this.#alive = true;
    this.#parts.time.as(this.actor, () => this.#compose());
  }

  crash(): void {
    this.#alive = false;
    this.#parts.time.crash(this.actor);
    this.#parts.nats.drop(this.actor);
  }

  #compose(): void {
    const { nats, log, signer, logger } = this.#parts;
    const bus = nats.connect(this.actor);
    const { signal } = new AbortController();
    void keepStreams(bus, logger, { signal });
    startDistribution({
      ...{ bus, signer, log: logger, readModel: log, listenOutbox: log.listen, leaderStore: (holder) => log.leaderStore(holder) },
      group: { signal, onStop: () => undefined },
      onDesired: () => undefined,
      onPublished: () => undefined,
      onPut: () => undefined,
    });
  }
}
