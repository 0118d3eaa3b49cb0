/** Everything that is looked up in the policies, kept in step with them: they are compared once for all of it. Pure. */
import type { Resource } from '@hawser/model/resource.ts';
import { indexPolicies, type PolicyIndex } from './policy-index.ts';
import { changesBetween } from './policy-tables.ts';
import { indexScopes, NO_SCOPES, type ScopeIndex } from './scope/scope-index.ts';
import { ENTRY_KINDS, type EntryIndex, indexEntries, NO_ENTRIES } from './services/service-entries.ts';
import { EXTENSION_KINDS, type ExtensionPolicies, extensionPolicies, NO_EXTENSIONS } from './telemetry/extension-policies.ts';

/** The policies, by what they are for. */
export interface Indexes {
  readonly policies: PolicyIndex;
  readonly scopes: ScopeIndex;
  readonly entries: EntryIndex;
  readonly extensions: ExtensionPolicies;
}

/** Indexes of no policies. */
export function noIndexes(): Indexes {
  return { policies: indexPolicies(new Map()), scopes: NO_SCOPES, entries: NO_ENTRIES, extensions: NO_EXTENSIONS };
}

/** Indexes policies, given those that were in force before: what they did not change stays the same object. */
export function indexesOf(policies: ReadonlyMap<string, Resource>, before: Indexes): Indexes {
  if (before.policies.policies === policies) return before;
  const changes = changesBetween(before.policies.policies, policies);
  const differing = new Set([...changes.removed, ...changes.added].map(({ kind }) => kind));
  return {
    policies: indexPolicies(policies, before.policies, changes),
    scopes: indexScopes(before.scopes, changes),
    entries: differing.isDisjointFrom(ENTRY_KINDS) ? before.entries : indexEntries(policies, before.entries),
    extensions: differing.isDisjointFrom(EXTENSION_KINDS) ? before.extensions : extensionPolicies(policies, before.extensions),
  };
}
