/** Workloads that no Service selects: ServiceEntries may still. Pure. */
import type { Endpoint, EndpointShard } from '@hawser/model/endpoint-shard.ts';
import { parseServiceKey, STRAY_SERVICE, serviceKey } from '@hawser/model/service-host.ts';
import { canonicalIp } from '@hawser/runtime/canonical-ip.ts';
import {
  type CheckTarget,
  checkPorts,
  checkTargets,
  type HealthOf,
  healthCheckOf,
  networkOf,
  readinessOf,
  zoneOf,
} from './health-check.ts';
import { namespaceOf, type WorkloadEntryObject } from './registry-kinds.ts';

/** A shard for each namespace that has such workloads, and what of them is checked. Their ports are by the names that the entries give. */
export interface StrayWorkloads {
  readonly shards: readonly (readonly [string, EndpointShard])[];
  readonly targets: readonly CheckTarget[];
}

/** Builds the shards of a cluster. They are never exported, so that nobody could reach those that are in another network: they are left out. */
export function strayWorkloads(
  cluster: string,
  all: readonly WorkloadEntryObject[],
  { healthOf, network }: { readonly healthOf: HealthOf; readonly network?: string | undefined },
): StrayWorkloads {
  const entries = all.filter((entry) => networkOf(entry, network).network === undefined);
  const byKey = Map.groupBy(entries, (entry) => serviceKey({ namespace: namespaceOf(entry), service: STRAY_SERVICE }));
  const targets: CheckTarget[] = [];
  const shards = [...byKey.keys()].sort().map((key) => {
    const endpoints = new Map<string, Endpoint>();
    for (const entry of byKey.get(key) ?? []) {
      const check = healthCheckOf(entry.metadata.annotations) ?? { kind: 'tcp' };
      const ports = [...new Set(Object.values(entry.spec.ports ?? {}))];
      const address = canonicalIp(entry.spec.address);
      targets.push(...checkTargets(address, ports, check));
      endpoints.set(address, { ...endpointOf(entry, healthOf(address, checkPorts(ports, check))), address });
    }
    const sorted = [...endpoints.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
    const shard: EndpointShard = { cluster, ...parseServiceKey(key), exported: false, ports: [], endpoints: sorted };
    return [key, shard] as const;
  });
  return { shards, targets };
}

function endpointOf(entry: WorkloadEntryObject, health: Endpoint['health'] | undefined): Endpoint {
  const { metadata, spec } = entry;
  const said = readinessOf(entry);
  const { address, ports = {}, labels, serviceAccount = 'default', locality, weight } = spec;
  return {
    ...{ address, targetPorts: ports, labels: { ...metadata.labels, ...labels }, serviceAccount },
    ...zoneOf(locality?.split('/')[1]),
    ...(weight === undefined ? {} : { weight }),
    health: said.ready === false ? 'UNHEALTHY' : (health ?? 'HEALTHY'),
    ...said,
  };
}
