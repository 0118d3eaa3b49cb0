/** What must hold of every result before it is given: each rule stands for an outage somebody had. Pure. */
import type { ClusterLoadAssignment } from '@hawser/xds/generated/envoy/config/endpoint/v3/endpoint_pb.ts';
import type { Placed } from './resource-ledger.ts';
import type { EncodedHost } from './routes/route-config.ts';

/** Every cluster of a unit that needs an assignment has it, and no assignment is without a cluster: else Envoy warms for 15 s. */
export function unpairedClusters(unit: readonly Placed[]): string[] {
  const names = (type: string): Set<string> => {
    const found = unit.filter(({ resource }) => resource.type === type && resource.hasServers === undefined);
    return new Set(found.map((item) => `${item.layer} ${item.resource.name}`));
  };
  const [clusters, assignments] = [names('CDS'), names('EDS')];
  return [...clusters.symmetricDifference(assignments)].map((name) => `${name} lacks its cluster or its assignment`);
}

/** Priorities without gaps and weights of at least 1: Envoy refuses the whole update otherwise. */
export function brokenAssignment({ clusterName, endpoints }: ClusterLoadAssignment): string[] {
  const priorities = new Set(endpoints.map((locality) => locality.priority));
  const gaps = [...priorities].filter((priority) => priority > 0 && !priorities.has(priority - 1));
  const problems = gaps.map((priority) => `${clusterName} has priority ${priority} without ${priority - 1}`);
  return endpoints.some((locality) => locality.loadBalancingWeight === 0) ? [...problems, `${clusterName} has a weight of 0`] : problems;
}

/** Every route leads to a cluster that is there: Envoy does not check, and answers 503 (RELIABILITY.md 2.1). */
export function danglingRoutes(hosts: Iterable<EncodedHost>, exists: (cluster: string) => boolean): string[] {
  return [...hosts].flatMap((host) =>
    host.clusters.filter((cluster) => !exists(cluster)).map((cluster) => `${host.name} leads to ${cluster}, which is not there`),
  );
}
