/** What the hub keeps of an endpoint shard: its views count endpoints and never show one, and a fleet has half a million. Pure. */
import type { EndpointShard, ServicePort } from '@hawser/model/endpoint-shard.ts';

/** A shard without its endpoints. */
export interface ShardSummary {
  readonly cluster: string;
  readonly namespace: string;
  readonly service: string;
  readonly exported: boolean;
  readonly ports: readonly ServicePort[];
  readonly total: number;
  readonly healthy: number;
  /** Endpoints that are not meant to take traffic any more. */
  readonly draining: number;
}

/** Counts a shard's endpoints. */
export function summaryOf({ cluster, namespace, service, exported, ports, endpoints }: EndpointShard): ShardSummary {
  let [healthy, draining] = [0, 0];
  for (const { health } of endpoints) {
    if (health === 'HEALTHY') healthy += 1;
    else if (health === 'DRAINING') draining += 1;
  }
  return { cluster, namespace, service, exported, ports, total: endpoints.length, healthy, draining };
}

/** Makes equal names and ports one object each: of a hundred clusters' shards of a service, all but one repeat them. */
export class SummaryPool {
  readonly #texts = new Map<string, string>();
  readonly #ports = new Map<string, readonly ServicePort[]>();

  shared(summary: ShardSummary): ShardSummary {
    const { cluster, namespace, service, ports } = summary;
    const key = JSON.stringify(ports);
    const known = this.#ports.get(key) ?? ports;
    this.#ports.set(key, known);
    return { ...summary, cluster: this.text(cluster), namespace: this.text(namespace), service: this.text(service), ports: known };
  }

  text(value: string): string {
    const known = this.#texts.get(value);
    if (known !== undefined) return known;
    // Ten times the largest fleet that is planned for: names that were used once are not kept for ever.
    if (this.#texts.size > 1_000_000) this.#texts.clear();
    this.#texts.set(value, value);
    return value;
  }
}
