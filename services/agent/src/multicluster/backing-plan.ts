/** What has to stand behind one import. Pure. */
import type { EndpointShard } from '@hawser/model/endpoint-shard.ts';
import { type ImportSpec, SOURCE_CLUSTER_LABEL } from '@hawser/model/multicluster.ts';
import { PORTS } from '@hawser/model/ports.ts';
import type { World } from '../state/world.ts';
import { mergedPorts } from '../translate/services/clusterset-service.ts';
import type { BackingState } from './backing-states.ts';
import type { BackingObject } from './backing-writes.ts';
import { derivedService, derivedSlices } from './derived-service.ts';
import { importedSlices } from './imported-slices.ts';
import type { JsonObject } from './merge-patch.ts';
import type { ImportVerdict } from './wanted-import.ts';

/** An import that is there and as it should be; `leave` while that is not known, `absent` where it is none of ours. */
export type BackedImport =
  | 'leave'
  | 'absent'
  | { readonly owner: JsonObject; readonly spec: ImportSpec; readonly clusters: readonly string[] };

/**
 * What may stand behind an import, by what it should be. One that somebody deleted comes again: what stands behind it waits.
 * @param owner The import that there is; undefined where there is none.
 * @param isExported Whether some cluster is known to export the service.
 */
export function backedImport(
  verdict: ImportVerdict,
  { owner, isOurs, isExported }: { readonly owner: JsonObject | undefined; readonly isOurs: boolean; readonly isExported: boolean },
): BackedImport {
  if (verdict === 'leave') return (owner === undefined ? isExported : isOurs) ? 'leave' : 'absent';
  if (typeof verdict === 'string') return 'absent';
  return owner === undefined ? 'leave' : { owner, spec: verdict.spec, clusters: verdict.status.clusters.map(({ cluster }) => cluster) };
}

/** What is known beside the import. */
export interface PlanQuestion {
  readonly importName: string;
  readonly spec: ImportSpec;
  readonly world: Pick<World, 'self' | 'clusters'>;
  /** The exporting clusters' shards of the service. */
  readonly shards: ReadonlyMap<string, EndpointShard>;
  /** Clusters of which not everything is known. */
  readonly unknown: ReadonlySet<string>;
  /** Own EndpointSlices of the import, by name. */
  readonly slices: ReadonlyMap<string, BackingState>;
  /** Where imports have derived Services: the outbound gateway's EndpointSlices by key, and its port for a TCP port of the service. */
  readonly gateway:
    | {
        readonly slices: Iterable<readonly [string, BackingState]>;
        readonly tcpPort: (port: number) => number | undefined;
        /** Whether the Service is there: a slice would lead calls of somebody else's as well. */
        readonly hasService: boolean;
      }
    | undefined;
  readonly importEndpointSlices: boolean;
}

/** What there should be; EndpointSlices that are neither wanted nor kept go. */
export interface BackingPlan {
  readonly service: BackingObject | undefined;
  readonly slices: readonly BackingObject[];
  /** Names of EndpointSlices that stay as they are. */
  readonly kept: ReadonlySet<string>;
  /** TCP ports for which the outbound gateway has no listener, or not yet. */
  readonly unheard: readonly number[];
}

/** Makes the plan. */
export function backingPlan(question: PlanQuestion): BackingPlan {
  const { importName, spec, slices, importEndpointSlices } = question;
  const derived = spec.type === 'ClusterSetIP' ? question.gateway : undefined;
  const listenerPorts = derived === undefined ? NONE : listenerPortsOf(question, derived.tcpPort);
  const own = importEndpointSlices ? ofClusters(question) : [];
  const kept = importEndpointSlices ? [...slices].flatMap(([name, state]) => (isOfUnknown(state, question) ? [name] : [])) : [];
  const service = derived && derivedService(importName, spec);
  return {
    service,
    slices: [...(derived?.hasService === true ? derivedSlices(importName, spec, { listenerPorts, gateway: derived.slices }) : []), ...own],
    kept: new Set(kept),
    unheard:
      derived === undefined
        ? []
        : spec.ports.flatMap(({ port, protocol }) => (protocol === 'TCP' && !listenerPorts.has(port) ? [port] : [])),
  };
}

/** Clusters that export the service and whose endpoints are behind gateways. */
export function clustersBeyond(clusters: readonly string[], { self, clusters: all }: Pick<World, 'self' | 'clusters'>): readonly string[] {
  const network = all.get(self)?.network;
  return clusters.filter((cluster) => cluster !== self && all.get(cluster)?.network !== network);
}

const NONE: ReadonlyMap<number, number> = new Map();

/** HTTP is told apart by its Host at one port; a TCP service has one of its own. */
function listenerPortsOf({ shards, world }: PlanQuestion, tcpPort: (port: number) => number | undefined): Map<number, number> {
  const ports = mergedPorts([...shards.values()], world.self).map(
    ({ port, protocol }) => [port, protocol === 'tcp' ? tcpPort(port) : PORTS.outbound] as const,
  );
  return new Map(ports.flatMap(([port, listener]) => (listener === undefined ? [] : [[port, listener] as const])));
}

function ofClusters({ importName, spec, world, shards, slices: existing }: PlanQuestion): BackingObject[] {
  const network = world.clusters.get(world.self)?.network;
  return [...shards].flatMap(([cluster, shard]) => {
    const there = world.clusters.get(cluster);
    if (there === undefined) return [];
    const isDirect = (endpoint: { readonly network?: string }): boolean =>
      cluster === world.self && endpoint.network === undefined ? true : (endpoint.network ?? there.network) === network;
    return importedSlices({ importName, ports: spec.ports, shard, isDirect, existing });
  });
}

/** Of a cluster that was not heard of, it is not known that it exports nothing. */
function isOfUnknown({ labels }: BackingState, { unknown, shards }: PlanQuestion): boolean {
  const cluster = labels[SOURCE_CLUSTER_LABEL];
  return cluster !== undefined && unknown.has(cluster) && !shards.has(cluster);
}
