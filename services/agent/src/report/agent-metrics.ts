/** Metrics of the agent beyond those of its xDS server. They are read when they are asked for. */
import { counted, gauge, gauges, type Registry } from '@hawser/runtime/metrics.ts';
import type { PeerStatus } from '@hawser/wire/messages.ts';
import type { World } from '../state/world.ts';

/** What is measured. */
export interface AgentGauges {
  ready(): boolean;
  busConnected(): boolean;
  busReconnects(): number;
  proxies(): number;
  revision(): number;
  /** When what this agent lives on ends, milliseconds since 1970, by what it is. */
  ends(): Readonly<Record<string, number>>;
  heldLosses(): number;
  publishes(): boolean;
  brakeHolds(): number;
  shards(): World['shards'];
  peers(): readonly PeerStatus[];
}

/** Registers them. */
export function registerAgentMetrics(registry: Registry, of: AgentGauges): void {
  const left = (end: number): number => Math.max(0, (end - Date.now()) / 1000);
  gauge(registry, 'agent_ready', () => Number(of.ready()));
  gauge(registry, 'agent_bus_connected', () => Number(of.busConnected()));
  counted(registry, 'agent_bus_reconnects_total', () => of.busReconnects());
  gauge(registry, 'agent_connected_proxies', () => of.proxies());
  gauge(registry, 'agent_publisher', () => Number(of.publishes()));
  gauge(registry, 'agent_revision', () => of.revision());
  gauge(registry, 'agent_autonomy_seconds', () => left(Math.min(...Object.values(of.ends()))));
  gauges(registry, 'agent_validity_seconds', () => Object.entries(of.ends()).map(([what, end]) => [{ of: what }, left(end)] as const));
  gauge(registry, 'agent_held_endpoints', () => of.heldLosses());
  counted(registry, 'agent_brake_holds_total', () => of.brakeHolds());
  gauges(registry, 'agent_endpoints', () => endpointsOf(of.shards()));
  gauges(registry, 'agent_shard_age_seconds', () => agesOf(of.peers()));
}

function* endpointsOf(shards: World['shards']) {
  for (const clusters of shards.values())
    for (const [cluster, shard] of clusters) for (const { health } of shard.endpoints) yield [{ cluster, health }, 1] as const;
}

function* agesOf(peers: readonly PeerStatus[]) {
  for (const { cluster, lastHeardAt } of peers)
    if (lastHeardAt !== '') yield [{ cluster }, (Date.now() - Date.parse(lastHeardAt)) / 1000] as const;
}
