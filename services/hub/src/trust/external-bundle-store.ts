/** Rows of bundles of external trust domains. */
import { eq, inArray } from 'drizzle-orm';
import type { Statements } from '../db/database.ts';
import { externalBundles } from '../db/schema.ts';

/** What is known of an external trust domain's bundle. */
export type ExternalBundleRow = typeof externalBundles.$inferSelect;

/** Those of these trust domains that were asked for at least once. */
export async function externalBundlesOf(tx: Statements, trustDomains: readonly string[]): Promise<readonly ExternalBundleRow[]> {
  return tx
    .select()
    .from(externalBundles)
    .where(inArray(externalBundles.trustDomain, [...trustDomains]));
}

/** Writes what is given, and leaves the rest as it is. */
export async function storeExternalBundle(
  tx: Statements,
  trustDomain: string,
  known: Partial<Omit<ExternalBundleRow, 'trustDomain'>>,
): Promise<void> {
  await tx
    .insert(externalBundles)
    .values({ trustDomain, ...known })
    .onConflictDoUpdate({ target: externalBundles.trustDomain, set: { trustDomain, ...known } });
}

/** Forgets a trust domain: its sequence begins anew. */
export async function deleteExternalBundle(tx: Statements, trustDomain: string): Promise<void> {
  await tx.delete(externalBundles).where(eq(externalBundles.trustDomain, trustDomain));
}
