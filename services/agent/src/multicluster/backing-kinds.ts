/** What stands behind imports on the API server: which of it the agent reads, beside the source, and what it may write where a switch is on. */
import { ENDPOINT_SLICES, SERVICES, SLICE_OWNER, SLICE_OWNER_LABEL } from '../discover/kubernetes/followed-kinds.ts';
import { SLICE_SERVICE_LABEL } from '../discover/registry-kinds.ts';
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

/** Queries for the own Services and EndpointSlices, and path and query of the outbound gateway's. */
export const OWN_SERVICES = { labelSelector: `${OWNER_LABEL}=${OWNER}` } as const;
export const OWN_SLICES = { labelSelector: `${SLICE_OWNER_LABEL}=${SLICE_OWNER}` } as const;
export function gatewaySlices({ namespace, name }: GatewayName): {
  readonly path: string;
  readonly query: { readonly labelSelector: string };
} {
  return {
    path: ENDPOINT_SLICES.replace('/endpointslices', `/namespaces/${namespace}/endpointslices`),
    query: { labelSelector: `${SLICE_SERVICE_LABEL}=${name}` },
  };
}

const VERBS = ['create', 'patch', 'delete'] as const;

/** What is written, by the path of the kind, where imports have derived Services, and where they have EndpointSlices. */
export const BACKING_WRITES = [
  ['/services', VERBS],
  ['discovery.k8s.io/endpointslices', VERBS],
] as const satisfies readonly (readonly [resource: string, verbs: readonly string[]])[];

/** By kind. */
export const BACKING_COLLECTIONS = { Service: SERVICES, EndpointSlice: ENDPOINT_SLICES } as const;
