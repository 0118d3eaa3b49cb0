/** One resource, from whatever a client sent to what the hub stores, or the list of everything that is wrong with it. Pure. */
import { crdProblems } from './istio/crd-problems.ts';
import { refusal } from './istio/schemas.ts';
import { CLUSTERS_ANNOTATION, type KindDescriptor } from './kinds.ts';
import { parseLabelSelector } from './label-selector.ts';
import type { Issue, Metadata, Resource } from './resource.ts';
import { meaningProblems } from './validate-meaning.ts';
import { validateMetadata } from './validate-metadata.ts';
import { fieldPath, type SchemaProblem, schemaProblems, toIssue } from './validate-schema.ts';

/** A resource in the form the hub answers with, or why it is none. `issues` is never empty. */
export type Validation = { readonly resource: Resource } | { readonly issues: readonly Issue[] };

const MAX_DEPTH = 32;
const TOP_FIELDS: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata', 'spec', 'status']);

/**
 * Checks everything that can be said of a resource without knowing any other. Any served version comes in, the first
 * goes out; `status` and what the server writes into metadata are dropped. Never throws.
 */
export function validateResource(input: unknown, kind: KindDescriptor): Validation {
  return validated(input, kind, (spec, namespace) => {
    const meaning = meaningProblems(kind.kind, spec, namespace);
    return meaning.length > 0 ? meaning : crdProblems(kind.kind, spec);
  });
}

/** Checks what agents get: the form in force, where the kind has one of its own, else the resource itself. */
export function validateInForce(input: unknown, kind: KindDescriptor): Validation {
  const { form } = kind;
  return form === undefined ? validateResource(input, kind) : validated(input, { ...kind, spec: form.spec }, form.problems);
}

type Meaning = (spec: unknown, namespace: string) => readonly SchemaProblem[];

function validated(input: unknown, kind: KindDescriptor, meaning: Meaning): Validation {
  if (!isObject(input)) return { issues: [{ path: '', code: 'FieldValueInvalid', message: `must be one ${kind.kind} object` }] };
  const unstorable = unstorableText(input, [], 0);
  if (unstorable !== undefined) return { issues: [unstorable] };
  const { metadata, issues: metadataIssues } = validateMetadata(input['metadata'], kind);
  const rest = specIssues(input, kind, (spec) => meaning(spec, typeof metadata.namespace === 'string' ? metadata.namespace : ''));
  const issues = [...typeIssues(input, kind), ...metadataIssues, ...placementIssues(metadata, kind), ...rest];
  if (issues.length > 0) return { issues };
  return { resource: { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata, spec: input['spec'] } };
}

/** `GROUP/VERSION` that the hub answers with. */
export function apiVersionOf(kind: KindDescriptor): string {
  return `${kind.group}/${kind.versions[0]}`;
}

function typeIssues(input: Readonly<Record<string, unknown>>, kind: KindDescriptor): readonly Issue[] {
  const issues: Issue[] = [];
  const versions = kind.versions.map((version) => `${kind.group}/${version}`);
  const { apiVersion } = input;
  if (apiVersion === undefined) issues.push({ path: 'apiVersion', code: 'FieldValueRequired', message: `is required: ${versions[0]}` });
  else if (typeof apiVersion !== 'string' || !versions.includes(apiVersion)) {
    issues.push({
      path: 'apiVersion',
      code: 'FieldValueNotSupported',
      message: `is ${short(apiVersion)}; it must be ${versions.join(' or ')}`,
    });
  }
  if (input['kind'] !== kind.kind) {
    const code = input['kind'] === undefined ? 'FieldValueRequired' : 'FieldValueInvalid';
    issues.push({ path: 'kind', code, message: `must be ${kind.kind}` });
  }
  for (const name of Object.keys(input).filter((field) => !TOP_FIELDS.has(field))) {
    issues.push({
      path: fieldPath([name]),
      code: 'UnknownField',
      message: `is not a field of ${kind.kind}; what it is made of goes into spec`,
    });
  }
  return issues;
}

function specIssues(
  input: Readonly<Record<string, unknown>>,
  kind: KindDescriptor,
  meaning: (spec: unknown) => readonly SchemaProblem[],
): readonly Issue[] {
  const { spec } = input;
  if (spec === undefined) return [{ path: 'spec', code: 'FieldValueRequired', message: 'is required' }];
  const problems = schemaProblems(kind.spec, spec);
  if (problems.length > 0) return problems.map((problem) => toIssue('spec', orRefused(kind.kind, problem)));
  return meaning(spec).map((problem) => toIssue('spec', problem));
}

function orRefused(kind: string, problem: SchemaProblem): SchemaProblem {
  const reason = problem.code === 'UnknownField' ? refusal(kind, problem.steps) : undefined;
  if (reason === undefined) return problem;
  return { ...problem, code: 'NotImplemented', message: `is a field of Istio's ${kind} that is refused: ${reason}. Take it out` };
}

function placementIssues(metadata: Metadata, kind: KindDescriptor): readonly Issue[] {
  const selector: unknown = metadata.annotations?.[CLUSTERS_ANNOTATION];
  if (!kind.policy || typeof selector !== 'string') return [];
  const parsed = parseLabelSelector(selector);
  if (!('problem' in parsed)) return [];
  return [{ path: fieldPath(['metadata', 'annotations', CLUSTERS_ANNOTATION]), code: 'FieldValueInvalid', message: parsed.problem }];
}

/** PostgreSQL's jsonb and our stack have limits that JSON has not: NUL, lone surrogates, endless nesting. */
function unstorableText(value: unknown, steps: readonly (string | number)[], depth: number): Issue | undefined {
  if (depth > MAX_DEPTH) return { path: fieldPath(steps), code: 'FieldValueInvalid', message: `is nested more than ${MAX_DEPTH} deep` };
  if (typeof value === 'string') return storable(value) ? undefined : badText(steps);
  if (value === null || typeof value !== 'object') return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const at = [...steps, Array.isArray(value) ? Number(key) : key];
    const found = storable(key) ? unstorableText(inner, at, depth + 1) : badText(steps);
    if (found !== undefined) return found;
  }
  return undefined;
}

function storable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

function badText(steps: readonly (string | number)[]): Issue {
  return { path: fieldPath(steps), code: 'FieldValueInvalid', message: 'has a NUL character or half a surrogate pair' };
}

function short(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 80);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
