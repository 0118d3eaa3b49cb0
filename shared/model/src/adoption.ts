/** Policy that a member cluster owns: which kinds may be adopted, within which bounds, and by which names the hub keeps it. Pure. */
import { KINDS, type KindDescriptor } from './kinds.ts';

/**
 * Kinds of which a cluster may have its own: policy of a namespace. What concerns the federation as a whole (Cluster, JoinToken,
 * TrustDomain, Drain, Drill, DrillRun, Freeze, SafetyRule) is written at the hub alone.
 */
export const ADOPTABLE: readonly KindDescriptor[] = KINDS.filter(({ policy, namespaced, readOnly }) => policy && namespaced && !readOnly);

/** An object whose spec, labels and annotations are larger as JSON (bytes) is named, and not adopted. */
export const MAX_ADOPTED_BYTES = 64 * 1024;
/** Of one cluster. */
export const MAX_ADOPTED = 1_000;
/** Of one cluster, all together. */
export const MAX_ADOPTED_TOTAL_BYTES = 2 * 1024 * 1024;
/** How many that are left out are named; of more the number alone is told. */
export const MAX_NAMED_OMISSIONS = 200;

/** Between the name of an adopted resource and its cluster. No object of Kubernetes or of the API may have it in its name. */
const MARK = '@';

/** The hub's name of what `cluster` owns: `NAME@CLUSTER`. Its place in the cluster itself is NAME. */
export function adoptedName(name: string, cluster: string): string {
  return `${name}${MARK}${cluster}`;
}

/** Who owns a resource of this name, and its name there; undefined for the hub's own. */
export function ownerOf(name: string): { readonly name: string; readonly cluster: string } | undefined {
  const at = name.lastIndexOf(MARK);
  return at < 1 ? undefined : { name: name.slice(0, at), cluster: name.slice(at + 1) };
}

/** The name that agents and proxies know a resource by. */
export function bareName(name: string): string {
  return ownerOf(name)?.name ?? name;
}
