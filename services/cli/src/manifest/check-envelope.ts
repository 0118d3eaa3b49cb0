/** PURE: one item of a file → a resource that the hub can be asked to store, or everything that keeps it from being one. */
import { KINDS, type KindDescriptor } from '@hawser/model/kinds.ts';
import { validateResource } from '@hawser/model/validate.ts';
import { type Manifest, type Problem, placeKind, subjectOf } from './manifest.ts';
import type { RawItem } from './parse-manifests.ts';

/** A manifest, or what is wrong. */
export type Checked = { readonly manifest: Manifest } | { readonly problems: readonly Problem[] };

interface Fault {
  readonly path: string;
  readonly message: string;
  readonly code?: string;
}

/** Checks one item as the hub would, as far as that needs no other resource. A missing namespace becomes `defaultNamespace`. */
export function checkEnvelope(item: RawItem, defaultNamespace: string): Checked {
  const { content } = item;
  if (!isObject(content)) return refuse(item, '', [{ path: '', message: notAResource(content) }]);
  const kind = KINDS.find((known) => known.kind === content['kind']);
  const filled = withDefaultNamespace(content, defaultNamespace) as typeof content;
  const subject = subjectIn(filled);
  if (kind === undefined) return refuse(item, subject, [unknownKind(content['kind'])]);
  if (kind.readOnly)
    return refuse(item, subject, [{ path: 'kind', message: `${kind.kind} is read only: the hub derives it from what clusters export` }]);
  return checkAs(kind, item, { filled, subject });
}

function checkAs(kind: KindDescriptor, item: RawItem, { filled, subject }: { filled: unknown; subject: string }): Checked {
  const validated = validateResource(filled, kind);
  if ('issues' in validated) return refuse(item, subject, validated.issues);
  return { manifest: { kind, resource: validated.resource, placeOf: item.placeOf } };
}

/** A resource as it stands, with this namespace where its kind wants one and it names none. */
export function withDefaultNamespace(content: unknown, namespace: string): unknown {
  const isNamespaced = isObject(content) && KINDS.find((known) => known.kind === content['kind'])?.namespaced === true;
  return isNamespaced ? withNamespace(content, namespace) : content;
}

function withNamespace(content: Readonly<Record<string, unknown>>, namespace: string): Readonly<Record<string, unknown>> {
  const { metadata } = content;
  return isObject(metadata) && metadata['namespace'] === undefined ? { ...content, metadata: { ...metadata, namespace } } : content;
}

function unknownKind(written: unknown): Fault {
  if (written === undefined) return { path: 'kind', message: 'is required' };
  return { path: 'kind', message: `unknown kind ${JSON.stringify(written)}; the hub serves ${KINDS.map(({ kind }) => kind).join(', ')}` };
}

function subjectIn(content: Readonly<Record<string, unknown>>): string {
  const metadata = isObject(content['metadata']) ? content['metadata'] : {};
  return subjectOf(textOf(content['kind']), textOf(metadata['namespace']), textOf(metadata['name'])).trim();
}

function refuse(item: RawItem, subject: string, faults: readonly Fault[]): Checked {
  const problems = faults.map(({ path, message, code = '' }) => {
    return { place: item.placeOf(path, placeKind(code)), subject, field: path, message };
  });
  return { problems };
}

function notAResource(content: unknown): string {
  if (content instanceof Error) return `cannot be read: ${content.message}`;
  return `a resource is a map with apiVersion, kind, metadata and spec; found ${Array.isArray(content) ? 'a list' : typeof content}`;
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && !(value instanceof Error);
}
