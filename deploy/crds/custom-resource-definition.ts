/** The CustomResourceDefinition of a kind (apiextensions.k8s.io/v1), made from its spec's schema. Pure. */
import type { KindDescriptor } from '@hawser/model/kinds.ts';
import { celRules } from './cel-rules.ts';
import { type StructuralSchema, structuralSchema } from './structural-schema.ts';

/** One version of a kind. */
export interface CrdVersion {
  readonly name: string;
  readonly schema: StructuralSchema;
  /** The one that is kept. */
  readonly storage: boolean;
  readonly columns: readonly object[];
}

/** What a definition is made of. */
export interface CrdParts {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly namespaced: boolean;
  readonly versions: readonly CrdVersion[];
}

const AGE = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };
const TEXT: StructuralSchema = { type: 'string' };

/** One condition (metav1.Condition). */
const CONDITION: StructuralSchema = {
  type: 'object',
  required: ['type', 'status', 'lastTransitionTime', 'reason', 'message'],
  properties: {
    type: { ...TEXT, maxLength: 316 },
    status: { ...TEXT, enum: ['True', 'False', 'Unknown'] },
    observedGeneration: { type: 'integer', format: 'int64', minimum: 0 },
    lastTransitionTime: { ...TEXT, format: 'date-time' },
    reason: { ...TEXT, minLength: 1, maxLength: 1024 },
    message: { ...TEXT, maxLength: 32_768 },
  },
};

/** Conditions of a status, one of each type. */
export const CONDITIONS: StructuralSchema = {
  description: 'What is so now.',
  ...{ type: 'array', items: CONDITION, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] },
};

/** The definition. */
export function customResourceDefinition({ group, kind, plural, shortNames, namespaced, versions }: CrdParts): object {
  const names = { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: { ...names, ...(shortNames.length === 0 ? {} : { shortNames }) },
      scope: namespaced ? 'Namespaced' : 'Cluster',
      versions: versions.map(({ name, schema, storage, columns }) => ({
        ...{ name, served: true, storage, schema: { openAPIV3Schema: schema }, subresources: { status: {} } },
        additionalPrinterColumns: [...columns, AGE],
      })),
    },
  };
}

/** A whole object; without a spec's `required` it may go without. */
export function objectSchema(parts: {
  readonly description: string;
  readonly spec: StructuralSchema;
  readonly status: StructuralSchema;
  readonly metadata?: StructuralSchema;
  readonly required?: readonly string[];
}): StructuralSchema {
  const { description, spec, status, metadata = { type: 'object' }, required = [] } = parts;
  const properties = { apiVersion: TEXT, kind: TEXT, metadata, spec, status };
  return { description, type: 'object', ...(required.length === 0 ? {} : { required }), properties };
}

/** Whatever the hub says of it: conditions, and fields of each kind. */
const HUB_STATUS: StructuralSchema = {
  description: 'What became of it, as the hub says.',
  ...{ type: 'object', properties: { conditions: CONDITIONS }, 'x-kubernetes-preserve-unknown-fields': true },
};

/** A kind of ours. */
export function definitionOf(kind: KindDescriptor): object {
  const { kind: name, versions, policy } = kind;
  const spec = structuralSchema(kind.spec, celRules(name));
  const description = spec.description ?? name;
  // Its name is its cluster id, which must be a label (RFC 1123).
  const metadata = name === 'Cluster' ? { metadata: { type: 'object' as const, properties: { name: { ...TEXT, maxLength: 63 } } } } : {};
  const schema = objectSchema({ description, spec, status: HUB_STATUS, required: ['spec'], ...metadata });
  const columns = policy ? ['Accepted', 'Programmed'].map(conditionColumn) : [];
  return customResourceDefinition({
    ...{ ...kind, kind: name },
    versions: versions.map((version, index) => ({ name: version, schema, storage: index === 0, columns })),
  });
}

/** Whether a condition holds, in tables of kubectl. */
export function conditionColumn(type: string): object {
  return { name: type, type: 'string', jsonPath: `.status.conditions[?(@.type=="${type}")].status` };
}
