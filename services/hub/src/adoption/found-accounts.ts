/** What the publishers of clusters said last of the policy in their own API servers. In memory: whoever lost it is told again. */
import type { RosterMember } from '@hawser/model/fleet.ts';
import type { FoundPolicies } from '@hawser/wire/found-policies.ts';

/** One cluster's account. */
export interface FoundAccount {
  readonly account: FoundPolicies;
  /** Unix milliseconds. */
  readonly heardAt: number;
}

/** Three accounts that did not come: whoever spoke before is gone, and the count of leases may have begun anew with the stream. */
const GONE_MS = 60_000;

/** The newest account of each cluster. */
export class FoundAccounts {
  readonly #accounts = new Map<string, FoundAccount>();
  readonly #epochs = new Map<string, number>();
  readonly #listeners = new Set<() => void>();
  #changes = 0;

  /** Rises with each account that says something else than the one before. */
  get changes(): number {
    return this.#changes;
  }

  get(cluster: string): FoundAccount | undefined {
    return this.#accounts.get(cluster);
  }

  /** Takes one that was proven to be this cluster's. A replica that has lost the lease since is not heard against its successor. */
  put(cluster: string, account: FoundPolicies, heardAt: number): void {
    const known = this.#accounts.get(cluster);
    if (known !== undefined && account.term < known.account.term && heardAt - known.heardAt < GONE_MS) return;
    this.#accounts.set(cluster, { account, heardAt });
    // Accounts are told again and again.
    if (known !== undefined && JSON.stringify(known.account) === JSON.stringify(account)) return;
    this.#changes += 1;
    for (const listener of this.#listeners) listener();
  }

  /** Forgets who left, or joined anew: terms of leases begin anew then. */
  keepOnly(members: readonly RosterMember[]): void {
    const epochs = new Map(members.map(({ name, epoch }) => [name, epoch]));
    for (const [cluster, epoch] of this.#epochs) {
      if (epochs.get(cluster) === epoch) continue;
      this.#accounts.delete(cluster);
      this.#changes += 1;
      this.#epochs.delete(cluster);
    }
    for (const [cluster, epoch] of epochs) this.#epochs.set(cluster, epoch);
  }

  /** Calls back, in the same turn, after every account that says something else. Returns how to stop. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
