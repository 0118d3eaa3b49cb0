import { type Counter, counter, type Gauge, gauge, type Registry } from '@hawser/runtime/metrics.ts';

/** Metrics of the ADS server. */
export interface XdsMetrics {
  readonly streams: Gauge;
  readonly responses: Counter<'type'>;
  readonly nacks: Counter<'type'>;
  readonly refused: Counter<'reason'>;
}

/** Registers them; a registry holds them once. */
export function createXdsMetrics(registry: Registry): XdsMetrics {
  return {
    streams: gauge(registry, 'agent_xds_streams'),
    responses: counter(registry, 'agent_xds_pushes_total'),
    nacks: counter(registry, 'agent_xds_nacks_total'),
    refused: counter(registry, 'agent_xds_refused_streams_total'),
  };
}
