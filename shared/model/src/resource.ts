/** Kubernetes-shaped resources: the envelope every kind shares, in the API, in PostgreSQL and on the bus. */

/** Metadata as the Kubernetes API conventions have it. `resourceVersion` is the hub revision of the last write. */
export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  /** Rises with every change of `spec`, from 1. */
  readonly generation?: number;
  /** RFC 3339, UTC. */
  readonly creationTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** One resource of any kind. */
export interface Resource<Spec = unknown, Status = unknown> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly spec: Spec;
  readonly status?: Status;
  /** In the hub alone, where an operation moves it: the spec that is in force, which agents get in place of `spec`. */
  readonly inForce?: unknown;
  /** The write with which `inForce` became what it is. */
  readonly inForceRevision?: number;
}

/** What is wrong, and where: `path` is a field path such as `spec.http[0].route[1].weight`. */
export interface Issue {
  readonly path: string;
  readonly code: IssueCode;
  readonly message: string;
}

/** Kubernetes' causes of an invalid resource (metav1.CauseType), and `NotImplemented` for fields of a foreign API. */
export type IssueCode =
  | 'FieldValueRequired'
  | 'FieldValueInvalid'
  | 'FieldValueNotFound'
  | 'FieldValueNotSupported'
  | 'FieldValueDuplicate'
  | 'FieldValueForbidden'
  | 'UnknownField'
  | 'NotImplemented';

/** `KIND/NAMESPACE/NAME`, with an empty namespace for cluster-scoped kinds. */
export function resourceKey(kind: string, namespace: string | undefined, name: string): string {
  return `${kind}/${namespace ?? ''}/${name}`;
}
