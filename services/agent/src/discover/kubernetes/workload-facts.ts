/** Pods, Nodes and Secrets of an API server: the little that is used of each. Pure. */
import Type from 'typebox';
import type { SecretObject } from '../registry-kinds.ts';
import { mapOf, nullable, ObjectMeta, objectReader } from './object-facts.ts';

/** Who serves in a Pod. */
export interface PodFacts {
  readonly uid: string;
  readonly serviceAccount: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Labels that number the generations of Pods: no policy goes by them, and each rollout would change them. */
const GENERATION_LABELS = new Set(['pod-template-hash', 'controller-revision-hash', 'pod-template-generation']);

/** Equal labels of the Pods of a Deployment are one object. */
const shared = new Map<string, Readonly<Record<string, string>>>();
const MAX_SHARED = 10_000;

/** Reads Pods (v1). */
export const readPod = objectReader(
  'Pod',
  Type.Object({ metadata: ObjectMeta, spec: Type.Object({ serviceAccountName: Type.Optional(Type.String()) }) }),
  ({ metadata, spec }): PodFacts => {
    const labels = Object.entries(mapOf(metadata.labels)).filter(([name]) => !GENERATION_LABELS.has(name));
    return { uid: metadata.uid ?? '', serviceAccount: spec.serviceAccountName || 'default', labels: sharedLabels(labels) };
  },
);

function sharedLabels(labels: readonly (readonly [string, string])[]): Readonly<Record<string, string>> {
  const text = JSON.stringify(labels);
  const known = shared.get(text);
  if (known !== undefined) return known;
  if (shared.size >= MAX_SHARED) shared.clear();
  const made = Object.fromEntries(labels);
  shared.set(text, made);
  return made;
}

/** Where a Node stands. */
export interface NodeFacts {
  readonly zone: string;
}

/** Reads Nodes (v1): the well-known topology label. The region is the cluster's own. */
export const readNode = objectReader('Node', Type.Object({ metadata: ObjectMeta }), ({ metadata }): NodeFacts => {
  return { zone: mapOf(metadata.labels)['topology.kubernetes.io/zone'] ?? '' };
});

/** Reads Secrets (v1) of type kubernetes.io/tls, which is all that is asked for. */
export const readSecret = objectReader(
  'Secret',
  Type.Object({ metadata: ObjectMeta, type: Type.Optional(Type.String()), data: nullable(Type.Record(Type.String(), Type.String())) }),
  ({ metadata, type, data }): SecretObject => {
    const { name, namespace = 'default' } = metadata;
    const kept = Object.entries(data ?? {}).filter(([file]) => SECRET_FILES.has(file));
    return {
      ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace } },
      ...(type === undefined ? {} : { type }),
      data: Object.fromEntries(kept),
    };
  },
);

const SECRET_FILES = new Set(['tls.crt', 'tls.key', 'ca.crt', 'ca.crl']);
