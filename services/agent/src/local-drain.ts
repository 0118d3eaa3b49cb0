/**
 * The drain that an agent makes of its own cluster when there is no hub to ask (decision 30). It is in the cluster's facts, so that other
 * agents obey it too, and ends by itself: by its own time, by an operator's word, or when the hub drains the same place.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DrainSpec } from '@hawser/model/drain.ts';
import { inScope } from '@hawser/model/drain-scope.ts';
import type { LocalDrain } from '@hawser/model/fleet.ts';
import type { ClusterPlace } from '@hawser/model/locality-priorities.ts';
import { type Resource, resourceKey } from '@hawser/model/resource.ts';
import { readIfThere, writeDurably } from '@hawser/runtime/durable-file.ts';
import type { Logger } from '@hawser/runtime/logger.ts';

/** Longest time of one, milliseconds. */
export const LONGEST_LOCAL_DRAIN_MS = 3_600_000;
const TOKEN_FILE = 'admin.token';
const DRAIN_FILE = 'local-drain.json';
/** Before a cluster's name; no resource of the hub can be called so. */
const LOCAL = 'local:';

/** What it works with. */
export interface LocalDrainsParts {
  readonly folder: string;
  readonly place: ClusterPlace;
  readonly log: Logger;
  /** The own drain, or its end, is to be told. */
  readonly onOwn: () => void;
  /** Which clusters are so drained differs: these are the drains to obey, by resource key. */
  readonly onDrains: (drains: ReadonlyMap<string, Resource>) => void;
  readonly now?: () => number;
}

/** The local drains of all clusters. */
export class LocalDrains {
  readonly #parts: LocalDrainsParts;
  readonly #now: () => number;
  #own: LocalDrain | undefined;
  #told: ReadonlyMap<string, LocalDrain> = new Map();
  /** When each was heard first: a clock elsewhere that is wrong makes nothing last longer. */
  readonly #heardAt = new Map<string, number>();
  #obeyed = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: LocalDrainsParts) {
    this.#parts = parts;
    this.#now = parts.now ?? Date.now;
    this.#own = savedIn(parts.folder);
  }

  /** The own one while it lasts. */
  get own(): LocalDrain | undefined {
    return this.#own !== undefined && Date.parse(this.#own.until) > this.#now() ? this.#own : undefined;
  }

  /** What other replicas of the cluster are to know: the newest word, an end among it. */
  get word(): LocalDrain | undefined {
    return this.#own;
  }

  /** Begins one, or gives it more time. */
  async begin({ ttlMs, reason, by }: { readonly ttlMs: number; readonly reason: string; readonly by: string }): Promise<LocalDrain> {
    const now = this.#now();
    const until = new Date(now + Math.min(ttlMs, LONGEST_LOCAL_DRAIN_MS)).toISOString();
    const drain = { reason, by, since: this.own?.since ?? new Date(now).toISOString(), until, changedAt: now };
    await this.#take(drain);
    this.#parts.log.warn({ drain }, 'this cluster is drained by an operator on the machine of its agent');
    return drain;
  }

  /** Ends it; false when there is none. */
  async end(): Promise<boolean> {
    const { own } = this;
    if (own === undefined) return false;
    const now = this.#now();
    await this.#take({ ...own, until: new Date(now).toISOString(), changedAt: now });
    this.#parts.log.warn({}, 'the drain of this cluster by its own agent has ended');
    return true;
  }

  /** Another replica's word. */
  hear(word: LocalDrain | undefined): void {
    if (word === undefined || word.changedAt <= (this.#own?.changedAt ?? 0)) return;
    this.#take(word).catch((error: unknown) => this.#parts.log.error({ error }, 'the local drain could not be kept on disk'));
  }

  /** What clusters say, the own one among them, and what the hub says: to be called when any of it may differ. */
  look(told: ReadonlyMap<string, LocalDrain>, policies: ReadonlyMap<string, Resource>): void {
    this.#told = told;
    if (this.own !== undefined && isCovered(this.#parts.place, policies)) {
      this.#parts.log.info({}, 'the hub drains this cluster: the drain by its own agent ends');
      void this.end();
    }
    this.#judge();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  async #take(drain: LocalDrain): Promise<void> {
    this.#own = drain;
    await writeDurably(join(this.#parts.folder, DRAIN_FILE), JSON.stringify(drain));
    this.#parts.onOwn();
  }

  #judge(): void {
    clearTimeout(this.#timer);
    const now = this.#now();
    const lasting = [...this.#told].flatMap(([cluster, drain]) => {
      const until = this.#untilOf(cluster, drain, now);
      return until > now ? [{ cluster, drain, until }] : [];
    });
    const next = Math.min(...lasting.map(({ until }) => until));
    if (Number.isFinite(next)) this.#timer = setTimeout(() => this.#judge(), next - now + 1).unref();
    const key = lasting.map(({ cluster }) => cluster).join();
    if (key === this.#obeyed) return;
    this.#obeyed = key;
    const drains = lasting.map(({ cluster, drain }) => drainOf(cluster, drain));
    this.#parts.onDrains(new Map(drains.map((one) => [resourceKey(one.kind, undefined, one.metadata.name), one])));
  }

  #untilOf(cluster: string, { until }: LocalDrain, now: number): number {
    const id = `${cluster} ${until}`;
    const heardAt = this.#heardAt.get(id) ?? now;
    if (this.#heardAt.size > 1_000) this.#heardAt.clear();
    this.#heardAt.set(id, heardAt);
    return Math.min(Date.parse(until), heardAt + LONGEST_LOCAL_DRAIN_MS);
  }
}

/** The token by which operators on this machine speak to the agent: a file of its owner alone, made when it is not there. */
export async function adminToken(folder: string): Promise<string> {
  const path = join(folder, TOKEN_FILE);
  const known = (await readIfThere(path))?.trim();
  if (known !== undefined && known !== '') return known;
  const made = randomBytes(32).toString('base64url');
  await writeDurably(path, made);
  return made;
}

/** As agents obey it: nobody is left without an answer, for there is no hub that looked whether somebody is left. */
function drainOf(cluster: string, { reason, since }: LocalDrain): Resource<DrainSpec> {
  return {
    ...{ apiVersion: 'hawser.dev/v1alpha1', kind: 'Drain', metadata: { name: `${LOCAL}${cluster}`, creationTimestamp: since } },
    spec: { scope: { cluster }, percent: 100, panicMode: 'spread', reason },
  };
}

/** Whether the hub takes all traffic from this cluster. */
function isCovered(place: ClusterPlace, policies: ReadonlyMap<string, Resource>): boolean {
  for (const { kind, metadata, spec } of policies.values()) {
    if (kind !== 'Drain' || metadata.name.startsWith(LOCAL)) continue;
    const { scope, services, percent = 0 } = spec as DrainSpec;
    if (percent === 100 && services === undefined && scope.gateway === undefined && inScope(scope, place)) return true;
  }
  return false;
}

function savedIn(folder: string): LocalDrain | undefined {
  try {
    const saved = JSON.parse(readFileSync(join(folder, DRAIN_FILE), 'utf8')) as LocalDrain;
    return typeof saved.until === 'string' && typeof saved.changedAt === 'number' ? saved : undefined;
  } catch {
    return undefined;
  }
}
