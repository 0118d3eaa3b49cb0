/** What services say of addresses: the index from a sidecar to what concerns its workload. */

/** What one service says, by address. */
type Said<Value> = ReadonlyMap<string, Value>;

/** What is said of addresses, by service. Changes are staged first, so that a refused update leaves no trace. */
export class AddressIndex<Value> {
  readonly #byAddress = new Map<string, Said<Value>>();

  /** The addresses of which something else is said when a service moves from `before` to `after`, with all that is said then. */
  stage(service: string, change: { before: Said<Value>; after: Said<Value> }, staged: Map<string, Said<Value>>): void {
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

  commit(staged: ReadonlyMap<string, Said<Value>>): void {
    for (const [address, services] of staged) {
      if (services.size === 0) this.#byAddress.delete(address);
      else this.#byAddress.set(address, services);
    }
  }

  /** What is said of an address, staged changes included, in the order of the services' keys. */
  at(address: string, staged: ReadonlyMap<string, Said<Value>> = new Map()): Value[] {
    const said = [...(staged.get(address) ?? this.#byAddress.get(address) ?? new Map<string, Value>())];
    return said.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
  }
}
