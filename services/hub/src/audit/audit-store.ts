/** Rows of the audit. They are added and read, never changed. */

import type { AuditEntry, AuditOutcome, AuditQuery } from '@hawser/wire/access.ts';
import { and, desc, eq, gte, lt, type SQL } from 'drizzle-orm';
import { requestContext } from '../access/request-context.ts';
import type { Statements } from '../db/database.ts';
import { audit } from '../db/schema.ts';

/** What happened, to what. The actor, its role, address and trace come from the request unless given. */
export interface AuditNote {
  readonly verb?: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly revision?: number;
  readonly outcome: AuditOutcome;
  /** HTTP status. */
  readonly code: number;
  readonly reason: string;
  readonly actor?: string;
}

/** A complete row without what the database gives it. */
export type AuditRow = Omit<typeof audit.$inferInsert, 'id'>;

const LONGEST = 500;
const PAGE = 100;

/** The row of a note, from the request under way. Texts are cut, and hold nothing that PostgreSQL refuses. */
export function auditRow(note: AuditNote, fallbackVerb: string): AuditRow {
  const context = requestContext();
  const { revision, outcome, code } = note;
  const texts = {
    actor: note.actor ?? context?.actor ?? '',
    role: context?.role ?? '',
    verb: note.verb ?? (context === undefined || context.verb === '' ? fallbackVerb : context.verb),
    kind: note.kind,
    namespace: note.namespace,
    name: note.name,
    reason: note.reason,
    source: context?.source ?? '',
    traceId: context?.traceId ?? '',
  };
  const clean = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, cut(text)])) as typeof texts;
  return { ...clean, revision: revision ?? null, outcome, code };
}

function cut(text: string): string {
  return text.replaceAll('\0', '').toWellFormed().slice(0, LONGEST).toWellFormed();
}

/** Adds rows, in the caller's transaction. */
export async function insertAudit(tx: Statements, rows: readonly AuditRow[]): Promise<void> {
  await tx.insert(audit).values([...rows]);
}

/** One page, newest first, and the id to go on from when there is more. */
export async function readAudit(
  tx: Statements,
  query: AuditQuery,
): Promise<{ readonly items: readonly AuditEntry[]; readonly next?: number }> {
  const limit = query.limit ?? PAGE;
  const rows = await tx
    .select()
    .from(audit)
    .where(and(...conditionsOf(query)))
    .orderBy(desc(audit.id))
    .limit(limit + 1);
  const items = rows.slice(0, limit).map(({ at, revision, ...row }) => {
    return { ...row, at: at.toISOString(), ...(revision === null ? {} : { revision }) };
  });
  const last = items.at(-1);
  return rows.length > limit && last !== undefined ? { items, next: last.id } : { items };
}

function conditionsOf(query: AuditQuery): SQL[] {
  const conditions: SQL[] = [];
  for (const key of ['actor', 'kind', 'namespace', 'name', 'outcome'] as const) {
    const wanted = query[key];
    if (wanted !== undefined) conditions.push(eq(audit[key], wanted));
  }
  if (query.since !== undefined) conditions.push(gte(audit.at, new Date(query.since)));
  if (query.continue !== undefined) conditions.push(lt(audit.id, query.continue));
  return conditions;
}
