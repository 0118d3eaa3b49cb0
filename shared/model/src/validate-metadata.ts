/** The rules of metadata that all kinds share (Kubernetes API conventions). Pure. */
import { HUB } from './fleet.ts';
import type { KindDescriptor } from './kinds.ts';
import { isLabelKey, isLabelValue } from './label-selector.ts';
import type { Issue, Metadata } from './resource.ts';
import { fieldPath } from './validate-schema.ts';

const NAMESPACE = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const NAME_LENGTH = 253;
/** As in Kubernetes: all annotations together, bytes. */
const ANNOTATIONS_BYTES = 256 * 1024;

/** Written by the server, so accepted and dropped: people apply what they got. */
const SERVER_FIELDS: ReadonlySet<string> = new Set(['uid', 'generation', 'creationTimestamp', 'managedFields', 'selfLink']);
/** Of Kubernetes' ObjectMeta, but without effect here. */
const FOREIGN_FIELDS: ReadonlySet<string> = new Set([
  'generateName',
  'finalizers',
  'ownerReferences',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
]);

/** Checks metadata and keeps what a writer may set: name, namespace, labels, annotations, and resourceVersion. */
export function validateMetadata(input: unknown, kind: KindDescriptor): { readonly metadata: Metadata; readonly issues: readonly Issue[] } {
  const fields = isObject(input) ? input : {};
  const issues: Issue[] = isObject(input) ? [] : [{ path: 'metadata', code: 'FieldValueRequired', message: 'is required, with a name' }];
  const { name, namespace, labels, annotations, resourceVersion, ...others } = fields;
  if (isObject(input)) issues.push(...nameIssues(name, kind));
  issues.push(...namespaceIssues(namespace, kind), ...Object.keys(others).flatMap(otherField));
  issues.push(...mapIssues('labels', labels, isLabelValue), ...mapIssues('annotations', annotations, () => true));
  if (JSON.stringify(annotations ?? {}).length > ANNOTATIONS_BYTES) {
    issues.push({
      path: 'metadata.annotations',
      code: 'FieldValueInvalid',
      message: `are larger than ${ANNOTATIONS_BYTES / 1024} KiB together`,
    });
  }
  if (resourceVersion !== undefined && !(typeof resourceVersion === 'string' && /^[0-9]{1,15}$/.test(resourceVersion))) {
    issues.push({
      path: 'metadata.resourceVersion',
      code: 'FieldValueInvalid',
      message: 'must be what the hub gave; leave it out to write regardless',
    });
  }
  const metadata = { name, namespace, labels, annotations, resourceVersion };
  return {
    metadata: Object.fromEntries(Object.entries(metadata).filter(([, value]) => value !== undefined)) as unknown as Metadata,
    issues,
  };
}

function nameIssues(name: unknown, kind: KindDescriptor): readonly Issue[] {
  const path = 'metadata.name';
  if (name === undefined || name === '') return [{ path, code: 'FieldValueRequired', message: 'is required' }];
  if (typeof name !== 'string') return [{ path, code: 'FieldValueInvalid', message: 'must be text' }];
  const label = kind.kind === 'Cluster';
  if (label && name === HUB)
    return [{ path, code: 'FieldValueInvalid', message: `is ${HUB}, the hub's own name on the bus: choose another` }];
  if (name.length <= NAME_LENGTH && (label ? NAMESPACE : NAME).test(name)) return [];
  const rule = label ? 'letters, digits and "-", at most 63 characters' : 'letters, digits, "-" and ".", at most 253 characters';
  return [
    {
      path,
      code: 'FieldValueInvalid',
      message: `is ${shown(name)}: must be lower-case ${rule}, beginning and ending with a letter or digit (RFC 1123)`,
    },
  ];
}

function namespaceIssues(namespace: unknown, kind: KindDescriptor): readonly Issue[] {
  const path = 'metadata.namespace';
  if (!kind.namespaced) {
    if (namespace === undefined || namespace === '') return [];
    return [{ path, code: 'FieldValueForbidden', message: `${kind.kind} is not namespaced: leave it out` }];
  }
  if (namespace === undefined || namespace === '') return [{ path, code: 'FieldValueRequired', message: `is required for ${kind.kind}` }];
  if (typeof namespace === 'string' && NAMESPACE.test(namespace)) return [];
  const message = `is ${shown(namespace)}: must be lower-case letters, digits and "-", at most 63 characters (RFC 1123)`;
  return [{ path, code: 'FieldValueInvalid', message }];
}

/** Enough of a value to know it by. */
function shown(value: unknown): string {
  const text = JSON.stringify(typeof value === 'string' ? value.slice(0, 2 * NAME_LENGTH) : value) ?? 'nothing';
  return text.length <= NAME_LENGTH ? text : `${text.slice(0, NAME_LENGTH)}…`;
}

function mapIssues(field: string, value: unknown, allowed: (text: string) => boolean): readonly Issue[] {
  if (value === undefined) return [];
  if (!isObject(value)) return [{ path: `metadata.${field}`, code: 'FieldValueInvalid', message: 'must be an object of texts' }];
  return Object.entries(value).flatMap(([key, text]): readonly Issue[] => {
    const path = fieldPath(['metadata', field, key]);
    if (!isLabelKey(key))
      return [
        {
          path,
          code: 'FieldValueInvalid',
          message: 'the key must be NAME or DOMAIN/NAME, the name at most 63 letters, digits, "-", "_" and "."',
        },
      ];
    if (typeof text !== 'string') return [{ path, code: 'FieldValueInvalid', message: `must be text: write ${shown(String(text))}` }];
    return allowed(text) ? [] : [{ path, code: 'FieldValueInvalid', message: 'must be at most 63 letters, digits, "-", "_" and "."' }];
  });
}

function otherField(name: string): readonly Issue[] {
  if (SERVER_FIELDS.has(name)) return [];
  const path = fieldPath(['metadata', name]);
  if (FOREIGN_FIELDS.has(name))
    return [{ path, code: 'NotImplemented', message: 'is a field of Kubernetes that Hawser does not implement' }];
  return [{ path, code: 'UnknownField', message: 'is not a field of metadata' }];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
