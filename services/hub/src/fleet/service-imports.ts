/** ServiceImports (MCS, multicluster.x-k8s.io/v1beta1): a service that at least one cluster exports. Pure. */
import type { EndpointShard, ServicePort } from '@hawser/model/endpoint-shard.ts';
import type { ServiceImportSpec } from '@hawser/model/kind-specs.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { parseServiceKey, serviceKey } from '@hawser/model/service-host.ts';

/** The part of a shard that imports are made of. */
type Exported = Pick<EndpointShard, 'cluster' | 'namespace' | 'service' | 'exported'> & { readonly ports: readonly ServicePort[] };

/** Which clusters export the service. */
export interface ServiceImportStatus {
  readonly clusters: readonly { readonly cluster: string }[];
}

/** One import for each exported service, sorted by namespace and name; ports are the union, the first cluster by name deciding. */
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
  const sorted = [...exporters].sort((a, b) => (a.cluster < b.cluster ? -1 : 1));
  return {
    apiVersion: 'multicluster.x-k8s.io/v1beta1',
    kind: 'ServiceImport',
    metadata: { name: service, namespace },
    spec: { type: 'ClusterSetIP', ports: union(sorted) },
    status: { clusters: sorted.map((shard) => ({ cluster: shard.cluster })) },
  };
}

function union(exporters: readonly Exported[]): ServiceImportSpec['ports'] {
  const byPort = new Map<number, ServicePort>();
  for (const { ports } of exporters) for (const port of ports) if (!byPort.has(port.port)) byPort.set(port.port, port);
  return [...byPort.values()]
    .sort((a, b) => a.port - b.port)
    .map(({ name, port, protocol }) => ({ ...(name === undefined ? {} : { name }), port, protocol: 'TCP', appProtocol: protocol }));
}
