/** Values against the TypeBox schemas of specs, with every problem named by its field path. Pure. */

import { DURATION_PATTERN, LABEL_PATTERN } from './patterns.ts';
import type { Issue, IssueCode } from './resource.ts';

/** The part of JSON Schema that the specs use. */
interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minItems?: number;
  readonly uniqueItems?: boolean;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

/** A problem, with the path in steps: `['http', 0, 'route']`. */
export interface SchemaProblem {
  readonly steps: readonly (string | number)[];
  readonly code: IssueCode;
  readonly message: string;
}

/** Every problem of a value, unknown fields among them. */
export function schemaProblems(schema: object, value: unknown): readonly SchemaProblem[] {
  return walk(schema as Schema, value, []);
}

/** `spec.http[0].match`; keys that are no identifiers are quoted: `metadata.labels["a/b"]`. */
export function fieldPath(steps: readonly (string | number)[]): string {
  return steps
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`;
      if (!/^[A-Za-z_$][\w$-]*$/.test(step)) return `[${JSON.stringify(step)}]`;
      return index === 0 ? step : `.${step}`;
    })
    .join('');
}

/** A problem as the API reports it, below `prefix`. */
export function toIssue(prefix: string, problem: SchemaProblem): Issue {
  return { path: fieldPath([prefix, ...problem.steps]), code: problem.code, message: problem.message };
}

type Steps = readonly (string | number)[];

function walk(schema: Schema, value: unknown, steps: Steps): readonly SchemaProblem[] {
  if (schema.anyOf !== undefined) return walkUnion(schema.anyOf, value, steps);
  if (schema.const !== undefined) return value === schema.const ? [] : [invalid(steps, `must be ${JSON.stringify(schema.const)}`)];
  if (schema.type === 'object') return isObject(value) ? walkObject(schema, value, steps) : [wrongType(steps, 'an object', value)];
  if (schema.type === 'array') return Array.isArray(value) ? walkArray(schema, value, steps) : [wrongType(steps, 'a list', value)];
  if (schema.type === 'string') return typeof value === 'string' ? walkString(schema, value, steps) : [wrongType(steps, 'text', value)];
  if (schema.type === 'integer') return walkInteger(schema, value, steps);
  if (schema.type === 'number') return typeof value === 'number' ? walkBounds(schema, value, steps) : [wrongType(steps, 'a number', value)];
  if (schema.type === 'null') return value === null ? [] : [wrongType(steps, 'null', value)];
  if (schema.type === 'boolean') return typeof value === 'boolean' ? [] : [wrongType(steps, 'true or false', value)];
  return [];
}

function walkObject(schema: Schema, value: Readonly<Record<string, unknown>>, steps: Steps): readonly SchemaProblem[] {
  const problems: SchemaProblem[] = [];
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name)) problems.push({ steps: [...steps, name], code: 'FieldValueRequired', message: 'is required' });
  }
  const patterns = Object.entries(schema.patternProperties ?? {});
  for (const [name, inner] of Object.entries(value)) {
    const at = [...steps, name];
    const known = schema.properties !== undefined && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
    const matching = known ?? patterns.find(([pattern]) => new RegExp(pattern).test(name))?.[1];
    if (matching !== undefined) problems.push(...walk(matching, inner, at));
    else if (patterns.length > 0) problems.push(invalid(at, `the key must match ${patterns.map(([pattern]) => pattern).join(' or ')}`));
    else problems.push({ steps: at, code: 'UnknownField', message: unknownMessage(name, Object.keys(schema.properties ?? {})) });
  }
  return problems;
}

function walkArray(schema: Schema, value: readonly unknown[], steps: Steps): readonly SchemaProblem[] {
  const problems: SchemaProblem[] = [];
  const least = schema.minItems ?? 0;
  if (value.length < least)
    problems.push({ steps, code: 'FieldValueRequired', message: `needs at least ${least} ${least === 1 ? 'entry' : 'entries'}` });
  const seen = new Set<string>();
  for (const [index, inner] of value.entries()) {
    if (schema.items !== undefined) problems.push(...walk(schema.items, inner, [...steps, index]));
    const text = JSON.stringify(inner);
    if (schema.uniqueItems === true && seen.has(text)) {
      problems.push({ steps: [...steps, index], code: 'FieldValueDuplicate', message: `${text} is listed twice` });
    }
    seen.add(text);
  }
  return problems;
}

function walkString(schema: Schema, value: string, steps: Steps): readonly SchemaProblem[] {
  if (schema.minLength !== undefined && value.length < schema.minLength) return [invalid(steps, 'must not be empty')];
  if (schema.maxLength !== undefined && value.length > schema.maxLength) {
    return [invalid(steps, `has ${value.length} characters; at most ${schema.maxLength} are allowed`)];
  }
  if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value)) {
    return [invalid(steps, `is ${quoted(value)}: ${PATTERN_HINTS.get(schema.pattern) ?? `must match ${schema.pattern}`}`)];
  }
  return [];
}

function walkInteger(schema: Schema, value: unknown, steps: Steps): readonly SchemaProblem[] {
  if (typeof value !== 'number' || !Number.isInteger(value)) return [wrongType(steps, 'a whole number', value)];
  return walkBounds(schema, value, steps);
}

function walkBounds(schema: Schema, value: number, steps: Steps): readonly SchemaProblem[] {
  const [least, most] = [schema.minimum ?? Number.NEGATIVE_INFINITY, schema.maximum ?? Number.POSITIVE_INFINITY];
  if (value >= least && value <= most) return [];
  return [invalid(steps, `is ${value}; it must be ${schema.maximum === undefined ? `at least ${least}` : `from ${least} to ${most}`}`)];
}

/** Unions in specs are of constants, of plain types, or of objects that differ in their one field. */
function walkUnion(branches: readonly Schema[], value: unknown, steps: Steps): readonly SchemaProblem[] {
  const results = branches.map((branch) => walk(branch, value, steps));
  if (results.some((problems) => problems.length === 0)) return [];
  const constants = branches.filter((branch) => branch.const !== undefined);
  if (constants.length === branches.length) {
    const allowed = constants.map((branch) => JSON.stringify(branch.const)).join(', ');
    return [{ steps, code: 'FieldValueNotSupported', message: `is ${quoted(value)}; it must be one of ${allowed}` }];
  }
  const names = branches.flatMap((branch) => Object.keys(branch.properties ?? {}));
  if (names.length === 0) return [wrongType(steps, branches.map(({ type = 'anything' }) => type).join(' or '), value)];
  if (!isObject(value)) return [wrongType(steps, `an object with one of ${names.join(', ')}`, value)];
  const unknown = Object.keys(value).filter((name) => !names.includes(name));
  const strangers = unknown.map(
    (name): SchemaProblem => ({ steps: [...steps, name], code: 'UnknownField', message: unknownMessage(name, names) }),
  );
  if (strangers.length > 0) return strangers;
  const given = Object.keys(value);
  const only = given.length === 1 ? branches.findIndex((branch) => Object.hasOwn(branch.properties ?? {}, given[0] ?? '')) : -1;
  return only >= 0 ? (results[only] ?? []) : [invalid(steps, `must have exactly one of ${names.join(', ')}`)];
}

/** What to write instead, for the patterns of `kind-specs.ts`. */
const PATTERN_HINTS: ReadonlyMap<string, string> = new Map([
  [LABEL_PATTERN, 'must be a name of lower-case letters, digits and "-", at most 63 characters (RFC 1123)'],
  [DURATION_PATTERN, 'must be a duration such as 500ms, 90s or 1m30s'],
]);

function unknownMessage(name: string, known: readonly string[]): string {
  const near = known.find((candidate) => candidate.toLowerCase() === name.toLowerCase());
  if (near !== undefined) return `is not a field here; did you mean ${near}?`;
  return known.length === 0 ? 'is not a field here' : `is not a field here; known are ${known.join(', ')}`;
}

function invalid(steps: Steps, message: string): SchemaProblem {
  return { steps, code: 'FieldValueInvalid', message };
}

function wrongType(steps: Steps, wanted: string, value: unknown): SchemaProblem {
  return invalid(steps, `must be ${wanted}, and is ${quoted(value)}`);
}

function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
