/** The hub's own metrics. */
import { type Counter, counted, counter, gauge, gauges, type Histogram, histogram, type Registry } from '@hawser/runtime/metrics.ts';

/** What is counted as it happens. */
export interface HubMetrics {
  readonly documentsPublished: Counter;
  readonly refused: Counter<'reason'>;
  readonly convergence: Histogram;
}

/** One rotation that is under way. */
export interface RotationGauge {
  readonly cluster: string;
  readonly kind: string;
  readonly phase: string;
  readonly ageSeconds: number;
  /** Proxies, or clusters of which none is named, that it cannot go on without. */
  readonly missing: number;
}

/** What is read when the metrics are asked for. */
export interface HubGauges {
  outboxDepth(): number;
  revision(): number;
  publishedRevision(): number;
  busConnected(): boolean;
  busReconnects(): number;
  /** The term in which this replica leads, 0 while it stands by. */
  term(): number;
  /** Series of measured traffic that are kept. */
  trafficSeries(): number;
  clusters(): Readonly<Record<string, number>>;
  /** Under way, as the leading replica sees them; none at the others. */
  rotations(): readonly RotationGauge[];
}

/** Registers them. */
export function registerHubMetrics(registry: Registry, of: HubGauges): HubMetrics {
  gauge(registry, 'hub_outbox_depth', () => of.outboxDepth());
  gauge(registry, 'hub_revision', () => of.revision());
  gauge(registry, 'hub_published_revision', () => of.publishedRevision());
  gauge(registry, 'hub_leader_term', () => of.term());
  gauge(registry, 'hub_traffic_series', () => of.trafficSeries());
  gauge(registry, 'hub_bus_connected', () => Number(of.busConnected()));
  counted(registry, 'hub_bus_reconnects_total', () => of.busReconnects());
  gauges(registry, 'hub_clusters', () => Object.entries(of.clusters()).map(([state, count]) => [{ state }, count] as const));
  gauges(registry, 'hub_rotation_age_seconds', () => of.rotations().map(({ cluster, ageSeconds }) => [{ cluster }, ageSeconds] as const));
  gauges(registry, 'hub_rotation_missing', () => of.rotations().map(({ cluster, missing }) => [{ cluster }, missing] as const));
  gauges(registry, 'hub_rotation_phase', () => of.rotations().map(({ cluster, kind, phase }) => [{ cluster, kind, phase }, 1] as const));
  return {
    documentsPublished: counter(registry, 'hub_documents_published_total'),
    refused: counter(registry, 'hub_refused_messages_total'),
    convergence: histogram(registry, 'hub_convergence_seconds'),
  };
}
