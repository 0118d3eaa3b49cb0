/** Which collections the controller reads, beside those of the source: its role allows the same (deploy/kubernetes/agent-rbac.yaml). */
import type { ObjectReader } from '../discover/kubernetes/object-facts.ts';
import { readExportState, readImportState, readNamespace } from './object-states.ts';

/** Versions of the MCS API, the one that is preferred first. */
const VERSIONS = ['v1beta1', 'v1alpha1'] as const;

interface Kind {
  readonly kind: string;
  readonly mayBeAbsent?: boolean;
  readonly paths: readonly string[];
  readonly read: ObjectReader<unknown>;
}

/** By the plural of each kind. */
export const MULTICLUSTER_KINDS = {
  namespaces: { kind: 'Namespace', mayBeAbsent: false, paths: ['/api/v1/namespaces'], read: readNamespace },
  serviceimports: { kind: 'ServiceImport', mayBeAbsent: true, paths: ofMulticluster('serviceimports'), read: readImportState },
  serviceexports: { kind: 'ServiceExport', mayBeAbsent: true, paths: ofMulticluster('serviceexports'), read: readExportState },
} as const satisfies Readonly<Record<string, Kind>>;

/** What is written, by the path of the kind: verbs, and the subresource where it is only that. */
export const MULTICLUSTER_WRITES: readonly (readonly [resource: string, verbs: readonly string[]])[] = [
  ['multicluster.x-k8s.io/serviceimports', ['create', 'patch', 'delete']],
  ['multicluster.x-k8s.io/serviceimports/status', ['patch']],
  ['multicluster.x-k8s.io/serviceexports/status', ['patch']],
];

function ofMulticluster(plural: string): readonly string[] {
  return VERSIONS.map((version) => `/apis/multicluster.x-k8s.io/${version}/${plural}`);
}
