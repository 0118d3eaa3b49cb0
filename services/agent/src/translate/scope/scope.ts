/** Who calls: what of a proxy decides which policy it is served. Pure. */
import { ROOT_NAMESPACE } from '@hawser/model/effective-policy.ts';
import type { ProxyRef } from '../../state/world.ts';

/** A caller, as policy sees it: predicates over it decide what depends on the caller, and everything else is built once for all. */
export interface ProxyScope {
  /** Equal for callers that no policy in force tells apart. */
  readonly id: string;
  /** Proven by the proxy's token; empty for the common view, which is nobody's. */
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What a caller is served whom no policy means in particular: no namespace, no labels. */
export const COMMON_SCOPE: ProxyScope = { id: '', namespace: '', labels: {} };

export { ROOT_NAMESPACE };

/** Whether labels hold everything that a selector asks for; an empty selector takes all. */
export function selects(selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

/** The caller behind a proxy whose workload has these labels, told apart by its namespace and the labels in `keys` alone. */
export function scopeOf(proxy: ProxyRef, labels: Readonly<Record<string, string>>, keys: ReadonlySet<string>): ProxyScope {
  const { namespace = '' } = proxy;
  const telling = Object.entries(labels).filter(([key]) => keys.has(key));
  const sorted = telling.sort(([a], [b]) => (a < b ? -1 : 1));
  return { id: JSON.stringify([namespace, ...sorted]), namespace, labels: Object.fromEntries(sorted) };
}

/** Whether a policy of `owner` is seen from a namespace: `*` all, `.` the owner's own, `~` none, else a name (Istio's exportTo). */
export function isExportedTo(exportTo: readonly string[] | undefined, owner: string, namespace: string): boolean {
  if (exportTo === undefined || exportTo.length === 0) return true;
  return exportTo.some((target) => target === '*' || (namespace !== '' && (target === '.' ? owner : target) === namespace));
}
