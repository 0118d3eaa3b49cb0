/** Every NATS subject and stream name, built here alone. Cluster and resource names are DNS labels, so no token needs escaping. */

/** Stream of documents from the hub to each cluster: `hawser.config.CLUSTER.KEY`. */
export const CONFIG_STREAM = 'HAWSER_CONFIG';
/** Stream of documents from each cluster's agent to all: `hawser.fleet.CLUSTER.KEY`. */
export const FLEET_STREAM = 'HAWSER_FLEET';

/** Subjects of a stream of state are `PREFIX.OWNER.KEY`: for config the owner is the addressee, for fleet the publisher. */
export const CONFIG_PREFIX = 'hawser.config';
export const FLEET_PREFIX = 'hawser.fleet';

/** Everything addressed to a cluster. */
export function configSubjects(cluster: string): string {
  return `${CONFIG_PREFIX}.${cluster}.>`;
}

/** Everything a cluster publishes of itself. */
export function fleetSubjects(cluster: string): string {
  return `${FLEET_PREFIX}.${cluster}.>`;
}

/**
 * Core NATS (no stream): the account of one of a cluster's agents of its proxies, whole, on change and every few seconds. Agents of
 * one release back name no replica, for they are alone.
 */
export function statusSubject(cluster: string, replica?: string): string {
  return `hawser.status.${cluster}.proxies${suffix(replica)}`;
}

/** Core NATS: the account of one of a cluster's agents of one hub revision, each time it changes. */
export function rolloutSubject(cluster: string, replica?: string): string {
  return `hawser.status.${cluster}.rollout${suffix(replica)}`;
}

/** Core NATS: policy that a cluster has in its own API server, by the one of its agents that publishes. */
export function foundPoliciesSubject(cluster: string, replica: string): string {
  return `hawser.status.${cluster}.policies.${replica}`;
}

/** Core NATS: what the proxies of one of a cluster's agents counted of their traffic, each second. */
export function trafficSubject(cluster: string, replica: string): string {
  return `hawser.traffic.${cluster}.${replica}`;
}

/** Requests from the hub to an agent, such as `proxy-config`; without `replica` all agents of the cluster hear it. */
export function rpcSubject(cluster: string, method: string, replica?: string): string {
  return `hawser.rpc.${cluster}.${method}${suffix(replica)}`;
}

function suffix(replica: string | undefined): string {
  return replica === undefined ? '' : `.${replica}`;
}

/** On the stream of fleet documents, but below another prefix, so that no receiver takes it in: which agent of a cluster publishes. */
export const LEASE_PREFIX = 'hawser.lease';

/** Where the hub writes to find out whether a stream still stores: below no receiver's filter, for no cluster has the hub's name. */
export const STORE_PROBES = [
  { stream: CONFIG_STREAM, subject: `${CONFIG_PREFIX}.hub` },
  { stream: FLEET_STREAM, subject: `${LEASE_PREFIX}.hub` },
] as const;

/** The last message says which of a cluster's agents publishes. */
export function leaseSubject(cluster: string): string {
  return `${LEASE_PREFIX}.${cluster}`;
}

/** Core NATS, among the agents of one cluster: each one's signs of life. */
export function replicaSubject(cluster: string): string {
  return `hawser.replica.${cluster}`;
}

/** The inbox prefix of a cluster's NATS user, so that no user can read another's replies. */
export function inboxPrefix(cluster: string): string {
  return `_INBOX_${cluster.replaceAll('-', '_')}`;
}

/** Document keys below `PREFIX.OWNER.`; resource names may hold dots, which the key escapes. */
export const ROSTER_KEY = 'roster';
export const TRUST_KEY = 'trust';
export const FACTS_KEY = 'facts';
export const DIGEST_KEY = 'digest';

/** Key of an endpoint shard. */
export function shardKey(namespace: string, service: string): string {
  return `shard.${namespace}.${service}`;
}

/** Key of a policy resource; `_` stands where one of the whole federation has no namespace. */
export function policyKey(plural: string, namespace: string, name: string): string {
  return `policy.${plural}.${namespace === '' ? '_' : namespace}.${name.replaceAll('.', '/')}`;
}
