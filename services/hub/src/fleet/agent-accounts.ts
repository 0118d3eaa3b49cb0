/** What agents say of themselves and of each revision: the newest account per cluster, in memory and bounded. */
import type { AgentStatus, RolloutStatus } from '@hawser/wire/messages.ts';

/** One report of a revision; `at` is when it arrived, Unix milliseconds. */
export interface RolloutReport {
  readonly status: RolloutStatus;
  readonly at: number;
}

/** The account of one cluster's agent. */
export interface AgentAccount {
  readonly status: AgentStatus | undefined;
  /** When the newest message arrived, Unix milliseconds. */
  readonly lastHeardAt: number;
  /** When `status` first showed its (epoch, revision). */
  readonly revisionSince: number;
  /** By revision, ascending; one epoch. */
  readonly reports: ReadonlyMap<number, RolloutReport>;
}

interface MutableAccount {
  status: AgentStatus | undefined;
  lastHeardAt: number;
  revisionSince: number;
  epoch: number;
  reports: Map<number, RolloutReport>;
}

/** Revisions remembered per cluster; older ones are answered from the agent's status. */
const MAX_REPORTS = 1024;

/** Accounts by cluster. */
export class AgentAccounts {
  readonly #accounts = new Map<string, MutableAccount>();
  readonly #listeners = new Set<() => void>();

  get(cluster: string): AgentAccount | undefined {
    return this.#accounts.get(cluster);
  }

  putStatus(cluster: string, status: AgentStatus, at: number): void {
    const account = this.#account(cluster, at);
    if (account.status?.epoch !== status.epoch || account.status.revision !== status.revision) account.revisionSince = at;
    account.status = status;
    this.#changed();
  }

  putRollout(cluster: string, status: RolloutStatus, at: number): void {
    const account = this.#account(cluster, at);
    if (account.epoch !== status.epoch) {
      account.epoch = status.epoch;
      account.reports.clear();
    }
    const isNewest = status.revision > (lastKey(account.reports) ?? -1);
    account.reports.set(status.revision, { status, at });
    if (!isNewest) account.reports = new Map([...account.reports].sort(([a], [b]) => a - b));
    for (const revision of account.reports.keys()) {
      if (account.reports.size <= MAX_REPORTS) break;
      account.reports.delete(revision);
    }
    this.#changed();
  }

  /** Forgets clusters that are no longer members. */
  keepOnly(clusters: ReadonlySet<string>): void {
    for (const cluster of this.#accounts.keys()) if (!clusters.has(cluster)) this.#accounts.delete(cluster);
    this.#changed();
  }

  /** Calls back, in the same turn, after every change. Returns how to stop. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #account(cluster: string, at: number): MutableAccount {
    const account = this.#accounts.get(cluster) ?? { status: undefined, lastHeardAt: at, revisionSince: at, epoch: 0, reports: new Map() };
    account.lastHeardAt = at;
    this.#accounts.set(cluster, account);
    return account;
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

function lastKey(map: ReadonlyMap<number, unknown>): number | undefined {
  let last: number | undefined;
  for (const key of map.keys()) last = key;
  return last;
}
