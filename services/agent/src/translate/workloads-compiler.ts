/** What the own cluster's gateways speak for: which services an update touches, and what becomes of their workloads without a sidecar. */
import { serviceKey } from '@hawser/model/service-host.ts';
import type { AddressIndex } from './address-index.ts';
import type { Draft } from './draft.ts';
import type { ServedPort } from './listeners/inbound.ts';
import { type CompiledWorkloads, compiledWorkloads, sharedByWorkloads } from './listeners/workloads.ts';
import { placed } from './resource-ledger.ts';
import type { CommonState } from './scope/scope-view.ts';

/** What the own registry says of an address. */
type LabelsAt = (address: string, draft: Draft) => Readonly<Record<string, string>> | undefined;

/** Keeps what each service came to; changed by `commit` alone. */
export class WorkloadsCompiler {
  readonly #addresses: AddressIndex<readonly ServedPort[]>;
  readonly #labelsAt: LabelsAt;
  readonly #known = new Map<string, CompiledWorkloads>();

  constructor(addresses: AddressIndex<readonly ServedPort[]>, labelsAt: LabelsAt) {
    this.#addresses = addresses;
    this.#labelsAt = labelsAt;
  }

  /** Puts the units of touched services into the draft; `isAnew` touches all. */
  draft(draft: Draft, common: CommonState, isAnew: boolean): void {
    for (const key of isAnew ? new Set([...common.keys(), ...this.#known.keys()]) : this.#touched(draft)) {
      const bare = common.service(key)?.bare ?? [];
      if (bare.length === 0 && !this.#known.has(key)) continue;
      const compiled = bare.length === 0 ? undefined : this.#compiled(key, bare, { draft, common });
      draft.workloads.set(key, compiled);
      draft.units.set(`workloads:${key}`, placed('gateway', compiled?.own ?? []));
    }
    if (draft.workloads.size === 0) return;
    const after = new Map<string, CompiledWorkloads | undefined>([...this.#known, ...draft.workloads]);
    const all = [...after.keys()].sort().flatMap((key) => after.get(key) ?? []);
    draft.units.set('workloads', placed('gateway', sharedByWorkloads(all)));
  }

  commit(draft: Draft): void {
    for (const [key, compiled] of draft.workloads) {
      if (compiled === undefined) this.#known.delete(key);
      else this.#known.set(key, compiled);
    }
  }

  /** Services that differ, and those that have an address of theirs: what one says of a workload, another may go by. */
  #touched(draft: Draft): ReadonlySet<string> {
    const addresses = [...draft.served.keys(), ...draft.labels.keys()];
    const served = addresses.flatMap((address) => this.#addresses.at(address, draft.served).flat());
    return new Set([...draft.services.keys(), ...served.map(({ name }) => serviceKey(name))]);
  }

  #compiled(key: string, bare: readonly string[], { draft, common }: { draft: Draft; common: CommonState }): CompiledWorkloads {
    const workloads = [...bare].sort().map((address) => {
      const served = this.#addresses.at(address, draft.served).flat();
      return { address, served, labels: this.#labelsAt(address, draft) ?? {} };
    });
    const lookup = (service: string) => common.service(service)?.view;
    return compiledWorkloads(key, workloads, { fleet: draft.fleet, lookup, policies: draft.extensions });
  }
}
