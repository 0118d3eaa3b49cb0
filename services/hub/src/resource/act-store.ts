/** Writes that are no resource's: what the hub keeps beside them, and agents are told. Each has a revision, a history and an outbox entry. */
import type { Resource } from '@hawser/model/resource.ts';
import { sql } from 'drizzle-orm';
import { requestContext } from '../access/request-context.ts';
import { auditRow, insertAudit } from '../audit/audit-store.ts';
import type { Statements } from '../db/database.ts';
import { history, hubMeta, outbox } from '../db/schema.ts';
import { OUTBOX_CHANNEL } from './resource-store.ts';

/** One such write. */
export interface Act {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly action: 'create' | 'update';
  readonly actor: string;
  /** For the audit. */
  readonly verb: string;
  readonly reason: string;
  /** RFC 3339: when what it is about was made. */
  readonly createdAt: string;
  readonly generation: number;
  /** What the history shows. */
  readonly spec: unknown;
}

/** Records one and returns its revision, whose row is locked until commit: nothing but a last small statement is done after it. */
export async function recordAct(tx: Statements, act: Act): Promise<number> {
  const { kind, namespace, name, action, actor, verb, reason, createdAt, generation, spec } = act;
  const said = { kind, namespace, name, actor, verb, reason, outcome: 'allowed', code: 200 } as const;
  await insertAudit(tx, [auditRow(said, verb)]);
  const [meta] = await tx
    .update(hubMeta)
    .set({ revision: sql`${hubMeta.revision} + 1` })
    .returning({ revision: hubMeta.revision });
  if (meta === undefined) throw new Error('hub_meta has lost its row');
  const { revision } = meta;
  const place = namespace === '' ? {} : { namespace };
  const metadata = { name, ...place, resourceVersion: String(revision), creationTimestamp: createdAt, generation };
  const resource: Resource = { apiVersion: 'hawser.dev/v1alpha1', kind, metadata, spec };
  const write = { revision, kind, namespace, name, action, at: new Date(), traceId: requestContext()?.traceId ?? '' };
  await tx.insert(history).values({ ...write, actor, reason, resource });
  await tx.insert(outbox).values(write);
  await tx.execute(sql`SELECT pg_notify(${OUTBOX_CHANNEL}, ${String(revision)})`);
  return revision;
}
