import { Counter, Gauge, type Registry } from '@hawser/runtime/metrics.ts';

/** Metrics of the ADS server. */
export interface XdsMetrics {
  readonly streams: Gauge;
  readonly responses: Counter<'type'>;
  readonly nacks: Counter<'type'>;
  readonly refused: Counter<'reason'>;
}

/** Registers them; a registry holds them once. */
export function createXdsMetrics(registry: Registry): XdsMetrics {
  const registers = [registry];
  return {
    streams: new Gauge({ name: 'agent_xds_streams', help: 'Streams of proxies that are connected and authenticated.', registers }),
    responses: new Counter({
      name: 'agent_xds_pushes_total',
      help: 'Responses sent to proxies, by xDS type.',
      labelNames: ['type'],
      registers,
    }),
    nacks: new Counter({
      name: 'agent_xds_nacks_total',
      help: 'Responses that proxies refused, by xDS type.',
      labelNames: ['type'],
      registers,
    }),
    refused: new Counter({
      name: 'agent_xds_refused_streams_total',
      help: 'Streams closed by the agent, by reason.',
      labelNames: ['reason'],
      registers,
    }),
  };
}
