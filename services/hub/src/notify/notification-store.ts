/** Notifications in PostgreSQL: what is to be told outlives the hub, and any replica tells it. */
import { randomUUID } from 'node:crypto';
import type { NotificationEvent, SinkEntry } from '@hawser/wire/notifications.ts';
import { and, asc, eq, gt, inArray, isNotNull, isNull, lt, lte, sql } from 'drizzle-orm';
import type { Statements } from '../db/database.ts';
import { history, hubMeta, notificationProgress, notificationSinks, notifications } from '../db/schema.ts';
import { type ResourceName, resourceOfOperation } from '../operations/operation-name.ts';

/** One that is to be told now. */
export interface DueNotification {
  readonly id: number;
  readonly sink: string;
  readonly event: NotificationEvent;
  /** With this one. */
  readonly attempts: number;
}

/** Whether a sink wants an event. */
export type Wanted = (event: NotificationEvent) => readonly string[];

/** Revisions that are looked through at once. */
const CHUNK = 1_000;
/** Nobody is told what is older, such as when a first sink is configured. */
const NEWS_MS = 86_400_000;
/** An attempt that was not heard of again, as of a hub that died, is made anew. */
const ATTEMPT_MS = 60_000;
const KEEP_DAYS = 7;
/** Of one sink; beyond it the oldest are given up. */
const MOST_WAITING = 10_000;
const MOST_LOOKED_AT = 1_000;

/** What came of a look at the history. */
export interface NewsTaken {
  /** Whether somebody is to be told something. */
  readonly isNews: boolean;
  readonly hasMore: boolean;
}

const NO_NEWS: NewsTaken = { isNews: false, hasMore: false };

/** Turns what happened since the last time into notifications. Revisions are committed in their order, so that none is missed. */
export async function takeNews(tx: Statements, wanted: Wanted, kinds: readonly string[]): Promise<NewsTaken> {
  const [{ revision } = { revision: 0 }] = await tx.select({ revision: hubMeta.revision }).from(hubMeta);
  const [known] = await tx.select({ revision: notificationProgress.revision }).from(notificationProgress);
  if (known?.revision === revision) return NO_NEWS;
  if (known === undefined) await tx.insert(notificationProgress).values({ revision }).onConflictDoNothing();
  const [seen] = await tx.select({ revision: notificationProgress.revision }).from(notificationProgress).for('update');
  const from = seen?.revision ?? revision;
  const to = Math.min(revision, from + CHUNK);
  if (to <= from) return NO_NEWS;
  const isOfThem = and(gt(history.revision, from), lte(history.revision, to), inArray(history.kind, [...kinds]));
  const rows = await tx.select().from(history).where(isOfThem).orderBy(asc(history.revision));
  let isNews = false;
  for (const row of rows) {
    const event = Date.now() - row.at.getTime() > NEWS_MS ? undefined : await eventOf(tx, row);
    const sinks = event === undefined ? [] : wanted(event);
    if (event === undefined || sinks.length === 0) continue;
    await tx.insert(notifications).values(sinks.map((sink) => ({ sink, event })));
    isNews = true;
  }
  await tx.update(notificationProgress).set({ revision: to });
  return { isNews, hasMore: to < revision };
}

type HistoryRow = typeof history.$inferSelect;

/** Undefined of what is no news: an operation that went on within its phase. */
async function eventOf(tx: Statements, row: HistoryRow): Promise<NotificationEvent | undefined> {
  const { kind, namespace, name, at, actor: who, reason: why, revision, action } = row;
  const head = { id: randomUUID(), at: at.toISOString(), who, why, revision };
  const operated = resourceOfOperation({ kind, namespace, name });
  if (operated === undefined) return { ...head, type: 'write', kind, namespace, name, action };
  const phase = phaseOf(row.resource.spec);
  const was = await phaseBefore(tx, row);
  if (phase === undefined || phase === was) return undefined;
  return { ...head, type: 'operation', ...operated, phase, ...(was === undefined ? {} : { was }) };
}

function phaseOf(spec: unknown): string | undefined {
  const { phase } = (spec ?? {}) as { readonly phase?: unknown };
  return typeof phase === 'string' ? phase : undefined;
}

async function phaseBefore(
  tx: Statements,
  { kind, namespace, name, revision }: ResourceName & { readonly revision: number },
): Promise<string | undefined> {
  const isSame = and(eq(history.kind, kind), eq(history.namespace, namespace), eq(history.name, name), lt(history.revision, revision));
  const [row] = await tx.select({ resource: history.resource }).from(history).where(isSame).orderBy(sql`${history.revision} DESC`).limit(1);
  return phaseOf(row?.resource.spec);
}

/**
 * Takes what is due for a sink, of each resource the oldest alone, which keeps them in order; whoever else asks meanwhile is not given
 * it. Looks no further than the 1,000 oldest.
 */
export async function claimDue(tx: Statements, sink: string, most: number): Promise<readonly DueNotification[]> {
  const { event, nextAt } = notifications;
  const waiting = tx
    .select({ id: notifications.id, event, nextAt })
    .from(notifications)
    .where(and(eq(notifications.sink, sink), isNull(notifications.givenUpAt)))
    .orderBy(asc(notifications.id))
    .limit(MOST_LOOKED_AT)
    .as('waiting');
  const about = ['kind', 'namespace', 'name'].map((field) => sql`${waiting.event} ->> ${sql.raw(`'${field}'`)}`);
  const oldest = tx
    .selectDistinctOn(about, { id: waiting.id, nextAt: waiting.nextAt })
    .from(waiting)
    .orderBy(...about, asc(waiting.id))
    .as('oldest');
  const due = tx
    .select({ id: oldest.id })
    .from(oldest)
    .where(lte(oldest.nextAt, sql`clock_timestamp()`))
    .orderBy(asc(oldest.id))
    .limit(most);
  return await tx
    .update(notifications)
    .set({ attempts: sql`${notifications.attempts} + 1`, nextAt: sql`clock_timestamp() + ${ATTEMPT_MS} * interval '1 ms'` })
    .where(and(inArray(notifications.id, due), lte(nextAt, sql`clock_timestamp()`)))
    .returning({ id: notifications.id, sink: notifications.sink, event, attempts: notifications.attempts });
}

/** The sink has taken it. */
export async function markDelivered(tx: Statements, { id, sink }: DueNotification): Promise<void> {
  await tx.delete(notifications).where(eq(notifications.id, id));
  const deliveredAt = sql`clock_timestamp()`;
  await tx
    .insert(notificationSinks)
    .values({ sink, delivered: 1, deliveredAt })
    .onConflictDoUpdate({ target: notificationSinks.sink, set: { delivered: sql`${notificationSinks.delivered} + 1`, deliveredAt } });
}

/** It was not taken: again after `waitMs`, or never when it is too old. True when it was given up. */
export async function markFailed(
  tx: Statements,
  { id }: DueNotification,
  failure: { readonly problem: string; readonly waitMs: number },
): Promise<boolean> {
  const isOld = sql`${notifications.createdAt} < clock_timestamp() - ${NEWS_MS} * interval '1 ms'`;
  const [row] = await tx
    .update(notifications)
    .set({
      problem: failure.problem,
      nextAt: sql`clock_timestamp() + ${failure.waitMs} * interval '1 ms'`,
      givenUpAt: sql`CASE WHEN ${isOld} THEN clock_timestamp() END`,
    })
    .where(eq(notifications.id, id))
    .returning({ givenUpAt: notifications.givenUpAt });
  return row?.givenUpAt != null;
}

/** Gives up what is too much, and forgets what was given up long ago. Returns how many were given up of each sink. */
export async function trimNotifications(tx: Statements, mostWaiting = MOST_WAITING): Promise<ReadonlyMap<string, number>> {
  await tx.delete(notifications).where(lt(notifications.createdAt, sql`clock_timestamp() - ${KEEP_DAYS} * interval '1 day'`));
  const ranked = tx
    .select({
      id: notifications.id,
      rank: sql<number>`row_number() OVER (PARTITION BY ${notifications.sink} ORDER BY ${notifications.id} DESC)`.as('rank'),
    })
    .from(notifications)
    .where(isNull(notifications.givenUpAt))
    .as('ranked');
  const tooMany = tx.select({ id: ranked.id }).from(ranked).where(gt(ranked.rank, mostWaiting));
  const given = await tx
    .update(notifications)
    .set({ givenUpAt: sql`clock_timestamp()`, problem: `more than ${mostWaiting} were waiting` })
    .where(inArray(notifications.id, tooMany))
    .returning({ sink: notifications.sink });
  return new Map([...Map.groupBy(given, ({ sink }) => sink)].map(([sink, rows]) => [sink, rows.length]));
}

/** How each of these sinks does, in their order. */
export async function sinkEntries(tx: Statements, sinks: readonly string[]): Promise<readonly SinkEntry[]> {
  if (sinks.length === 0) return [];
  const isAsked = inArray(notifications.sink, [...sinks]);
  const waiting = await tx
    .select({ sink: notifications.sink, count: sql<number>`count(*)`.mapWith(Number) })
    .from(notifications)
    .where(and(isAsked, isNull(notifications.givenUpAt)))
    .groupBy(notifications.sink);
  const oldest = await tx
    .selectDistinctOn([notifications.sink])
    .from(notifications)
    .where(and(isAsked, isNull(notifications.givenUpAt)))
    .orderBy(notifications.sink, asc(notifications.id));
  const givenUp = await tx
    .select({ sink: notifications.sink, count: sql<number>`count(*)`.mapWith(Number) })
    .from(notifications)
    .where(and(isAsked, isNotNull(notifications.givenUpAt)))
    .groupBy(notifications.sink);
  const taken = await tx
    .select()
    .from(notificationSinks)
    .where(inArray(notificationSinks.sink, [...sinks]));
  return sinks.map((name): SinkEntry => {
    const of = <T extends { readonly sink: string }>(rows: readonly T[]): T | undefined => rows.find(({ sink }) => sink === name);
    const [first, done] = [of(oldest), of(taken)];
    return {
      ...{ name, delivered: done?.delivered ?? 0, waiting: of(waiting)?.count ?? 0, givenUp: of(givenUp)?.count ?? 0 },
      ...(done?.deliveredAt == null ? {} : { deliveredAt: done.deliveredAt.toISOString() }),
      ...(first === undefined ? {} : { oldestAt: first.createdAt.toISOString() }),
      ...{ attempts: first?.attempts ?? 0, problem: first?.problem ?? '' },
    };
  });
}
