/** What agents say of themselves and of each revision: the newest account of each, in memory and bounded. */
import type { AgentStatus, RolloutStatus } from '@hawser/wire/messages.ts';
import { together } from './cluster-account.ts';
import { RolloutReports } from './rollout-reports.ts';

/** Who speaks: an agent of a cluster. A cluster's name alone stands for an agent of one release back, which names no replica. */
export type Speaker = { readonly cluster: string; readonly replica: string };

/** The account of one agent, or of a cluster's agents together. */
export interface AgentAccount {
  readonly status: AgentStatus | undefined;
  /** When the newest message arrived, Unix milliseconds. */
  readonly lastHeardAt: number;
  /** When `status` first showed its (epoch, revision). */
  readonly revisionSince: number;
  readonly reports: Pick<RolloutReports, 'oldest' | 'get' | 'keys' | 'from'>;
}

interface MutableAccount {
  status: AgentStatus | undefined;
  lastHeardAt: number;
  revisionSince: number;
  epoch: number;
  readonly reports: RolloutReports;
}

/** What a cluster's agents amount to, worked out when asked for: it stays so until one of them speaks. */
interface LiveAgents {
  readonly byReplica: ReadonlyMap<string, MutableAccount>;
  readonly all: readonly AgentAccount[];
  together: AgentAccount | undefined;
}

/** An agent that was silent for this long while another of its cluster spoke is gone. */
const GONE_MS = 15_000;
const MAX_REPLICAS = 64;

/** Accounts by cluster, then by replica. */
export class AgentAccounts {
  readonly #accounts = new Map<string, Map<string, MutableAccount>>();
  readonly #live = new Map<string, LiveAgents>();
  readonly #listeners = new Set<() => void>();

  /** A cluster's agents as one: its proxies are those of all of them. */
  get(cluster: string): AgentAccount | undefined {
    const live = this.#liveOf(cluster);
    live.together ??= live.all.length > 1 ? together(live.all) : live.all[0];
    return live.together;
  }

  /** The agents of a cluster that are there, as far as is known. */
  replicas(cluster: string): readonly AgentAccount[] {
    return this.#liveOf(cluster).all;
  }

  /** The replica to which a proxy is connected; undefined when none says so, or it names itself not. */
  replicaOf(cluster: string, proxy: string): string | undefined {
    let found: { readonly replica: string; readonly connectedAt: string } | undefined;
    for (const [replica, { status }] of this.#liveOf(cluster).byReplica) {
      const connectedAt = status?.proxies.find((one) => one.proxy === proxy)?.connectedAt;
      if (connectedAt !== undefined && (found === undefined || connectedAt > found.connectedAt)) found = { replica, connectedAt };
    }
    return found === undefined || found.replica === '' ? undefined : found.replica;
  }

  putStatus(speaker: Speaker | string, status: AgentStatus, at: number): void {
    const account = this.#account(speaker, at);
    if (account.status?.epoch !== status.epoch || account.status.revision !== status.revision) account.revisionSince = at;
    account.status = status;
    this.#changed();
  }

  putRollout(speaker: Speaker | string, status: RolloutStatus, at: number): void {
    const account = this.#account(speaker, at);
    if (account.epoch !== status.epoch) {
      account.epoch = status.epoch;
      account.reports.clear();
    }
    account.reports.put({ status, at });
    this.#changed();
  }

  /** Forgets clusters that are no longer members. */
  keepOnly(clusters: ReadonlySet<string>): void {
    for (const cluster of this.#accounts.keys()) if (!clusters.has(cluster)) this.#accounts.delete(cluster);
    this.#live.clear();
    this.#changed();
  }

  /** Calls back, in the same turn, after every change. Returns how to stop. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #liveOf(cluster: string): LiveAgents {
    const known = this.#live.get(cluster);
    if (known !== undefined) return known;
    const replicas = this.#accounts.get(cluster) ?? new Map<string, MutableAccount>();
    const newest = Math.max(...[...replicas.values()].map((account) => account.lastHeardAt));
    const byReplica = new Map([...replicas].filter(([, account]) => newest - account.lastHeardAt <= GONE_MS));
    const live: LiveAgents = { byReplica, all: [...byReplica.values()], together: undefined };
    // Whoever is asked about and never spoke is not remembered.
    if (replicas.size > 0) this.#live.set(cluster, live);
    return live;
  }

  #account(speaker: Speaker | string, at: number): MutableAccount {
    const { cluster, replica } = typeof speaker === 'string' ? { cluster: speaker, replica: '' } : speaker;
    const replicas = this.#accounts.get(cluster) ?? new Map<string, MutableAccount>();
    const account = replicas.get(replica) ?? {
      status: undefined,
      lastHeardAt: at,
      revisionSince: at,
      epoch: 0,
      reports: new RolloutReports(),
    };
    account.lastHeardAt = at;
    this.#live.delete(cluster);
    // The one that spoke last is the last: the first is the one to forget.
    replicas.delete(replica);
    this.#accounts.set(cluster, replicas.set(replica, account));
    const [oldest] = replicas.keys();
    if (replicas.size > MAX_REPLICAS && oldest !== undefined) replicas.delete(oldest);
    return account;
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
