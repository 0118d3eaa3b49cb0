/** What goes on in spite of guards names guards that there are, and is in the audit under each one's name, with the write that says so. */
import type { Issue, Resource } from '@hawser/model/resource.ts';
import { auditRow, insertAudit } from '../audit/audit-store.ts';
import type { Statements } from '../db/database.ts';
import type { KindBehaviour } from '../resource/kind-behaviour.ts';
import { findRow, listRows } from '../resource/resource-store.ts';

/** Begins the names of freezes among those of rules. */
const FREEZE = 'freeze/';
const MOST_TOLD = 10;

/** For kinds that have `overrideSafetyRules`; `own` are rules of the hub's own that these may override. */
export function overrideBehaviour(own: readonly string[] = []): KindBehaviour {
  return {
    check: (tx, resource, alongside) => unknownNames(tx, resource, { own, alongside }),
    writing: async (tx, resource, actor) => {
      const rows = overridesOf(resource).map((name) => {
        const reason = `${describe(resource)} names it in overrideSafetyRules`;
        return auditRow({ ...guardOf(name), namespace: '', verb: 'override', outcome: 'allowed', code: 200, actor, reason }, 'override');
      });
      if (rows.length > 0) await insertAudit(tx, rows);
    },
  };
}

interface Beside {
  readonly own: readonly string[];
  readonly alongside: readonly Resource[];
}

/** A name that is misspelt would override nothing. What was named before, of a rule that is gone since, keeps no later write from being made. */
async function unknownNames(tx: Statements, resource: Resource, { own, alongside }: Beside): Promise<readonly Issue[]> {
  const { namespace = '', name } = resource.metadata;
  const given = overridesOf(resource).filter((one) => !own.includes(one));
  if (given.length === 0) return [];
  const before = await findRow(tx, { kind: resource.kind, namespace, name });
  const known = new Set(before === undefined ? [] : overridesOf(before));
  const issues: Issue[] = [];
  for (const [index, one] of overridesOf(resource).entries()) {
    if (known.has(one) || !given.includes(one)) continue;
    const guard = guardOf(one);
    const isBeside = alongside.some(({ kind, metadata }) => kind === guard.kind && metadata.name === guard.name);
    if (isBeside || (await findRow(tx, { ...guard, namespace: '' })) !== undefined) continue;
    const message = `is ${one}: there is no ${guard.kind} ${guard.name}; ${await thereAre(tx, guard.kind, own)} (rule unknown-override)`;
    issues.push({ path: `spec.overrideSafetyRules[${index}]`, code: 'FieldValueInvalid', message });
  }
  return issues;
}

async function thereAre(tx: Statements, kind: string, own: readonly string[]): Promise<string> {
  const stored = (await listRows(tx, { kind, limit: MOST_TOLD })).map(({ name }) => (kind === 'Freeze' ? FREEZE + name : name));
  const names = [...stored, ...own];
  return names.length === 0 ? 'there is none' : `there are ${names.join(', ')}`;
}

function guardOf(name: string): { readonly kind: 'Freeze' | 'SafetyRule'; readonly name: string } {
  return name.startsWith(FREEZE) ? { kind: 'Freeze', name: name.slice(FREEZE.length) } : { kind: 'SafetyRule', name };
}

function overridesOf({ spec }: { readonly spec: unknown }): readonly string[] {
  const { overrideSafetyRules } = (spec ?? {}) as { readonly overrideSafetyRules?: unknown };
  if (!Array.isArray(overrideSafetyRules)) return [];
  return [...new Set(overrideSafetyRules.filter((name) => typeof name === 'string'))];
}

function describe({ kind, metadata }: Resource): string {
  return [kind, metadata.namespace, metadata.name].filter((part) => part !== undefined && part !== '').join('/');
}
