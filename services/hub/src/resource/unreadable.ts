/** What came into the database by another way than the API: it is named and shown, never obeyed, and takes nothing else with it. Pure. */
import { KINDS, type KindDescriptor } from '@hawser/model/kinds.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { fieldPath, schemaProblems } from '@hawser/model/validate-schema.ts';

const BY_NAME: ReadonlyMap<string, KindDescriptor> = new Map(KINDS.map((kind) => [kind.kind, kind]));

/** Why a stored resource cannot be used, with the field; undefined when it can. */
export function unreadable({ kind, metadata, spec }: Resource): string | undefined {
  const descriptor = BY_NAME.get(kind);
  if (descriptor === undefined) return `kind ${kind} is not one that this hub serves`;
  for (const [field, value] of Object.entries({ labels: metadata.labels, annotations: metadata.annotations })) {
    if (value !== undefined && !isTexts(value)) return `metadata.${field} is not an object of texts`;
  }
  if (metadata.name === '') return 'metadata.name is empty';
  if (descriptor.namespaced && (metadata.namespace ?? '') === '') return 'metadata.namespace is empty';
  const [problem] = schemaProblems(descriptor.spec, spec);
  return problem === undefined ? undefined : `${fieldPath(['spec', ...problem.steps])} ${problem.message}`;
}

/** Labels or annotations as stored, when they are what they should be. */
export function isTexts(value: unknown): value is Readonly<Record<string, string>> {
  return (
    value !== null && typeof value === 'object' && !Array.isArray(value) && Object.values(value).every((text) => typeof text === 'string')
  );
}
