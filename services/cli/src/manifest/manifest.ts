/** Resources as people write them in files, each with the way back to its lines. */
import type { KindDescriptor } from '@hawser/model/kinds.ts';
import type { Resource } from '@hawser/model/resource.ts';

/** A place in a file; line and column count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** The place of a field path, at its value or its key; of the nearest field that is there, when the field itself is missing. */
export type PlaceOf = (field: string, at?: 'value' | 'key') => Place;

/** Something wrong with a file or a resource in it. */
export interface Problem {
  readonly place: Place;
  /** `KIND NAMESPACE/NAME`, as far as it is known; empty when it is not. */
  readonly subject: string;
  /** Field path such as `spec.http[0].route`; empty when the whole document is meant. */
  readonly field: string;
  readonly message: string;
}

/** One resource of a file, ready to be sent. */
export interface Manifest {
  readonly kind: KindDescriptor;
  /** Valid by itself, in the kind's first version, with its namespace; without status and what the hub alone sets. */
  readonly resource: Resource;
  readonly placeOf: PlaceOf;
}

/** `KIND NAMESPACE/NAME`, or `KIND NAME` for cluster-scoped kinds. */
export function subjectOf(kind: string, namespace: string | undefined, name: string): string {
  return namespace === undefined || namespace === '' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

/** A problem as one line: `FILE:LINE:COLUMN: KIND NAMESPACE/NAME: FIELD: message`. */
export function problemLine({ place, subject, field, message }: Problem): string {
  return [`${place.file}:${place.line}:${place.column}`, subject, field, message].filter((part) => part !== '').join(': ');
}

/** Where to point for a cause: what is wrong with an unknown field is its key. */
export function placeKind(code: string): 'value' | 'key' {
  return code === 'UnknownField' || code === 'NotImplemented' ? 'key' : 'value';
}
