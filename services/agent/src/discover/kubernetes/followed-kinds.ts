/** Which collections of an API server an agent reads: the same that its role allows (deploy/kubernetes/agent-rbac.yaml). */
import { IMPORT_NAME_LABEL, MULTICLUSTER } from '@hawser/model/multicluster.ts';
import type { ClusterObjects } from './cluster-objects.ts';
import type { FactsSink } from './known-facts.ts';
import type { ObjectReader } from './object-facts.ts';
import { readService, readServiceExport } from './service-facts.ts';
import type { NamedObject } from './shared-facts.ts';
import { readEndpointSlice } from './slice-facts.ts';
import { readNode, readPod, readSecret } from './workload-facts.ts';

/** One collection. */
export interface FollowedKind {
  /** Unique among them, for sentences. */
  readonly name: string;
  /** What an object of it is: `Pod`. */
  readonly kind: string;
  /** Whether there are servers without this kind. */
  readonly mayBeAbsent: boolean;
  /** Versions of its API, the one that is preferred first. */
  readonly paths: readonly string[];
  readonly query: Readonly<Record<string, string>>;
  readonly pageSize: number;
  /** Whether nothing can be said of the cluster before it was listed. */
  readonly isNecessary: boolean;
  /** The one namespace that it is read of. */
  readonly namespace?: string;
  /** How the agent comes to the right to read it, where that is not as with most. */
  readonly rightBy?: string;
  /** Which of its objects are the cluster's own; all unless given. */
  readonly concerns?: (object: NamedObject) => boolean;
  readonly read: ObjectReader<unknown>;
  table(objects: ClusterObjects): FactsSink<unknown>;
}

/** Large objects come in small pages: each is parsed whole. */
const PAGE = 500;
const POD_PAGE = 200;

/** Paths of what imports are made of, too: nothing of that is ever taken for what serves here. */
export const SERVICES = '/api/v1/services';
export const ENDPOINT_SLICES = '/apis/discovery.k8s.io/v1/endpointslices';
/** Whose EndpointSlices are: the agent's own say where imports are, and are never offered as what serves here. */
export const SLICE_OWNER_LABEL = 'endpointslice.kubernetes.io/managed-by';
export const SLICE_OWNER = 'hawser.dev';

const CLUSTER_WIDE: readonly FollowedKind[] = [
  {
    ...kind('Service', [SERVICES], { read: readService, table: (objects) => objects.services }),
    concerns: ({ labels }) => !(IMPORT_NAME_LABEL in labels),
  },
  {
    ...kind('EndpointSlice', [ENDPOINT_SLICES], { read: readEndpointSlice, table: (objects) => objects.slices }),
    concerns: ({ labels }) => !(IMPORT_NAME_LABEL in labels) && labels[SLICE_OWNER_LABEL] !== SLICE_OWNER,
  },
  {
    ...kind('ServiceExport', multiclusterPaths('serviceexports'), { read: readServiceExport, table: (objects) => objects.exports }),
    mayBeAbsent: true,
  },
  {
    ...kind('Pod', ['/api/v1/pods'], { read: readPod, table: (objects) => objects.pods }),
    // What has ended serves nobody, and in many clusters it is most of the Pods.
    query: { fieldSelector: 'status.phase!=Succeeded,status.phase!=Failed' },
    pageSize: POD_PAGE,
  },
  { ...kind('Node', ['/api/v1/nodes'], { read: readNode, table: (objects) => objects.nodes }), pageSize: POD_PAGE, isNecessary: false },
];

/** All collections of an agent that is given the TLS Secrets of some namespaces. Without Nodes and Secrets a cluster is served all the same. */
export function followedKinds(secretNamespaces: readonly string[]): readonly FollowedKind[] {
  const secrets = secretNamespaces.map((namespace) => ({
    ...kind('Secret', [`/api/v1/namespaces/${namespace}/secrets`], {
      read: readSecret,
      table: (objects) => objects.secrets,
    }),
    name: `secrets of ${namespace}`,
    rightBy: `add ${namespace} to secretNamespaces of the chart hawser-agent, or bind hawser-agent-certificates there (deploy/kubernetes/agent-rbac.yaml)`,
    ...{ namespace, query: { fieldSelector: 'type=kubernetes.io/tls' }, isNecessary: false },
  }));
  return [...CLUSTER_WIDE, ...secrets];
}

/** Of a kind of the MCS API, the version that is preferred first. */
export function multiclusterPaths(plural: string): readonly string[] {
  return MULTICLUSTER.versions.map((version) => `/apis/${MULTICLUSTER.group}/${version}/${plural}`);
}

function kind<Facts>(
  one: string,
  paths: readonly string[],
  { read, table }: { readonly read: ObjectReader<Facts>; table(objects: ClusterObjects): FactsSink<Facts> },
): FollowedKind {
  const name = `${one.toLowerCase()}s`;
  return { name, kind: one, paths, query: {}, pageSize: PAGE, isNecessary: true, mayBeAbsent: false, read, table };
}
