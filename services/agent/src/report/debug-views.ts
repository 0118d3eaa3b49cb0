/** What the agent knows and serves, for people: the bodies of `/debug/…` and `/readyz`. */
import type { PartState } from '@hawser/runtime/readiness.ts';
import type { AgentStatus, PeerStatus, XdsType } from '@hawser/wire/messages.ts';
import type { Moment, Prerequisite } from '../control-loop.ts';
import { describePlace, type RegistryPlace } from '../discover/registry-place.ts';
import type { LayerName } from '../snapshot/resource.ts';
import type { SnapshotStore } from '../snapshot/snapshot-store.ts';
import type { ProxyRef, World } from '../state/world.ts';

/** What has to be ready before proxies are served. A bus that is away is no hindrance: what was known last is served. */
export function readinessOf(missing: readonly Prerequisite[], { place, stopping }: ReadinessFacts): PartState[] {
  const sentences: Readonly<Record<Prerequisite, string>> = {
    registry: `${describePlace(place)} has not been read yet, and none was saved`,
    config: 'the hub’s roster and policies have not been heard yet, and none were saved',
    fleet: 'the other clusters have not been heard yet, and none were saved',
  };
  const parts = (Object.keys(sentences) as Prerequisite[]).map((name) => ({
    name,
    problem: missing.includes(name) ? sentences[name] : undefined,
  }));
  return [...parts, { name: 'running', problem: stopping ? 'the agent is shutting down' : undefined }];
}

/** What readiness depends on beside what is known. */
export interface ReadinessFacts {
  /** Where the own cluster's objects are. */
  readonly place: RegistryPlace;
  readonly stopping: boolean;
}

/** What the view of the world is made of, beside the world. */
export interface KnownOfWorld {
  readonly peers: readonly PeerStatus[];
  /** The hub's. */
  readonly moment: Moment | undefined;
  /** The newest of each other cluster of which everything is here. */
  readonly moments: ReadonlyMap<string, Moment>;
  readonly warnings: AgentStatus['warnings'];
}

/** The world as compiled. */
export function describeWorld(world: World, { peers, moment, moments, warnings }: KnownOfWorld) {
  return {
    self: world.self,
    ...(moment === undefined ? {} : { moment }),
    moments: Object.fromEntries(moments),
    warnings,
    clusters: [...world.clusters.values()],
    peers,
    policies: [...world.policies.values()],
    shards: Object.fromEntries([...world.shards].map(([key, clusters]) => [key, [...clusters.values()]])),
  };
}

const TYPES: readonly XdsType[] = ['CDS', 'EDS', 'LDS', 'RDS', 'SDS'];

/** Counts of what is served, by layer and type. */
export function describeSnapshot(store: SnapshotStore, proxies: readonly ProxyRef[]): unknown {
  const own = proxies.map(({ role, address }): LayerName => `${role}:${address}`);
  const layers: LayerName[] = ['sidecar', 'gateway', ...own];
  const counts = (layer: LayerName) => Object.fromEntries(TYPES.map((type) => [type, store.all(layer, type).size]));
  return { generation: store.generation, layers: Object.fromEntries(layers.map((layer) => [layer, counts(layer)])) };
}
