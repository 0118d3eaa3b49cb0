/** What an API server says of Namespaces, ServiceImports and ServiceExports → what the controller compares. Pure. */
import Type, { type Static } from 'typebox';
import { mapOf, nullable, ObjectMeta, objectReader } from '../discover/kubernetes/object-facts.ts';

/** A condition as both kinds have them (meta/v1). */
export const Condition = Type.Object({
  type: Type.String(),
  status: Type.String(),
  observedGeneration: Type.Optional(Type.Integer()),
  lastTransitionTime: Type.Optional(nullable(Type.String())),
  reason: Type.Optional(Type.String()),
  message: Type.Optional(Type.String()),
});
export type Condition = Static<typeof Condition>;

/** A Namespace. */
export interface NamespaceState {
  readonly labels: Readonly<Record<string, string>>;
  /** Nothing can be made in it any more. */
  readonly isEnding: boolean;
}

/** What any object that is written to has. */
export interface ObjectVersion {
  readonly resourceVersion: string;
  readonly uid: string;
  readonly generation: number;
}

/** A ServiceImport, as it is. */
export interface ImportState extends ObjectVersion {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Whatever it is. */
  readonly spec: Readonly<Record<string, unknown>>;
  /** Undefined before anybody wrote one. */
  readonly status: Readonly<Record<string, unknown>> | undefined;
}

/** A ServiceExport, as it is. */
export interface ExportState extends ObjectVersion {
  readonly conditions: readonly Condition[];
}

/** Metadata of an object that is written to. */
export const Written = Type.Object({
  ...ObjectMeta.properties,
  resourceVersion: Type.String({ minLength: 1 }),
  generation: Type.Optional(Type.Integer()),
});
export type Written = Static<typeof Written>;
const Loose = Type.Record(Type.String(), Type.Unknown());

/** Reads Namespaces (v1). */
export const readNamespace = objectReader(
  'Namespace',
  Type.Object({ metadata: ObjectMeta }),
  ({ metadata }): NamespaceState => ({ labels: mapOf(metadata.labels), isEnding: typeof metadata.deletionTimestamp === 'string' }),
);

/** Reads ServiceImports (multicluster.x-k8s.io) of either version. */
export const readImportState = objectReader(
  'ServiceImport',
  Type.Object({ metadata: Written, spec: nullable(Loose), status: nullable(Loose) }),
  ({ metadata, spec, status }): ImportState => ({
    ...versionOf(metadata),
    ...{ labels: mapOf(metadata.labels), annotations: mapOf(metadata.annotations), spec: spec ?? {}, status: status ?? undefined },
  }),
);

/** Reads what ServiceExports say of themselves. */
export const readExportState = objectReader(
  'ServiceExport',
  Type.Object({ metadata: Written, status: nullable(Type.Object({ conditions: nullable(Type.Array(Condition)) })) }),
  ({ metadata, status }): ExportState => ({ ...versionOf(metadata), conditions: status?.conditions ?? [] }),
);

/** Which version of the object it is. */
export function versionOf({ resourceVersion, uid = '', generation = 0 }: Written): ObjectVersion {
  return { resourceVersion, uid, generation };
}

/** Clusters that an import says it is of; undefined when it does not say. */
export function clustersOf({ status }: ImportState): readonly string[] | undefined {
  const clusters = status?.['clusters'];
  if (!Array.isArray(clusters)) return undefined;
  return clusters.flatMap((one: { cluster?: unknown } | null) => (typeof one?.cluster === 'string' ? [one.cluster] : []));
}

/** Addresses that an import has. */
export function ipsOf(state: ImportState | undefined): readonly string[] {
  const ips = state?.spec['ips'];
  return Array.isArray(ips) ? ips.filter((ip) => typeof ip === 'string') : [];
}
