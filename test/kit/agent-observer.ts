/** Looks again and again at what agents hold, by their admin doors, to be judged when the truth is known. */
import { setTimeout as wait } from 'node:timers/promises';
import type { HistoryChecker, Moment, Observation } from './history-checker.ts';
import { timeoutOf } from './policy-writer.ts';

/** A policy's past: revision by revision; without a timeout it is gone. */
export type PolicyLog = readonly { readonly revision: number; readonly timeout: string | undefined }[];

/** What `/debug/world` answers, as far as it matters here. */
interface WorldView {
  readonly self: string;
  readonly moment?: Moment;
  readonly moments: Readonly<Record<string, Moment>>;
  readonly shards: Readonly<Record<string, readonly { cluster: string; endpoints: readonly { address: string }[] }[]>>;
  readonly policies: readonly { metadata: { name: string }; spec: unknown }[];
}

const HUB = 'hub';
const LOOK_MS = 100;

/** One agent under observation. */
export class AgentObserver {
  /** `CLUSTER/NAME`. */
  readonly name: string;
  readonly #cluster: string;
  readonly #adminPort: number;
  readonly #seen: { readonly life: number; readonly observation: Observation }[] = [];
  readonly #stopping = new AbortController();
  readonly #looking: Promise<void>;
  #life = 1;
  #last = '';

  /** Begins to look. */
  constructor(cluster: string, name: string, adminPort: number) {
    this.name = `${cluster}/${name}`;
    this.#cluster = cluster;
    this.#adminPort = adminPort;
    this.#looking = this.#look();
  }

  /** What it holds now; undefined while it is not ready or does not answer. */
  async observe(): Promise<Observation | undefined> {
    const door = `http://127.0.0.1:${this.#adminPort}`;
    const life = this.#life;
    try {
      const ready = await fetch(`${door}/readyz`, { signal: AbortSignal.timeout(5_000) });
      await ready.arrayBuffer();
      if (!ready.ok) return undefined;
      const text = await (await fetch(`${door}/debug/world`, { signal: AbortSignal.timeout(5_000) })).text();
      const observation = observationOf(JSON.parse(text) as WorldView);
      if (text !== this.#last && life === this.#life) this.#seen.push({ life, observation });
      this.#last = text;
      return observation;
    } catch {
      return undefined;
    }
  }

  /** It was killed, and may come back with a state that it had saved before. */
  died(): void {
    this.#life += 1;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#looking;
  }

  /** Hands all that was seen to a checker that knows the truth; throws when nothing was seen. */
  judge(checker: HistoryChecker, policies: ReadonlyMap<string, PolicyLog>): void {
    if (this.#seen.length === 0) throw new Error(`${this.name} was never seen`);
    for (const { life, observation } of this.#seen) {
      checker.observe(`${this.name}#${life}`, observation, this.#cluster);
      for (const words of behindItsWord(observation, policies)) checker.stale(`${this.name} ${words}`);
    }
    checker.finish(`${this.name}#${this.#life}`, this.#cluster);
  }

  async #look(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await this.observe();
      await wait(LOOK_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** The hub's revision that an agent says it has, and policies that it holds as they were before that. */
function* behindItsWord({ moments, held }: Observation, policies: ReadonlyMap<string, PolicyLog>): Generator<string> {
  const revision = moments.get(HUB)?.revision ?? 0;
  for (const [name, log] of policies) {
    const floor = log.findLastIndex((entry) => entry.revision <= revision);
    if (floor < 0) continue;
    const timeout = held.get(HUB)?.get(name);
    if (!log.slice(floor).some((entry) => entry.timeout === timeout))
      yield `says that it has revision ${revision}, and ${name} is ${timeout}`;
  }
}

function observationOf({ self, moment, moments, shards, policies }: WorldView): Observation {
  const held = new Map<string, Map<string, string>>([[HUB, new Map()]]);
  for (const { metadata, spec } of policies) held.get(HUB)?.set(metadata.name, timeoutOf({ spec }) ?? 'none');
  for (const [service, list] of Object.entries(shards))
    for (const { cluster, endpoints } of list) {
      if (cluster === self || endpoints.length === 0) continue;
      const keys = held.get(cluster) ?? new Map<string, string>();
      held.set(cluster, keys.set(service, addressesOf(endpoints.map(({ address }) => address))));
    }
  return { moments: new Map([...Object.entries(moments), ...(moment === undefined ? [] : [[HUB, moment] as const])]), held };
}

/** Content of a service in a history: its addresses, in order. */
export function addressesOf(addresses: readonly string[]): string {
  return [...addresses].sort().join();
}
