/** Which collections the controller reads, beside those of the source: its role allows the same (deploy/kubernetes/agent-rbac.yaml). */
import { multiclusterPaths } from '../discover/kubernetes/followed-kinds.ts';
import type { ObjectReader } from '../discover/kubernetes/object-facts.ts';
import { readImportState, readNamespace } from './object-states.ts';

interface Kind {
  readonly kind: string;
  readonly mayBeAbsent?: boolean;
  readonly paths: readonly string[];
  readonly read: ObjectReader<unknown>;
}

/** By the plural of each kind; ServiceExports, Services and EndpointSlices are the source's (`ImportFacts`). */
export const MULTICLUSTER_KINDS = {
  namespaces: { kind: 'Namespace', mayBeAbsent: false, paths: ['/api/v1/namespaces'], read: readNamespace },
  serviceimports: { kind: 'ServiceImport', mayBeAbsent: true, paths: multiclusterPaths('serviceimports'), read: readImportState },
} as const satisfies Readonly<Record<string, Kind>>;

/** What is written, by the path of the kind: verbs, and the subresource where it is only that. */
export const MULTICLUSTER_WRITES: readonly (readonly [resource: string, verbs: readonly string[]])[] = [
  ['multicluster.x-k8s.io/serviceimports', ['create', 'patch', 'delete']],
  ['multicluster.x-k8s.io/serviceimports/status', ['patch']],
  ['multicluster.x-k8s.io/serviceexports/status', ['patch']],
];
