/** PURE: how history, outbox and audit name the operation of a resource. */

/** The kind under which they show operations; it is no resource kind. */
export const OPERATION_KIND = 'Operation';

/** Kinds whose resources may have operations. */
export const OPERATED_KINDS: ReadonlySet<string> = new Set(['TrafficShift', 'Drain', 'DrillRun', 'FailoverPolicy']);

/** A resource by its kind, namespace (empty for cluster-scoped kinds) and name. */
export interface ResourceName {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** The name of a resource's operation: `KIND/NAME`, in the resource's namespace. */
export function operationName({ kind, namespace, name }: ResourceName): ResourceName {
  return { kind: OPERATION_KIND, namespace, name: `${kind}/${name}` };
}

/** The resource that a write was an operation's of; undefined for other writes. */
export function resourceOfOperation({ kind, namespace, name }: ResourceName): ResourceName | undefined {
  if (kind !== OPERATION_KIND) return undefined;
  const end = name.indexOf('/');
  return { kind: name.slice(0, end), namespace, name: name.slice(end + 1) };
}
