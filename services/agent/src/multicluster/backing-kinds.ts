/** What stands behind imports on the API server: which of it the agent reads, beside the source, and what it may write where a switch is on. */
import { ENDPOINT_SLICES, SERVICES, SLICE_OWNER, SLICE_OWNER_LABEL } from '../discover/kubernetes/followed-kinds.ts';
import type { NamedObject } from '../discover/kubernetes/shared-facts.ts';
import { OWNER, OWNER_LABEL } from './wanted-import.ts';

/** A Service. */
export interface GatewayName {
  readonly namespace: string;
  readonly name: string;
}

/** Settings of what stands behind imports; with both off, what was there before is taken away. */
export interface BackingSettings {
  /** The Service that leads ClusterSetIPs to the mesh, where imports have derived Services; undefined where they have none. */
  readonly outboundGateway: GatewayName | undefined;
  /** Whether imports have EndpointSlices of the clusters that export them. */
  readonly importEndpointSlices: boolean;
}

/** Queries for the own Services and EndpointSlices, and the same of an object that was read. */
export const OWN_SERVICES = { labelSelector: `${OWNER_LABEL}=${OWNER}` } as const;
export const OWN_SLICES = { labelSelector: `${SLICE_OWNER_LABEL}=${SLICE_OWNER}` } as const;
export function isOwnService({ labels }: NamedObject): boolean {
  return labels[OWNER_LABEL] === OWNER;
}
export function isOwnSlice({ labels }: NamedObject): boolean {
  return labels[SLICE_OWNER_LABEL] === SLICE_OWNER;
}

const VERBS = ['create', 'patch', 'delete'] as const;

/** What is written, by the path of the kind, where imports have derived Services, and where they have EndpointSlices. */
export const BACKING_WRITES = [
  ['/services', VERBS],
  ['discovery.k8s.io/endpointslices', VERBS],
] as const satisfies readonly (readonly [resource: string, verbs: readonly string[]])[];

/** By kind. */
export const BACKING_COLLECTIONS = { Service: SERVICES, EndpointSlice: ENDPOINT_SLICES } as const;
