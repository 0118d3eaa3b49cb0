/** ServiceImports (MCS, multicluster.x-k8s.io/v1beta1): a service that at least one cluster exports. Pure. */
import { type EndpointShard, exportFactsOf, type ServicePort } from '@hawser/model/endpoint-shard.ts';
import type { ServiceImportSpec } from '@hawser/model/kind-specs.ts';
import type { ExportFacts } from '@hawser/model/multicluster/export-facts.ts';
import { mergedExports } from '@hawser/model/multicluster/merge-exports.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { parseServiceKey, serviceKey } from '@hawser/model/service-host.ts';

/** The part of a shard that imports are made of. */
type Exported = Pick<EndpointShard, 'cluster' | 'namespace' | 'service' | 'exported'> & {
  readonly ports: readonly ServicePort[];
  readonly export?: ExportFacts;
};

/** Which clusters export the service. */
export interface ServiceImportStatus {
  readonly clusters: readonly { readonly cluster: string }[];
}

/** One import for each exported service, sorted by namespace and name, as its exports make it (`mergedExports`); ports by number. */
export function serviceImports(shards: Iterable<Exported>): readonly Resource<ServiceImportSpec, ServiceImportStatus>[] {
  const byService = new Map<string, Exported[]>();
  for (const shard of shards) {
    if (!shard.exported) continue;
    const key = serviceKey(shard);
    const exporters = byService.get(key);
    if (exporters === undefined) byService.set(key, [shard]);
    else exporters.push(shard);
  }
  return [...byService].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, exporters]) => serviceImport(key, exporters));
}

function serviceImport(key: string, exporters: readonly Exported[]): Resource<ServiceImportSpec, ServiceImportStatus> {
  const { namespace, service } = parseServiceKey(key);
  const merged = mergedExports(exporters.map((shard) => ({ cluster: shard.cluster, facts: exportFactsOf(shard) })));
  const ports = (merged?.spec.ports ?? []).map(({ name, port, protocol = 'TCP', appProtocol = spoken(port) }) => ({
    ...(name === undefined ? {} : { name }),
    ...{ port, protocol },
    ...(appProtocol === undefined ? {} : { appProtocol }),
  }));
  return {
    apiVersion: 'multicluster.x-k8s.io/v1beta1',
    kind: 'ServiceImport',
    metadata: { name: service, namespace },
    spec: { type: merged?.spec.type ?? 'ClusterSetIP', ports: ports.sort((a, b) => a.port - b.port) },
    status: { clusters: (merged?.clusters ?? []).map((cluster) => ({ cluster })) },
  };

  /** Where no Service says what is spoken, what the mesh takes it for; the first cluster by name decides. */
  function spoken(number: number): string | undefined {
    const sorted = [...exporters].sort((a, b) => (a.cluster < b.cluster ? -1 : 1));
    return sorted.flatMap(({ ports: known }) => known).find(({ port }) => port === number)?.protocol;
  }
}
