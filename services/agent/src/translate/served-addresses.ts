/** Which services live at an address: the index from a sidecar to what calls it. */
import type { ServedPort } from './inbound.ts';

type Served = ReadonlyMap<string, readonly ServedPort[]>;

/** Services by address. Changes are staged first, so that a refused update leaves no trace. */
export class ServedAddresses {
  readonly #byAddress = new Map<string, ReadonlyMap<string, readonly ServedPort[]>>();

  /** The addresses whose services differ when a service moves from `before` to `after`, with all their services then. */
  stage(service: string, change: { before: Served; after: Served }, staged: Map<string, Served>): void {
    if (change.before === change.after) return;
    for (const address of new Set([...change.before.keys(), ...change.after.keys()])) {
      const [was, is] = [change.before.get(address), change.after.get(address)];
      if (JSON.stringify(was) === JSON.stringify(is)) continue;
      const services = new Map(staged.get(address) ?? this.#byAddress.get(address) ?? []);
      if (is === undefined) services.delete(service);
      else services.set(service, is);
      staged.set(address, services);
    }
  }

  commit(staged: ReadonlyMap<string, Served>): void {
    for (const [address, services] of staged) {
      if (services.size === 0) this.#byAddress.delete(address);
      else this.#byAddress.set(address, services);
    }
  }

  /** What the workload at an address serves, staged changes included. */
  at(address: string, staged: ReadonlyMap<string, Served> = new Map()): ServedPort[] {
    return [...(staged.get(address) ?? this.#byAddress.get(address) ?? new Map<string, readonly ServedPort[]>()).values()].flat();
  }
}
