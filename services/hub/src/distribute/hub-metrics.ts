/** The hub's own metrics. */
import { Counter, Gauge, type Registry } from '@hawser/runtime/metrics.ts';

/** What is counted as it happens. */
export interface HubMetrics {
  readonly documentsPublished: Counter;
  readonly refused: Counter<'reason'>;
}

/** What is read when the metrics are asked for. */
export interface HubGauges {
  outboxDepth(): number;
  revision(): number;
  publishedRevision(): number;
  busConnected(): boolean;
  /** The term in which this replica leads, 0 while it stands by. */
  term(): number;
  clusters(): Readonly<Record<string, number>>;
}

/** Registers them. */
export function registerHubMetrics(registry: Registry, gauges: HubGauges): HubMetrics {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  gauge('hub_outbox_depth', 'Committed revisions that are not on the bus yet', () => gauges.outboxDepth());
  gauge('hub_revision', 'Newest revision read from the database', () => gauges.revision());
  gauge('hub_published_revision', 'Newest revision that is on the bus for every cluster', () => gauges.publishedRevision());
  gauge('hub_leader_term', 'The term in which this replica leads, 0 while it stands by', () => gauges.term());
  gauge('hub_bus_connected', '1 while NATS is connected', () => (gauges.busConnected() ? 1 : 0));
  new Gauge({
    name: 'hub_clusters',
    help: 'Clusters by how fresh their word is',
    labelNames: ['state'] as const,
    registers,
    collect() {
      for (const [state, count] of Object.entries(gauges.clusters())) this.set({ state }, count);
    },
  });
  return {
    documentsPublished: new Counter({
      name: 'hub_documents_published_total',
      help: 'Documents handed to the bus because they changed',
      registers,
    }),
    refused: new Counter({
      name: 'hub_refused_messages_total',
      help: 'Messages of agents that were not believed',
      labelNames: ['reason'] as const,
      registers,
    }),
  };
}
