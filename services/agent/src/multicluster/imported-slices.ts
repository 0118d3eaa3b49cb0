/** EndpointSlices of an import (KEP-1645, "EndpointSlice"): of each cluster the endpoints that this cluster's network reaches. Pure. */
import { isIP } from 'node:net';
import { type Endpoint, type EndpointHealth, type EndpointShard, exportFactsOf } from '@hawser/model/endpoint-shard.ts';
import { IMPORT_NAME_LABEL, type ImportSpec, SOURCE_CLUSTER_LABEL } from '@hawser/model/multicluster.ts';
import { canonicalJson, sha256 } from '@hawser/runtime/canonical-json.ts';
import { SLICE_OWNER, SLICE_OWNER_LABEL } from '../discover/kubernetes/followed-kinds.ts';
import { DNS_LABEL } from '../translate/services/clusterset-service.ts';
import type { BackingState } from './backing-states.ts';
import type { BackingObject } from './backing-writes.ts';
import type { JsonObject } from './merge-patch.ts';

/** As many as Kubernetes has in a slice of its own. */
export const MOST_ENDPOINTS = 100;

/** What one cluster's slices of an import are made of. */
export interface SliceSource {
  readonly importName: string;
  readonly ports: ImportSpec['ports'];
  readonly shard: EndpointShard;
  /** Whether packets of this cluster get to an endpoint's address. */
  readonly isDirect: (endpoint: Endpoint) => boolean;
  /** The slices that there are, by name. */
  readonly existing: ReadonlyMap<string, BackingState>;
}

/** The slices: endpoints that listen on the same ports are together, and each stays in the slice where it is. */
export function importedSlices(source: SliceSource): BackingObject[] {
  const { importName, shard, isDirect } = source;
  const groups = new Map<string, { readonly addressType: string; readonly ports: readonly JsonObject[]; readonly endpoints: Endpoint[] }>();
  for (const endpoint of shard.endpoints) {
    const family = isIP(endpoint.address);
    if (family === 0 || !isDirect(endpoint)) continue;
    const kind = { addressType: family === 4 ? 'IPv4' : 'IPv6', ports: portsOf(endpoint, source) };
    const key = sha256(canonicalJson([importName, shard.cluster, kind])).slice(0, 8);
    const group = groups.get(key) ?? { ...kind, endpoints: [] };
    group.endpoints.push(endpoint);
    groups.set(key, group);
  }
  return [...groups].flatMap(([key, { endpoints, ...kind }]) => {
    const prefix = `${importName}-${shard.cluster}-${key}-`;
    return packed(endpoints, addressesIn(source.existing, prefix)).map(([index, members]) => ({
      name: `${prefix}${index}`,
      labels: { [IMPORT_NAME_LABEL]: importName, [SOURCE_CLUSTER_LABEL]: shard.cluster, [SLICE_OWNER_LABEL]: SLICE_OWNER },
      content: { ...kind, endpoints: members.map(written) },
    }));
  });
}

/** Ports of the import that the cluster has as well, by name and number: calls of a port are for clusters that expose it. */
function portsOf({ targetPorts }: Endpoint, { ports, shard }: SliceSource): JsonObject[] {
  const { ports: exported } = exportFactsOf(shard);
  return exported.flatMap(({ name = '', port, protocol, appProtocol }) => {
    const target = targetPorts[String(port)];
    const isImported = ports.some((one) => (one.name ?? '') === name && one.port === port && (one.protocol ?? 'TCP') === protocol);
    if (target === undefined || protocol !== 'TCP' || !isImported) return [];
    return [{ ...(name === '' ? {} : { name }), port: target, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) }];
  });
}

/** Addresses of the slices of one group, by the number at the end of their names. */
function addressesIn(existing: ReadonlyMap<string, BackingState>, prefix: string): Map<number, readonly string[]> {
  const found = [...existing].flatMap(([name, { content }]): [number, readonly string[]][] => {
    const index = name.startsWith(prefix) ? name.slice(prefix.length) : '';
    const endpoints = content['endpoints'] as readonly { readonly addresses: readonly string[] }[];
    return /^\d+$/.test(index) ? [[Number(index), endpoints.flatMap(({ addresses }) => addresses)]] : [];
  });
  return new Map(found.sort(([a], [b]) => a - b));
}

/** Endpoints by slices: what is in a slice stays there, what is new goes where there is room, and empty slices are none. */
function packed(endpoints: readonly Endpoint[], slices: ReadonlyMap<number, readonly string[]>): [number, Endpoint[]][] {
  const left = new Map(endpoints.map((endpoint) => [endpoint.address, endpoint]));
  const result = new Map<number, Endpoint[]>();
  for (const [index, addresses] of slices) {
    const kept = addresses.flatMap((address) => left.get(address) ?? []).slice(0, MOST_ENDPOINTS);
    for (const { address } of kept) left.delete(address);
    if (kept.length > 0) result.set(index, kept);
  }
  let index = 0;
  for (const endpoint of left.values()) {
    while ((result.get(index)?.length ?? 0) >= MOST_ENDPOINTS) index += 1;
    result.set(index, [...(result.get(index) ?? []), endpoint]);
  }
  return [...result];
}

const CONDITIONS: Readonly<Record<EndpointHealth, JsonObject>> = {
  HEALTHY: { ready: true, serving: true, terminating: false },
  UNHEALTHY: { ready: false, serving: false, terminating: false },
  DRAINING: { ready: false, serving: true, terminating: true },
};

/** What other clusters call their endpoints is checked: one bad name would cost the whole slice. */
function written({ address, health, hostname = '', zone }: Endpoint): JsonObject {
  return {
    ...{ addresses: [address], conditions: CONDITIONS[health] },
    ...(DNS_LABEL.test(hostname) ? { hostname } : {}),
    ...(zone ? { zone } : {}),
  };
}
