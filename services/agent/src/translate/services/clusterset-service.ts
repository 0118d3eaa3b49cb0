/** What the exports of a service make of its clusterset host: ports, and the endpoints that DNS names where it is headless (KEP-1645). Pure. */
import { type EndpointShard, exportFactsOf, type ServicePort } from '@hawser/model/endpoint-shard.ts';
import { bornAt, bySeniority, type ClusterExport, mergedFamilies } from '@hawser/model/multicluster/merge-exports.ts';
import { type Fleet, wayTo } from '../fleet.ts';
import type { Part } from './service-view.ts';

/** An endpoint with a name of its own. */
export interface NamedEndpoint {
  /** `HOSTNAME.CLUSTER`, below the service's host. */
  readonly name: string;
  readonly address: string;
  /** Service port (decimal) → where the endpoint listens. */
  readonly targets: Readonly<Record<string, number>>;
}

/** The ready endpoints of a headless service. */
export interface HeadlessService {
  /** Those that callers of the own cluster reach by their addresses, sorted by cluster and address, at most `MOST_NAMED`. */
  readonly endpoints: readonly NamedEndpoint[];
  /** Whether there are others, which only the mesh reaches. */
  readonly isBeyond: boolean;
}

/** Of so many endpoints DNS names each one: every captured workload holds the names. */
export const MOST_NAMED = 1_000;

/**
 * The union of ports by number, sorted. Where clusters differ about one, the oldest export is right, so that no newcomer changes what a
 * caller speaks; of exports without a known age the own cluster, then the first by name. Of two ports of one name the older has it.
 */
export function mergedPorts(shards: readonly EndpointShard[], self: string): ServicePort[] {
  const ports = new Map<number, ServicePort>();
  const names = new Set<string>();
  for (const shard of oldestFirst(shards, self)) {
    const isTaken = ({ name, port }: ServicePort): boolean => ports.has(port) || (name !== undefined && names.has(name));
    const taken = shard.ports.filter((port) => !ports.has(port.port) && isTaken(port));
    for (const port of shard.ports) if (!isTaken(port)) ports.set(port.port, port);
    for (const { name: _name, ...port } of taken) ports.set(port.port, port);
    for (const { name } of shard.ports) if (name !== undefined) names.add(name);
  }
  return [...ports.values()].sort((a, b) => a.port - b.port);
}

/** The own shard first, unless their exports say how old they are. */
function oldestFirst(shards: readonly EndpointShard[], self: string): readonly EndpointShard[] {
  const ownFirst = [...shards.filter((shard) => shard.cluster === self), ...shards.filter((shard) => shard.cluster !== self)];
  if (!shards.some((shard) => shard.export?.createdAt !== undefined)) return ownFirst;
  return ownFirst.sort((a, b) => bornAt(a.export ?? {}) - bornAt(b.export ?? {}));
}

/** The endpoints to name; undefined where the oldest of the exporting shards is not headless. */
export function headlessService(exported: readonly EndpointShard[], parts: readonly Part[], fleet: Fleet): HeadlessService | undefined {
  if (!exported.some((shard) => shard.export?.type === 'Headless')) return undefined;
  const [oldest] = exportsOf(exported);
  if (oldest?.facts.type !== 'Headless') return undefined;
  const ready = parts.flatMap(({ cluster, shard }) =>
    shard.endpoints
      .filter(({ health }) => health === 'HEALTHY')
      .map((endpoint) => ({ endpoint, shard, isDirect: wayTo(fleet, cluster, endpoint) === 'direct' })),
  );
  const direct = ready.filter(({ isDirect }) => isDirect).slice(0, MOST_NAMED);
  const isBeyond = ready.length > 0 && ready.some(({ isDirect }) => !isDirect);
  return { isBeyond, endpoints: direct.map(({ endpoint, shard }) => namedEndpoint(endpoint, shard)) };
}

/** Whether an address of IPv6 stands for the service as well, as its import has one. */
export function hasIpv6(exported: readonly EndpointShard[]): boolean {
  if (!exported.some((shard) => shard.export?.ipFamilies?.includes('IPv6') === true)) return false;
  return mergedFamilies(exportsOf(exported))?.includes('IPv6') === true;
}

/**
 * Whether an address of IPv6 stands for what a cluster has for itself: where workloads have IPv6 alone, one of IPv4 would lead nowhere.
 * Of a service that is not exported its families are not told, and endpoints are of the first.
 */
export function servesIpv6(own: readonly EndpointShard[]): boolean {
  return own.some(({ endpoints }) => endpoints.some(({ address }) => address.includes(':')));
}

/** The oldest first. */
function exportsOf(exported: readonly EndpointShard[]): ClusterExport[] {
  return exported.map((shard) => ({ cluster: shard.cluster, facts: exportFactsOf(shard) })).sort(bySeniority);
}

/** What other clusters call their endpoints is checked: it becomes a part of a name. */
export const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

function namedEndpoint({ address, hostname = '', targetPorts }: EndpointShard['endpoints'][number], shard: EndpointShard): NamedEndpoint {
  const label = DNS_LABEL.test(hostname) ? hostname : address.replaceAll(/[.:]/g, '-');
  return { name: `${label}.${shard.cluster}`, address, targets: targetPorts };
}
