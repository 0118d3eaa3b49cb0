/** What the hub keeps of an endpoint shard: its views count endpoints and never show one, and a fleet has half a million. Pure. */
import type { EndpointShard, ServicePort } from '@hawser/model/endpoint-shard.ts';
import type { ExportFacts } from '@hawser/model/multicluster/export-facts.ts';

/** A shard without its endpoints. */
export interface ShardSummary {
  readonly cluster: string;
  readonly namespace: string;
  readonly service: string;
  readonly exported: boolean;
  readonly ports: readonly ServicePort[];
  /** What its cluster offers beside, where that is more than its ports say. */
  readonly export?: ExportFacts;
  readonly total: number;
  readonly healthy: number;
  /** Endpoints that are not meant to take traffic any more. */
  readonly draining: number;
  /** The label sets of its endpoints, each once; undefined when there are too many to keep. */
  readonly labels: readonly LabelSet[] | undefined;
}

type LabelSet = Readonly<Record<string, string>>;

/** Workloads of one service differ in a few versions; more label sets than this are not kept. */
const MOST_LABEL_SETS = 32;

/** Counts a shard's endpoints. */
export function summaryOf({ cluster, namespace, service, exported, ports, endpoints, export: facts }: EndpointShard): ShardSummary {
  let [healthy, draining] = [0, 0];
  for (const { health } of endpoints) {
    if (health === 'HEALTHY') healthy += 1;
    else if (health === 'DRAINING') draining += 1;
  }
  const offered = facts === undefined ? {} : { export: facts };
  const counts = { total: endpoints.length, healthy, draining, labels: labelSetsOf(endpoints) };
  return { cluster, namespace, service, exported, ports, ...offered, ...counts };
}

function labelSetsOf(endpoints: EndpointShard['endpoints']): readonly LabelSet[] | undefined {
  const sets = new Map<string, LabelSet>();
  for (const { labels } of endpoints) sets.set(JSON.stringify(labels), labels);
  return sets.size > MOST_LABEL_SETS ? undefined : [...sets.values()];
}

/** Makes equal names and ports one object each: of a hundred clusters' shards of a service, all but one repeat them. */
export class SummaryPool {
  readonly #texts = new Map<string, string>();
  readonly #ports = new Map<string, readonly ServicePort[]>();
  readonly #labels = new Map<string, ShardSummary['labels']>();

  shared(summary: ShardSummary): ShardSummary {
    const { cluster, namespace, service, ports } = summary;
    const key = JSON.stringify(ports);
    const known = this.#ports.get(key) ?? ports;
    this.#ports.set(key, known);
    const names = { cluster: this.text(cluster), namespace: this.text(namespace), service: this.text(service) };
    return { ...summary, ...names, ports: known, labels: this.#sharedLabels(summary.labels) };
  }

  #sharedLabels(labels: ShardSummary['labels']): ShardSummary['labels'] {
    const key = JSON.stringify(labels ?? null);
    if (this.#labels.size > 1_000_000) this.#labels.clear();
    const known = this.#labels.has(key) ? this.#labels.get(key) : labels;
    this.#labels.set(key, known);
    return known;
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
