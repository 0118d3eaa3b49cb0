/** Whoever names a guard to go on in spite of it is in the audit under that guard's name, with the write that does so. */
import type { Resource } from '@hawser/model/resource.ts';
import { auditRow, insertAudit } from '../audit/audit-store.ts';
import type { KindBehaviour } from '../resource/kind-behaviour.ts';

/** Begins the names of freezes among those of rules. */
const FREEZE = 'freeze/';

/** For kinds that have `overrideSafetyRules`. */
export const overrideAudit: KindBehaviour = {
  writing: async (tx, resource, actor) => {
    const rows = overridesOf(resource).map((name) => {
      const guard = name.startsWith(FREEZE) ? { kind: 'Freeze', name: name.slice(FREEZE.length) } : { kind: 'SafetyRule', name };
      const reason = `${describe(resource)} names it in overrideSafetyRules`;
      return auditRow({ ...guard, namespace: '', verb: 'override', outcome: 'allowed', code: 200, actor, reason }, 'override');
    });
    if (rows.length > 0) await insertAudit(tx, rows);
  },
};

function overridesOf({ spec }: Resource): readonly string[] {
  const { overrideSafetyRules } = (spec ?? {}) as { readonly overrideSafetyRules?: unknown };
  if (!Array.isArray(overrideSafetyRules)) return [];
  return [...new Set(overrideSafetyRules.filter((name) => typeof name === 'string'))];
}

function describe({ kind, metadata }: Resource): string {
  return [kind, metadata.namespace, metadata.name].filter((part) => part !== undefined && part !== '').join('/');
}
