/** The federation at a glance, from memory. Pure but for the context's clock. */
import type { FleetAnswer, ProxiesAnswer } from '@hawser/wire/hub-api.ts';
import type { ProxyStatus } from '@hawser/wire/messages.ts';
import type { Replica } from '../distribute/start-distribution.ts';
import type { FleetContext } from './fleet-context.ts';
import type { ClusterView } from './fleet-state.ts';

/** The answer of `GET /hawser/v1/status`. */
export function statusView(context: FleetContext): FleetAnswer {
  const { distribution, bus, fleet } = context;
  return {
    hub: {
      version: context.version,
      startedAt: new Date(context.startedAt).toISOString(),
      epoch: distribution.desired?.epoch ?? 0,
      revision: distribution.desired?.revision ?? 0,
      published: distribution.published,
      database: context.databaseUp(),
      bus: bus.connected,
      ...replicaView(distribution.replica),
    },
    clusters: fleet.clusters().map((cluster) => clusterView(cluster, context)),
  };
}

function replicaView(replica: Replica | undefined): Pick<FleetAnswer['hub'], 'instance' | 'leads' | 'leader'> {
  if (replica === undefined) return {};
  const { instance, term, leader } = replica;
  const named = leader === undefined ? {} : { leader: { instance: leader.holder, address: leader.address, term: leader.term } };
  return { instance, leads: term !== undefined, ...named };
}

/** The answer of `GET /hawser/v1/proxies`: by cluster, then by proxy. */
export function proxiesView(context: FleetContext): ProxiesAnswer {
  const proxies = context.fleet.clusters().flatMap(({ member }) => {
    const known = context.accounts.get(member.name)?.status?.proxies ?? [];
    return [...known].sort((a, b) => (a.proxy < b.proxy ? -1 : 1)).map((proxy) => ({ cluster: member.name, ...proxy }));
  });
  const policies = context.fleet.clusters().flatMap(({ member }) => {
    const issues = context.accounts.get(member.name)?.status?.policies ?? [];
    return issues.map((issue) => ({ cluster: member.name, ...issue }));
  });
  return { proxies, ...(policies.length === 0 ? {} : { policies }) };
}

function clusterView(cluster: ClusterView, context: FleetContext): FleetAnswer['clusters'][number] {
  const { name, region, zone, provider } = cluster.member;
  const status = context.accounts.get(name)?.status;
  const proxies = status?.proxies ?? [];
  const endpoints = { total: 0, healthy: 0 };
  for (const { total, healthy } of cluster.shards.values()) {
    endpoints.total += total;
    endpoints.healthy += healthy;
  }
  return {
    name,
    region,
    zone,
    provider,
    state: context.fleet.freshness(name),
    lastHeardAt: cluster.lastHeardAt === undefined ? '' : new Date(cluster.lastHeardAt).toISOString(),
    revision: status?.revision ?? 0,
    ready: status?.ready ?? false,
    agents: agentsOf(name, context),
    proxies: {
      connected: proxies.length,
      synced: proxies.filter(isSynced).length,
      nacked: proxies.filter((proxy) => Object.values(proxy.types).some((type) => type.state === 'NACKED')).length,
    },
    services: cluster.shards.size,
    endpoints,
    warnings: status?.warnings ?? [],
  };
}

function agentsOf(cluster: string, { accounts }: FleetContext): NonNullable<FleetAnswer['clusters'][number]['agents']> {
  const agents = accounts.replicas(cluster).flatMap(({ status, lastHeardAt }) => (status === undefined ? [] : [{ status, lastHeardAt }]));
  return agents
    .map(({ status: { instance, publisher, ready, proxies, version, validity }, lastHeardAt }) => ({
      ...{ replica: instance, publisher: publisher === true, ready, proxies: proxies.length, version },
      ...(validity === undefined ? {} : { validity }),
      lastHeardAt: new Date(lastHeardAt).toISOString(),
    }))
    .sort((a, b) => (a.replica < b.replica ? -1 : 1));
}

/** Whether it has acknowledged everything that it was sent; types that it does not use are NOT_SENT. */
export function isSynced(proxy: ProxyStatus): boolean {
  return hasOnly(proxy, 'SYNCED');
}

/** Types that the proxy does not use are NOT_SENT. */
function hasOnly(proxy: ProxyStatus, state: string): boolean {
  return Object.values(proxy.types).every((type) => type.state === state || type.state === 'NOT_SENT');
}
