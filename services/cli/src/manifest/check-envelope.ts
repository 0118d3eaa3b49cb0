/** PURE: what must be right before a resource can be addressed at all: apiVersion, kind, name, namespace, and no unknown field beside them. */
import { KINDS, type KindDescriptor } from '@hawser/model/kinds.ts';
import type { Metadata } from '@hawser/model/resource.ts';
import { type Manifest, type Problem, subjectOf } from './manifest.ts';
import type { RawItem } from './parse-manifests.ts';

/** A manifest, or everything that keeps it from being one. */
export type Checked = { readonly manifest: Manifest } | { readonly problems: readonly Problem[] };

interface Fault {
  readonly field: string;
  readonly message: string;
}

const FIELDS = ['apiVersion', 'kind', 'metadata', 'spec', 'status'];

/** Checks one item; fills in the namespace. */
export function checkEnvelope(item: RawItem, defaultNamespace: string): Checked {
  const { content } = item;
  if (!isObject(content)) return refuse(item, '', [{ field: '', message: notAResource(content) }]);
  const metadata = isObject(content['metadata']) ? content['metadata'] : {};
  const name = typeof metadata['name'] === 'string' ? metadata['name'] : '';
  const kind = KINDS.find((known) => known.kind === content['kind']);
  const faults = [...kindFaults(content, kind), ...nameFaults(content, kind)];
  const namespace = namespaceOf(metadata, kind, defaultNamespace);
  if (kind === undefined || faults.length > 0) return refuse(item, subjectOf(textOf(content['kind']), namespace, name), faults);
  const { apiVersion, spec, status } = content;
  const filled = { ...metadata, ...(namespace === undefined ? {} : { namespace }) } as Metadata;
  const resource = { apiVersion: String(apiVersion), kind: kind.kind, metadata: filled, spec, ...(status === undefined ? {} : { status }) };
  return { manifest: { kind, version: String(apiVersion).split('/')[1] ?? '', resource, placeOf: (field) => item.placeOf(field) } };
}

function kindFaults(content: Readonly<Record<string, unknown>>, kind: KindDescriptor | undefined): Fault[] {
  const written = content['kind'];
  if (written === undefined) return [{ field: 'kind', message: 'is required' }];
  if (kind === undefined) {
    return [
      { field: 'kind', message: `unknown kind ${JSON.stringify(written)}; the hub serves ${KINDS.map((known) => known.kind).join(', ')}` },
    ];
  }
  const accepted = kind.versions.map((version) => `${kind.group}/${version}`);
  if (content['apiVersion'] === undefined) return [{ field: 'apiVersion', message: `is required; ${kind.kind} is ${accepted[0]}` }];
  if (!accepted.includes(String(content['apiVersion']))) {
    return [
      { field: 'apiVersion', message: `${JSON.stringify(content['apiVersion'])} has no kind ${kind.kind}; use ${accepted.join(' or ')}` },
    ];
  }
  const unknown = Object.keys(content).filter((field) => !FIELDS.includes(field));
  return unknown.map((field) => ({ field, message: `unknown field; a resource has ${FIELDS.join(', ')}` }));
}

function nameFaults(content: Readonly<Record<string, unknown>>, kind: KindDescriptor | undefined): Fault[] {
  const { metadata } = content;
  if (!isObject(metadata)) return [{ field: 'metadata', message: 'is required, with a name' }];
  const { name, namespace } = metadata;
  const faults: Fault[] = [];
  if (typeof name !== 'string' || name === '') faults.push({ field: 'metadata.name', message: 'is required: a text' });
  if (namespace !== undefined && (typeof namespace !== 'string' || namespace === ''))
    faults.push({ field: 'metadata.namespace', message: 'must be a text' });
  if (namespace !== undefined && kind?.namespaced === false)
    faults.push({ field: 'metadata.namespace', message: `${kind.kind} belongs to no namespace` });
  if (kind?.readOnly === true)
    faults.push({ field: 'kind', message: `${kind.kind} is read only: the hub derives it from what clusters export` });
  return faults;
}

function namespaceOf(
  metadata: Readonly<Record<string, unknown>>,
  kind: KindDescriptor | undefined,
  defaultNamespace: string,
): string | undefined {
  if (typeof metadata['namespace'] === 'string') return metadata['namespace'];
  return kind?.namespaced === true ? defaultNamespace : undefined;
}

function refuse(item: RawItem, subject: string, faults: readonly Fault[]): Checked {
  return { problems: faults.map(({ field, message }) => ({ place: item.placeOf(field), subject: subject.trim(), field, message })) };
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
