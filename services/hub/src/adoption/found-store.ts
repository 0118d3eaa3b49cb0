/** Rows of policy that was found in clusters, and of what is in force of it. */
import { ownerOf } from '@hawser/model/adoption.ts';
import { canonicalJson } from '@hawser/runtime/canonical-json.ts';
import { and, asc, eq, sql } from 'drizzle-orm';
import type { Statements } from '../db/database.ts';
import { foundPolicies, type ResourceRow, resources } from '../db/schema.ts';
import { IS_OWNED } from '../resource/ownership-store.ts';
import type { FoundRow } from './adoption-plan.ts';

/** One row, with the time since when it says what it does. */
export type StoredFound = typeof foundPolicies.$inferSelect;

/** Everything that was found, of one cluster or of all. */
export async function listFound(tx: Statements, cluster?: string): Promise<readonly StoredFound[]> {
  const { kind, namespace, name } = foundPolicies;
  return tx
    .select()
    .from(foundPolicies)
    .where(cluster === undefined ? undefined : eq(foundPolicies.cluster, cluster))
    .orderBy(asc(foundPolicies.cluster), asc(kind), asc(namespace), asc(name));
}

/** What is in force by the word of clusters. */
export async function listAdopted(tx: Statements): Promise<readonly ResourceRow[]> {
  const rows = await tx.select().from(resources).where(IS_OWNED);
  return rows.filter(({ name }) => ownerOf(name) !== undefined);
}

const ROWS_AT_ONCE = 200;

/** Makes the rows of a cluster what they should be. */
export async function storeFound(tx: Statements, before: readonly StoredFound[], after: readonly FoundRow[]): Promise<void> {
  const known = new Map(before.map((row) => [keyOf(row), row]));
  const kept = new Set(after.map(keyOf));
  const changed = [...new Map(after.map((row) => [keyOf(row), row])).values()].filter((row) => !isSame(known.get(keyOf(row)), row));
  for (let start = 0; start < changed.length; start += ROWS_AT_ONCE) {
    const values = changed.slice(start, start + ROWS_AT_ONCE).map((row) => ({ ...row, since: new Date() }));
    const { cluster, kind, namespace, name } = foundPolicies;
    const excluded = (column: string) => sql.raw(`excluded.${column}`);
    const set = Object.fromEntries(['uid', 'generation', 'state', 'reason', 'resource', 'since'].map((one) => [one, excluded(one)]));
    await tx
      .insert(foundPolicies)
      .values(values)
      .onConflictDoUpdate({ target: [cluster, kind, namespace, name], set });
  }
  const gone = before.filter((row) => !kept.has(keyOf(row)));
  for (const row of gone) {
    const { cluster, kind, namespace, name } = foundPolicies;
    await tx
      .delete(foundPolicies)
      .where(and(eq(cluster, row.cluster), eq(kind, row.kind), eq(namespace, row.namespace), eq(name, row.name)));
  }
}

function isSame(known: StoredFound | undefined, row: FoundRow): boolean {
  if (known === undefined) return false;
  const { since: _since, ...before } = known;
  return canonicalJson(before) === canonicalJson(row);
}

function keyOf({ cluster, kind, namespace, name }: FoundRow | StoredFound): string {
  return JSON.stringify([cluster, kind, namespace, name]);
}
