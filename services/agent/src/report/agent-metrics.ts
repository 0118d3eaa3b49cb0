/** Metrics of the agent beyond those of its xDS server. They are read when they are asked for. */
import { Gauge, type Registry } from '@hawser/runtime/metrics.ts';
import type { PeerStatus } from '@hawser/wire/messages.ts';
import type { World } from '../state/world.ts';

/** What is measured. */
export interface AgentGauges {
  ready(): boolean;
  busConnected(): boolean;
  proxies(): number;
  revision(): number;
  /** When the agent's credentials end, milliseconds since 1970. */
  credentialsEnd(): number;
  heldLosses(): number;
  publishes(): boolean;
  shards(): World['shards'];
  peers(): readonly PeerStatus[];
}

/** Registers them. */
export function registerAgentMetrics(registry: Registry, gauges: AgentGauges): void {
  const registers = [registry];
  const single = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  single('agent_ready', '1 once everything is known and compiled', () => Number(gauges.ready()));
  single('agent_bus_connected', '1 while NATS is connected', () => Number(gauges.busConnected()));
  single('agent_connected_proxies', 'Proxies with a stream', () => gauges.proxies());
  single('agent_publisher', '1 while this is the agent that publishes for its cluster', () => Number(gauges.publishes()));
  single('agent_revision', 'Hub revision that is compiled and served', () => gauges.revision());
  single('agent_autonomy_seconds', 'Time until the credentials of this agent end, should nobody renew them', () =>
    Math.max(0, (gauges.credentialsEnd() - Date.now()) / 1000),
  );
  single('agent_held_endpoints', 'Losses of own endpoints that wait for a confirmation', () => gauges.heldLosses());
  new Gauge({
    name: 'agent_endpoints',
    help: 'Endpoints known, by cluster and health',
    labelNames: ['cluster', 'health'],
    registers,
    collect() {
      this.reset();
      for (const clusters of gauges.shards().values())
        for (const [cluster, shard] of clusters) for (const { health } of shard.endpoints) this.inc({ cluster, health });
    },
  });
  new Gauge({
    name: 'agent_shard_age_seconds',
    help: 'Time since another cluster was last heard of',
    labelNames: ['cluster'],
    registers,
    collect() {
      this.reset();
      for (const { cluster, lastHeardAt } of gauges.peers())
        if (lastHeardAt !== '') this.set({ cluster }, (Date.now() - Date.parse(lastHeardAt)) / 1000);
    },
  });
}
