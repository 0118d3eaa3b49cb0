/** Policies by what they are for, kept in step with the map they come from: work is proportional to what changed. Pure. */
import type { Resource } from '@hawser/model/resource.ts';

/** What of the policies changed between two maps; policies that did not are the same objects. */
export interface PolicyChanges {
  readonly removed: readonly Resource[];
  readonly added: readonly Resource[];
}

/** Compares two maps by key and identity. */
export function changesBetween(before: ReadonlyMap<string, Resource>, after: ReadonlyMap<string, Resource>): PolicyChanges {
  const removed: Resource[] = [];
  const added: Resource[] = [];
  for (const [key, policy] of after) {
    const known = before.get(key);
    if (known === policy) continue;
    added.push(policy);
    if (known !== undefined) removed.push(known);
  }
  // Most often none is gone, and then none is looked for.
  const stayed = after.size - (added.length - removed.length);
  if (stayed < before.size) for (const [key, policy] of before) if (!after.has(key)) removed.push(policy);
  return { removed, added };
}

/** Lists of policies by a key, each the oldest first, so that a newcomer cannot take over what is in force; then by name. */
export type PolicyTable = ReadonlyMap<string, readonly Resource[]>;

/** The table after a change; `keysOf` says where a policy belongs. The table itself when nothing in it differs. */
export function changedTable(
  table: PolicyTable,
  { removed, added }: PolicyChanges,
  keysOf: (policy: Resource) => Iterable<string>,
): PolicyTable {
  const gone = byKey(removed, keysOf);
  const come = byKey(added, keysOf);
  if (gone.size === 0 && come.size === 0) return table;
  const next = new Map(table);
  for (const key of new Set([...gone.keys(), ...come.keys()])) {
    const left = (table.get(key) ?? []).filter((policy) => gone.get(key)?.has(policy) !== true);
    const all = [...left, ...(come.get(key) ?? [])].sort(byAge);
    if (all.length === 0) next.delete(key);
    else next.set(key, all);
  }
  return next;
}

/** Key of a policy for people and maps: `KIND/NAMESPACE/NAME`. */
export function policyKeyOf(policy: Resource): string {
  return `${policy.kind}/${policy.metadata.namespace ?? ''}/${policy.metadata.name}`;
}

function byKey(policies: readonly Resource[], keysOf: (policy: Resource) => Iterable<string>): Map<string, Set<Resource>> {
  const found = new Map<string, Set<Resource>>();
  for (const policy of policies) {
    for (const key of keysOf(policy)) {
      const known = found.get(key);
      if (known === undefined) found.set(key, new Set([policy]));
      else known.add(policy);
    }
  }
  return found;
}

/** The oldest first, then by name. */
export function byAge(a: Resource, b: Resource): number {
  return compareText(a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '') || compareText(policyKeyOf(a), policyKeyOf(b));
}

/** The order of texts by code units. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
