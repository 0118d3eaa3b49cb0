/** The controller of the MCS API, put together with the agent that it is of. */
import { counted, gauge, type Registry } from '@hawser/runtime/metrics.ts';
import type { AgentConfig } from '../config.ts';
import type { ControlLoop } from '../control-loop.ts';
import type { ApiClient } from '../discover/kubernetes/api-client.ts';
import type { LocalSource } from '../discover/local-source.ts';
import type { AgentFeed } from '../feed/agent-feed.ts';
import type { Warnings } from '../report/warnings.ts';
import type { Federation } from '../state/federation.ts';
import type { ImportFacts } from './import-facts.ts';
import { MulticlusterController } from './multicluster-controller.ts';

/** The agent's parts that it reads, and tells. */
export interface AgentParts {
  readonly federation: Federation;
  readonly loop: ControlLoop;
  readonly local: LocalSource;
  readonly feed: AgentFeed;
  readonly warnings: Warnings;
  readonly registry: Registry;
  readonly config: Pick<AgentConfig, 'virtualRange' | 'gatewayMode' | 'outboundGateway' | 'importEndpointSlices'>;
}

/** Keeps imports and what exports are told; `wake` when anything may be another. */
export interface Multicluster {
  wake(): void;
  stop(): Promise<void>;
}

/** Begins to keep them. Only of agents whose source is an API server. */
export type FollowMulticluster = (parts: AgentParts) => Multicluster;

/** Follows the MCS kinds of this API server; of what the source follows it has these facts. */
export function multiclusterOf(api: ApiClient, facts: ImportFacts): FollowMulticluster {
  return ({ federation, loop, local, feed, warnings, registry, config }) => {
    const controller = new MulticlusterController({
      ...{ api, facts, range: config.virtualRange, tcpServices: () => loop.tcpServices },
      backing: {
        outboundGateway: config.gatewayMode ? config.outboundGateway : undefined,
        importEndpointSlices: config.importEndpointSlices,
      },
      world: () => federation.world(),
      members: () => federation.roster?.members ?? [],
      isHeard: (cluster) => feed.moments().has(cluster),
      writes: () => loop.ready && feed.publishes,
      serviceOf: (key) => local.exportedService(key),
      onAddresses: (held, isNews) => {
        federation.setHeldAddresses(held, isNews);
        if (isNews) loop.wake();
      },
      onWarnings: (messages) => warnings.standing('multicluster', messages),
    });
    registerMulticlusterMetrics(registry, controller);
    local.afterRead = () => controller.wake();
    controller.start();
    return controller;
  };
}

/** Registers what is measured of its writes. */
export function registerMulticlusterMetrics(registry: Registry, { writer }: Pick<MulticlusterController, 'writer'>): void {
  counted(registry, 'agent_multicluster_writes_total', () => writer.counts.done);
  counted(registry, 'agent_multicluster_write_failures_total', () => writer.counts.failed);
  gauge(registry, 'agent_multicluster_writes_waiting', () => writer.waiting);
}
