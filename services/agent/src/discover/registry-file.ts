/** Text of one registry file → its objects, or what is wrong with it and where. Pure. */
import { Compile, type Validator } from 'typebox/compile';
import type { TLocalizedValidationError } from 'typebox/error';
import { type Document, LineCounter, parseAllDocuments } from 'yaml';
import { REGISTRY_KINDS, type RegistryObject } from './registry-kinds.ts';

/** One fault of a file. `line` counts from 1; `field` is a path such as `spec.ports[0].port`, empty for the whole object. */
export interface FileIssue {
  readonly line: number;
  readonly field: string;
  readonly message: string;
}

/** All objects of a file, or all its faults: a file is taken whole or not at all. */
export type ParsedFile = { readonly objects: readonly RegistryObject[] } | { readonly issues: readonly FileIssue[] };

const checks = new Map<string, Validator>();

/** The check of a kind, compiled when its first object comes: most registries have few kinds. */
function checkOf(kind: string): Validator | undefined {
  const schema = REGISTRY_KINDS.get(kind);
  if (schema !== undefined && !checks.has(kind)) checks.set(kind, Compile(schema));
  return checks.get(kind);
}

/** Parses YAML (several documents) or JSON. A text without any object is a fault: half-written files are often empty. */
export function parseRegistryFile(text: string): ParsedFile {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, uniqueKeys: true });
  if (!Array.isArray(documents)) return { issues: [{ line: 1, field: '', message: NO_OBJECT }] };
  const issues: FileIssue[] = [];
  const objects: RegistryObject[] = [];
  for (const document of documents) {
    const found = readDocument(document, lines);
    if ('issues' in found) issues.push(...found.issues);
    else objects.push(...found.objects);
  }
  if (issues.length > 0) return { issues };
  return objects.length > 0 ? { objects } : { issues: [{ line: 1, field: '', message: NO_OBJECT }] };
}

const UNKNOWN = 'unknown field';
const NO_OBJECT = 'the file holds no object; delete the file to remove what it held';

function readDocument(document: Document.Parsed, lines: LineCounter): ParsedFile {
  const faults = document.errors.map((error) => ({
    line: error.linePos?.[0].line ?? 1,
    field: '',
    message: (error.message.split('\n')[0] ?? error.message).replace(/ at line \d+, column \d+:$/, ''),
  }));
  if (faults.length > 0) return { issues: faults };
  const value = toValue(document);
  if (value instanceof Error) return { issues: [{ line: 1, field: '', message: value.message }] };
  if (value === null || value === undefined) return { objects: [] };
  const at = (path: readonly (string | number)[]): number => lineOf(document, path, lines);
  const kind = typeof value === 'object' && 'kind' in value ? value.kind : undefined;
  const check = typeof kind === 'string' ? checkOf(kind) : undefined;
  if (check === undefined) return { issues: [{ line: at(['kind']), field: 'kind', message: unknownKind(kind) }] };
  if (check.Check(value)) return { objects: [value as RegistryObject] };
  return { issues: readable(check.Errors(value), at) };
}

/** Aliases are resolved here, and their number is bounded by the parser. */
function toValue(document: Document.Parsed): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function unknownKind(kind: unknown): string {
  const known = [...REGISTRY_KINDS.keys()].join(', ');
  return kind === undefined
    ? `kind is missing; a registry holds ${known}`
    : `unknown kind ${JSON.stringify(kind)}; a registry holds ${known}`;
}

function readable(errors: readonly TLocalizedValidationError[], at: (path: readonly (string | number)[]) => number): FileIssue[] {
  const issues: FileIssue[] = [];
  for (const error of errors) {
    const path = pointer(error.instancePath);
    for (const [more, message] of describe(error, errors)) {
      const full = more === undefined ? path : [...path, more];
      issues.push({ line: at(full), field: fieldPath(full), message });
    }
  }
  // A misspelt field is the cause of the missing one: it comes first.
  issues.sort((a, b) => Number(b.message === UNKNOWN) - Number(a.message === UNKNOWN));
  return issues.length > 0 ? issues : [{ line: at([]), field: '', message: 'the object does not have the shape of its kind' }];
}

/** What one schema error means; none for those that only repeat another. */
function describe(error: TLocalizedValidationError, all: readonly TLocalizedValidationError[]): [string | undefined, string][] {
  switch (error.keyword) {
    case 'additionalProperties':
      return error.params.additionalProperties.map((name) => [name, UNKNOWN]);
    case 'required':
      return error.params.requiredProperties.map((name) => [name, 'is required']);
    case 'boolean':
      return [];
    case 'anyOf':
      return [[undefined, `must be one of ${allowed(error.instancePath, all) || 'the documented forms'}`]];
    case 'const':
      return alternatives(error, all) ? [] : [[undefined, `must be ${JSON.stringify(error.params.allowedValue)}`]];
    default:
      return alternatives(error, all) ? [] : [[undefined, error.message]];
  }
}

/** Whether an `anyOf` at the same place says it all. */
function alternatives(error: TLocalizedValidationError, all: readonly TLocalizedValidationError[]): boolean {
  return all.some((other) => other.keyword === 'anyOf' && other.instancePath === error.instancePath);
}

function allowed(path: string, all: readonly TLocalizedValidationError[]): string {
  return all
    .flatMap((error) => (error.keyword === 'const' && error.instancePath === path ? [JSON.stringify(error.params.allowedValue)] : []))
    .join(', ');
}

function pointer(path: string): (string | number)[] {
  return path
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

function fieldPath(path: readonly (string | number)[]): string {
  return path.map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`)).join('');
}

/** Line of the node at a path, or of the nearest one above it that exists. */
function lineOf(document: Document.Parsed, path: readonly (string | number)[], lines: LineCounter): number {
  for (let depth = path.length; depth >= 0; depth--) {
    const node = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true);
    const range = node !== null && typeof node === 'object' && 'range' in node ? node.range : undefined;
    if (Array.isArray(range) && typeof range[0] === 'number') return lines.linePos(range[0]).line;
  }
  return 1;
}
