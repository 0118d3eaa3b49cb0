/** What an agent obeys and accounts for in matters of trust: the hub's orders to its authority, and the bundles that its proxies have. */
import type { Logger } from '@hawser/runtime/logger.ts';
import type { TrustAccount, TrustOrder } from '@hawser/wire/trust.ts';
import type { SnapshotStore } from '../snapshot/snapshot-store.ts';
import type { ProxyRef, World } from '../state/world.ts';
import type { AdsServer } from '../xds/ads-server.ts';
import type { ProxyStream } from '../xds/proxy-stream.ts';
import type { RotatingAuthority } from './rotation.ts';
import { ServedBundles } from './served-bundles.ts';
import { TrustOrders } from './trust-orders.ts';

/** What it works with. */
export interface TrustReportParts {
  readonly authority: RotatingAuthority;
  readonly store: SnapshotStore;
  /** Proxies of the last good state. */
  readonly saved: readonly ProxyRef[];
  readonly log: Logger;
  /** The account differs. */
  readonly onChange: () => void;
}

/** The account; it is told of proxies once their server is there. */
export class TrustReport {
  readonly #parts: TrustReportParts;
  readonly #orders: TrustOrders;
  #clusters: World['clusters'] | undefined;
  #bundles: ServedBundles<ProxyStream> | undefined;

  constructor(parts: TrustReportParts) {
    this.#parts = parts;
    this.#orders = new TrustOrders(parts);
  }

  /** The server at which proxies answer. */
  follow({ streams }: Pick<AdsServer, 'streams'>): void {
    const { store, saved } = this.#parts;
    const names = saved.flatMap(({ name }) => (name === undefined ? [] : [name]));
    this.#bundles = new ServedBundles({ streams, generation: () => store.generation, saved: names });
    if (this.#clusters !== undefined) this.#bundles.served(this.#clusters);
  }

  /** What was compiled of these clusters is served. */
  served(clusters: World['clusters']): void {
    if (clusters === this.#clusters) return;
    this.#clusters = clusters;
    this.#bundles?.served(clusters);
    this.#parts.onChange();
  }

  /** The hub's word on the rotation of the own authority; undefined when it has none. */
  take(order: TrustOrder | undefined): void {
    this.#orders.take(order);
  }

  /** For the agent's status. */
  account(): TrustAccount {
    return { ...this.#orders.account(), bundles: this.#bundles?.account() ?? [] };
  }

  async stop(): Promise<void> {
    this.#bundles?.stop();
    await this.#orders.stop();
  }
}
