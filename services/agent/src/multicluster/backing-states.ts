/** Objects that stand behind imports, as an API server has them: Services and EndpointSlices, cut down to what the agent writes. Pure. */
import { SOURCE_CLUSTER_LABEL } from '@hawser/model/multicluster.ts';
import { serviceKey } from '@hawser/model/service-host.ts';
import Type, { type Static } from 'typebox';
import { mapOf, nullable, objectReader } from '../discover/kubernetes/object-facts.ts';
import type { JsonObject } from './merge-patch.ts';
import { type ObjectVersion, versionOf, Written } from './object-states.ts';

/** One of them. */
export interface BackingState extends ObjectVersion {
  readonly labels: Readonly<Record<string, string>>;
  readonly owners: readonly JsonObject[];
  /** What of it the agent decides, as it would write it. */
  readonly content: JsonObject;
  /** Of a Service: the address that the API server gave it. */
  readonly ip?: string;
}

const Owned = Type.Object({ ...Written.properties, ownerReferences: nullable(Type.Array(Type.Record(Type.String(), Type.Unknown()))) });
const Flag = nullable(Type.Boolean());
const Text = nullable(Type.String());
const Port = Type.Object({ name: Text, port: nullable(Type.Integer()), protocol: Text, appProtocol: Text });
const Selector = nullable(Type.Record(Type.String(), Type.String()));

/** Reads Services (v1). */
export const readBackingService = objectReader(
  'Service',
  Type.Object({
    metadata: Owned,
    spec: Type.Object({
      ...{ type: Text, clusterIP: Text, selector: Selector, sessionAffinity: Text, internalTrafficPolicy: Text },
      ...{ externalIPs: nullable(Type.Array(Type.String())), ports: nullable(Type.Array(Port)) },
    }),
  }),
  ({ metadata, spec: { clusterIP, ports, ...spec } }): BackingState => ({
    ...stateOf(metadata),
    content: { spec: { ...said(spec), ports: (ports ?? []).map(said) } },
    ...(clusterIP && clusterIP !== 'None' ? { ip: clusterIP } : {}),
  }),
);

const Endpoint = Type.Object({
  addresses: Type.Array(Type.String()),
  conditions: nullable(Type.Object({ ready: Flag, serving: Flag, terminating: Flag })),
  ...{ hostname: Text, zone: Text, nodeName: Text },
});

/** Reads EndpointSlices (discovery.k8s.io/v1). */
export const readBackingSlice = objectReader(
  'EndpointSlice',
  Type.Object({
    metadata: Owned,
    ...{ addressType: Type.String(), endpoints: nullable(Type.Array(Endpoint)), ports: nullable(Type.Array(Port)) },
  }),
  ({ metadata, addressType, endpoints, ports }): BackingState => ({
    ...stateOf(metadata),
    content: {
      ...{ addressType, ports: (ports ?? []).map(said) },
      endpoints: (endpoints ?? []).map(({ conditions, ...endpoint }) => ({ ...said(endpoint), conditions: said(conditions ?? {}) })),
    },
  }),
);

/** Key of the import that owns this object, of those found by `OWN_SERVICES` or `OWN_SLICES`; undefined of one that an agent did not make. */
export function backedImportKey(name: string, state: Pick<BackingState, 'owners'> | undefined): string | undefined {
  const owner = state?.owners.find(({ kind }) => kind === 'ServiceImport')?.['name'];
  return typeof owner === 'string' ? serviceKey({ namespace: name.slice(0, name.indexOf('/')), service: owner }) : undefined;
}

/** Whether an own EndpointSlice is of a cluster that exports (`--import-endpoint-slices`); others are of derived Services. */
export function isImportedSlice({ labels }: Pick<BackingState, 'labels'>): boolean {
  return SOURCE_CLUSTER_LABEL in labels;
}

function stateOf(metadata: Static<typeof Owned>): Omit<BackingState, 'content'> {
  return { ...versionOf(metadata), labels: mapOf(metadata.labels), owners: metadata.ownerReferences ?? [] };
}

/** Only the fields that are read, and of those the ones that say something: an API server has many more. */
const READ = new Set([
  ...['type', 'selector', 'sessionAffinity', 'internalTrafficPolicy', 'externalIPs', 'name', 'port', 'protocol', 'appProtocol'],
  ...['addresses', 'hostname', 'zone', 'nodeName', 'ready', 'serving', 'terminating'],
]);

function said(object: object): JsonObject {
  return Object.fromEntries(
    Object.entries(object).filter(([key, value]) => READ.has(key) && value !== null && value !== undefined && value !== ''),
  );
}
