/** A cluster's own services as its registry has them, through the agent's brake: what the owner says, and what is in force. */
import { type BrakeMemory, type BrakeSource, brake, confirmableAt, NO_MEMORY, type Shards } from '@hawser/agent/state/endpoint-brake.ts';
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import { serviceKey } from '@hawser/model/service-host.ts';
import { Breach } from './checks.ts';
import type { Random } from './random.ts';

/** The truth of one cluster, which no fault changes. */
export class Truth {
  /** Addresses by service. */
  readonly services = new Map<string, Set<string>>();
  readonly cluster: string;
  readonly #network: number;
  #next = 1;
  #shards: Shards | undefined;

  constructor(cluster: string, network: number) {
    this.cluster = cluster;
    this.#network = network;
  }

  add(service: string): void {
    const addresses = this.services.get(service) ?? new Set<string>();
    this.services.set(service, addresses);
    addresses.add(`10.${this.#network}.${Math.floor(this.#next / 250)}.${(this.#next % 250) + 1}`);
    this.#next += 1;
    this.#shards = undefined;
  }

  /** Takes one endpoint away; false when there is none. */
  remove(service: string, random: Random): boolean {
    const addresses = this.services.get(service);
    if (addresses === undefined || addresses.size === 0) return false;
    addresses.delete(random.pick([...addresses]));
    this.#shards = undefined;
    return true;
  }

  shards(): Shards {
    this.#shards ??= new Map([...this.services].map(([service, addresses]) => this.#shard(service, [...addresses].sort())));
    return this.#shards;
  }

  #shard(service: string, addresses: readonly string[]): [string, EndpointShard] {
    const shard: EndpointShard = {
      ...{ cluster: this.cluster, namespace: 'shop', service, exported: true, ports: [{ port: 80, protocol: 'http' as const }] },
      endpoints: addresses.map((address) => ({
        ...{ address, targetPorts: { '80': 9080 }, labels: {}, serviceAccount: service, health: 'HEALTHY' as const },
      })),
    };
    return [serviceKey(shard), shard];
  }
}

/** The agent's account of the truth. */
export class SimRegistry {
  inForce: Shards;
  #memory: BrakeMemory = NO_MEMORY;
  #misread = false;
  readonly #truth: Truth;
  readonly #onShards: (shards: Shards) => void;

  constructor(truth: Truth, saved: Shards | undefined, onShards: (shards: Shards) => void) {
    this.#truth = truth;
    this.inForce = saved ?? new Map();
    this.#onShards = onShards;
  }

  get held(): number {
    return this.#memory.held.size;
  }

  /** Reads the truth. `short` endpoints are missing from this account, as when a source is half readable. */
  read(source: BrakeSource, now: number, short: ReadonlySet<string> = new Set()): void {
    const next = new Map([...this.#truth.shards()].map(([key, shard]) => [key, without(shard, short)]));
    const { inForce } = this;
    const isDoubted = this.#misread || this.#memory.held.size > 0;
    const verdict = brake({ inForce: this.inForce, next, source, now, memory: this.#memory });
    this.#memory = verdict.memory;
    this.inForce = new Map([...verdict.apply].map(([key, shard]) => [key, sameAs(this.inForce.get(key), shard)]));
    if (short.size > 0 && !isDoubted) this.#mustHold(inForce, short);
    this.#misread ||= short.size > 0;
    this.#onShards(this.inForce);
  }

  /** One account alone, the first that misses anything, never takes away a third of what is there. */
  #mustHold(before: Shards, short: ReadonlySet<string>): void {
    const now = addressesIn(this.inForce);
    const all = addressesIn(before);
    const lost = [...all].filter((address) => short.has(address) && !now.has(address));
    if (lost.length > all.size * 0.3)
      throw new Breach(`the brake let ${lost.join(' ')} of ${this.#truth.cluster} go at once`, 'falseRemovals');
  }

  /** When a held loss may be confirmed, by the clock of `read`. */
  get confirmableAt(): number | undefined {
    return confirmableAt(this.#memory);
  }
}

function addressesIn(shards: Shards): Set<string> {
  return new Set([...shards.values()].flatMap(({ endpoints }) => endpoints.map(({ address }) => address)));
}

function without(shard: EndpointShard, short: ReadonlySet<string>): EndpointShard {
  return short.size === 0 ? shard : { ...shard, endpoints: shard.endpoints.filter(({ address }) => !short.has(address)) };
}

function sameAs(before: EndpointShard | undefined, after: EndpointShard): EndpointShard {
  if (before === undefined || before === after) return after;
  return JSON.stringify(before) === JSON.stringify(after) ? before : after;
}
