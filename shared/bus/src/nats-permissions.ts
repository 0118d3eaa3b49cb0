/** What each NATS user may do: allow-lists only (RELIABILITY 0.4), so a new subject is closed until it is named here. Pure. */
import {
  CONFIG_PREFIX,
  CONFIG_STREAM,
  configSubjects,
  FLEET_PREFIX,
  FLEET_STREAM,
  fleetSubjects,
  inboxPrefix,
  leaseSubject,
  replicaSubject,
  rpcSubject,
  STORE_PROBES,
  trafficSubject,
} from '@hawser/wire/subjects.ts';

/** Subjects that may be published to and subscribed to. */
export interface NatsPermissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/**
 * A cluster: publishes its own fleet documents and status, reads its own config and everyone's fleet documents, answers requests
 * made to it; its agents settle among themselves which of them publishes. A consumer's filter is part of the subject that creates it; `STREAM.INFO` shows the names of others' keys, not their
 * bodies. Neither deletes, purges nor direct gets.
 */
export function clusterPermissions(cluster: string): NatsPermissions {
  return {
    publish: [
      fleetSubjects(cluster),
      `${FLEET_PREFIX}.${cluster}`,
      `hawser.status.${cluster}.>`,
      trafficSubject(cluster, '*'),
      ...[CONFIG_STREAM, FLEET_STREAM].flatMap((stream) => [`$JS.API.STREAM.INFO.${stream}`, `$JS.FC.${stream}.>`]),
      `$JS.API.CONSUMER.CREATE.${CONFIG_STREAM}.*.${configSubjects(cluster)}`,
      `$JS.API.CONSUMER.CREATE.${FLEET_STREAM}.*.${FLEET_PREFIX}.>`,
      `$JS.API.CONSUMER.CREATE.${FLEET_STREAM}.*.${leaseSubject(cluster)}`,
      leaseSubject(cluster),
      replicaSubject(cluster),
    ],
    subscribe: [`${inboxPrefix(cluster)}.>`, rpcSubject(cluster, '>'), replicaSubject(cluster)],
  };
}

/** The hub: everything of Hawser's, and the two streams' administration. Its inbox is the default `_INBOX`. */
export function hubPermissions(): NatsPermissions {
  const streams = [CONFIG_STREAM, FLEET_STREAM];
  return {
    publish: [
      `${CONFIG_PREFIX}.>`,
      ...STORE_PROBES.map(({ subject }) => subject),
      'hawser.rpc.>',
      ...streams.flatMap((stream) => [
        ...['INFO', 'CREATE', 'UPDATE'].map((call) => `$JS.API.STREAM.${call}.${stream}`),
        `$JS.API.CONSUMER.CREATE.${stream}.>`,
        `$JS.FC.${stream}.>`,
      ]),
    ],
    subscribe: ['_INBOX.>', 'hawser.status.>', trafficSubject('*', '*')],
  };
}
