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

/** Core NATS (no stream): an agent's account of its proxies, whole, on change and every few seconds. */
export function statusSubject(cluster: string): string {
  return `hawser.status.${cluster}.proxies`;
}

/** Core NATS: an agent's account of one hub revision, each time it changes. */
export function rolloutSubject(cluster: string): string {
  return `hawser.status.${cluster}.rollout`;
}

/** Requests from the hub to an agent, such as `proxy-config`. */
export function rpcSubject(cluster: string, method: string): string {
  return `hawser.rpc.${cluster}.${method}`;
}

/** The inbox prefix of a cluster's NATS user, so that no user can read another's replies. */
export function inboxPrefix(cluster: string): string {
  return `_INBOX_${cluster.replaceAll('-', '_')}`;
}

/** Document keys below `PREFIX.OWNER.`; resource names may hold dots, which the key escapes. */
export const ROSTER_KEY = 'roster';
export const FACTS_KEY = 'facts';
export const DIGEST_KEY = 'digest';

/** Key of an endpoint shard. */
export function shardKey(namespace: string, service: string): string {
  return `shard.${namespace}.${service}`;
}

/** Key of a policy resource. */
export function policyKey(plural: string, namespace: string, name: string): string {
  return `policy.${plural}.${namespace}.${name.replaceAll('.', '/')}`;
}
