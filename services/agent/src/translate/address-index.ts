/** What services say of addresses: the index from a sidecar to what concerns its workload. */

/** What one service says, by address. */
type Said<Value> = ReadonlyMap<string, Value>;

/** What services say of one address, in the order of their keys: of most addresses it is one. */
export type SaidOf<Value> = readonly (readonly [service: string, value: Value])[];

/** What is said of addresses, by service. Changes are staged first, so that a refused update leaves no trace. */
export class AddressIndex<Value> {
  readonly #byAddress = new Map<string, SaidOf<Value>>();

  /** The addresses of which something else is said when a service moves from `before` to `after`, with all that is said then. */
  stage(service: string, change: { before: Said<Value>; after: Said<Value> }, staged: Map<string, SaidOf<Value>>): void {
    if (change.before === change.after) return;
    const isEqual = comparison<Value>();
    for (const address of new Set([...change.before.keys(), ...change.after.keys()])) {
      const [was, is] = [change.before.get(address), change.after.get(address)];
      if (isEqual(was, is)) continue;
      const others = (staged.get(address) ?? this.#byAddress.get(address) ?? []).filter(([other]) => other !== service);
      const said: SaidOf<Value> = is === undefined ? others : [...others, [service, is]];
      staged.set(address, said.length < 2 ? said : said.toSorted(([a], [b]) => (a < b ? -1 : 1)));
    }
  }

  commit(staged: ReadonlyMap<string, SaidOf<Value>>): void {
    for (const [address, services] of staged) {
      if (services.length === 0) this.#byAddress.delete(address);
      else this.#byAddress.set(address, services);
    }
  }

  /** What is said of an address, staged changes included, in the order of the services' keys. */
  at(address: string, staged: ReadonlyMap<string, SaidOf<Value>> = new Map()): Value[] {
    return (staged.get(address) ?? this.#byAddress.get(address) ?? []).map(([, value]) => value);
  }
}

/** Whether two values say the same. Most addresses of a service share theirs: what was just compared is not compared again. */
function comparison<Value>(): (was: Value | undefined, is: Value | undefined) => boolean {
  let last: { readonly was: Value | undefined; readonly is: Value | undefined; readonly isEqual: boolean } | undefined;
  return (was, is) => {
    if (was === is) return true;
    if (last === undefined || last.was !== was || last.is !== is) last = { was, is, isEqual: JSON.stringify(was) === JSON.stringify(is) };
    return last.isEqual;
  };
}
