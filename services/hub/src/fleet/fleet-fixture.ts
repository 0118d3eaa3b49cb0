/** Builders for the tests of this folder and of those that read it. */
import type { Endpoint, EndpointShard } from '@hawser/model/endpoint-shard.ts';
import type { RosterMember } from '@hawser/model/fleet.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { AgentStatus, ProxyStatus } from '@hawser/wire/messages.ts';

/** A member named after its region unless told otherwise. */
export function memberOf(name: string, changes: Partial<RosterMember> = {}): RosterMember {
  return {
    name,
    epoch: 1,
    signingKey: '',
    region: name,
    zone: 'a',
    provider: 'local',
    network: name,
    labels: {},
    trustDomain: `${name}.hawser`,
    ...changes,
  };
}

/** An exported shard of `bookinfo` with endpoints of the given health. */
export function shardOf(cluster: string, service: string, health: readonly Endpoint['health'][], exported = true): EndpointShard {
  const endpoints = health.map((state, index) => ({
    address: `10.0.0.${index + 1}`,
    targetPorts: { '80': 9080 },
    labels: {},
    serviceAccount: service,
    health: state,
  }));
  return { cluster, namespace: 'bookinfo', service, exported, ports: [{ name: 'http', port: 80, protocol: 'http' }], endpoints };
}

/** A policy of namespace `bookinfo`. */
export function policyOf(kind: string, name: string, spec: unknown, annotations?: Record<string, string>): Resource {
  return {
    apiVersion: kind.startsWith('Virtual') ? 'networking.istio.io/v1' : 'hawser.dev/v1alpha1',
    kind,
    metadata: {
      name,
      namespace: 'bookinfo',
      creationTimestamp: '2026-01-01T00:00:00Z',
      ...(annotations === undefined ? {} : { annotations }),
    },
    spec,
  };
}

/** The account of an agent at a revision. */
export function statusOf(revision: number, proxies: readonly ProxyStatus[] = []): AgentStatus {
  return {
    instance: 'one',
    startedAt: '2026-01-01T00:00:00Z',
    version: '0.1.0',
    epoch: 7,
    revision,
    ready: true,
    warnings: [],
    proxies: [...proxies],
    peers: [],
  };
}

/** A connected sidecar that has acknowledged `revision`; with an error its routes are rejected. */
export function proxyOf(name: string, revision: number, error?: string): ProxyStatus {
  const types: ProxyStatus['types'] = {
    RDS: error === undefined ? { sent: 'v', acked: 'v', state: 'SYNCED' } : { sent: 'v', acked: 'u', state: 'NACKED', error },
  };
  return {
    proxy: name,
    namespace: 'bookinfo',
    serviceAccount: 'reviews',
    address: '10.0.0.1',
    role: 'sidecar',
    types,
    revision,
    connectedAt: '2026-01-01T00:00:00Z',
  };
}
