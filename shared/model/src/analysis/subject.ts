/** A resource as it was written, valid or not, made fit for analysis: the fields that Istio or Hawser have, in the shape they have. */
import { ISTIO_KINDS } from '../istio/schemas.ts';
import type { DestinationRuleSpec, VirtualServiceSpec } from '../istio/specs.ts';
import { KINDS, type KindDescriptor } from '../kinds.ts';
import { type Resource, resourceKey } from '../resource.ts';
import { type SchemaProblem, schemaProblems } from '../validate-schema.ts';
import { keyOf } from './hosts.ts';

/** A resource under analysis. */
export interface Subject<Spec = unknown> {
  /** `KIND/NAMESPACE/NAME`. */
  readonly key: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly spec: Spec;
  /** Keys of the hosts that it is for, each once. */
  readonly hosts: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  /** RFC 3339; what was not stored yet is newer than everything that was. */
  readonly createdAt: string;
}

/** Newer than any time. */
const NOT_STORED = '9999';

/** The kind of a written resource; undefined for what is none of ours. */
export function kindOf(content: unknown): KindDescriptor | undefined {
  const kind = isObject(content) ? content['kind'] : undefined;
  return KINDS.find((known) => known.kind === kind);
}

/** Known already: resources in force do not change. */
const subjects = new WeakMap<object, { readonly subject: Subject | undefined }>();

/** Reads one; undefined when it has no kind or name that can be analysed, or its spec no shape. */
export function readSubject(content: unknown): Subject | undefined {
  if (!isObject(content)) return undefined;
  const known = subjects.get(content);
  if (known !== undefined) return known.subject;
  const subject = subjectOf(content as Partial<Resource>);
  subjects.set(content, { subject });
  return subject;
}

function subjectOf({ kind, metadata, spec: own, inForce }: Partial<Resource>): Subject | undefined {
  // Of what moves traffic in steps, how far it went is in the form in force: a drain that was restored takes nothing away.
  const spec = kind === 'Drain' ? (inForce ?? own) : own;
  if (typeof kind !== 'string' || !isObject(metadata) || typeof metadata.name !== 'string') return undefined;
  const descriptor = KINDS.find((one) => one.kind === kind);
  if (descriptor === undefined) return undefined;
  const shape = ISTIO_KINDS.get(kind)?.whole ?? descriptor.spec;
  const fit = shaped(shape, spec ?? {});
  if (fit === undefined) return undefined;
  const namespace = typeof metadata.namespace === 'string' ? metadata.namespace : '';
  return {
    ...{ key: resourceKey(kind, namespace, metadata.name), kind, namespace, name: metadata.name, spec: fit },
    hosts: [...new Set(hostsOf(kind, fit, namespace))],
    annotations: texts(metadata.annotations),
    labels: texts(metadata.labels),
    createdAt: typeof metadata.creationTimestamp === 'string' ? metadata.creationTimestamp : NOT_STORED,
  };
}

function hostsOf(kind: string, spec: unknown, namespace: string): readonly string[] {
  if (kind === 'DestinationRule') return [keyOf((spec as DestinationRuleSpec).host, namespace)];
  if (kind !== 'VirtualService' && kind !== 'ServiceEntry') return [];
  return ((spec as VirtualServiceSpec).hosts ?? []).map((host) => keyOf(host, namespace));
}

/** The spec without fields that nobody knows; undefined when what is left has not the shape of its kind. */
function shaped(schema: object, spec: unknown): unknown {
  const problems = schemaProblems(schema, spec);
  const unknown = problems.filter(({ code }) => code === 'UnknownField');
  if (unknown.length < problems.filter(({ code }) => code !== 'FieldValueNotSupported').length) return undefined;
  if (unknown.length === 0) return spec;
  const copy = structuredClone(spec);
  for (const problem of unknown) take(copy, problem.steps);
  return copy;
}

function take(from: unknown, steps: SchemaProblem['steps']): void {
  const [step, ...rest] = steps;
  if (from === null || typeof from !== 'object' || step === undefined) return;
  if (rest.length === 0) Reflect.deleteProperty(from, step);
  else take((from as Record<string | number, unknown>)[step], rest);
}

function texts(value: unknown): Readonly<Record<string, string>> {
  return isObject(value)
    ? Object.fromEntries(Object.entries(value).filter((one): one is [string, string] => typeof one[1] === 'string'))
    : {};
}

/** Whether a value is a map. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
