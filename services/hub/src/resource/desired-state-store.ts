/** The read model on PostgreSQL. */
import type { Resource } from '@hawser/model/resource.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { asc, gt, inArray, lte, sql } from 'drizzle-orm';
import type { Database, Statements } from '../db/database.ts';
import { externalBundles, history, hubLeader, hubMeta, members, outbox, outboxProgress, resources } from '../db/schema.ts';
import { resourceOfOperation } from '../operations/operation-name.ts';
import { withForms } from '../operations/operation-store.ts';
import { type RosterState, rosterState } from '../trust/roster-state.ts';
import { ROTATION_KIND, trustOrders } from '../trust/rotation-store.ts';
import type { Changes, DesiredState, ResourceReadModel } from './resource-read-model.ts';
import { listNamed, OUTBOX_CHANNEL } from './resource-store.ts';
import { type UsableRows, usableRows } from './usable-rows.ts';

/** Beyond this the whole state is read instead. */
const MAX_CHANGES = 5_000;
/** A new epoch leaves room for writes that were acknowledged, but of which the bus had not heard when they were lost. */
const UNSEEN_WRITES = 10_000;
/** Kinds whose writes may change the roster. */
const ROSTER_KINDS = ['Cluster', 'TrustDomain'];
const READ = { isolationLevel: 'repeatable read', accessMode: 'read only' } as const;

/** Builds the read model. Rows that cannot be used are named in the log. */
export function createReadModel(database: Database, log?: Logger): ResourceReadModel {
  const usable = usableRows(log);
  return {
    snapshot: () => database.transaction((tx) => snapshot(tx, usable), READ),
    changesAfter: (revision) => database.transaction((tx) => changesAfter(tx, revision, usable), READ),
    outboxAfter: (revision, limit) =>
      database.transaction(async (tx) => {
        const rows = await tx.select().from(outbox).where(gt(outbox.revision, revision)).orderBy(asc(outbox.revision)).limit(limit);
        return rows.map(({ at, ...entry }) => ({ ...entry, at: at.toISOString() }));
      }),
    markPublished: (revision, term) =>
      database.transaction(async (tx) => {
        await requireTerm(tx, term);
        await tx.update(outboxProgress).set({ published: sql`greatest(${outboxProgress.published}, ${revision})` });
        await tx.delete(outbox).where(lte(outbox.revision, revision));
        // The other replicas show what is published.
        await tx.execute(sql`SELECT pg_notify(${OUTBOX_CHANNEL}, ${String(revision)})`);
      }),
    publishedRevision: () => database.transaction(publishedRevision),
    raiseEpoch: (past, term) =>
      database.transaction(async (tx) => {
        await requireTerm(tx, term);
        const beyond = sql`greatest(${hubMeta.revision}, ${past.revision}) + ${UNSEEN_WRITES}`;
        const [meta] = await tx
          .update(hubMeta)
          .set({ epoch: sql`greatest(${hubMeta.epoch}, ${past.epoch}) + 1`, revision: beyond, epochStart: beyond })
          .returning({ epoch: hubMeta.epoch });
        if (meta === undefined) throw new Error('hub_meta has lost its row');
        return meta.epoch;
      }),
  };
}

async function snapshot(tx: Statements, usable: UsableRows): Promise<DesiredState> {
  const { epoch, revision } = await readMeta(tx);
  const rows = await tx.select().from(resources).orderBy(asc(resources.kind), asc(resources.namespace), asc(resources.name));
  const all = await withForms(tx, await usable(tx, rows));
  return { epoch, revision, resources: all, ...(await rosterOf(tx, all)), orders: await trustOrders(tx) };
}

/** Revisions have no gaps: as many writes on record as revisions have passed are all of them. */
async function changesAfter(tx: Statements, after: number, usable: UsableRows): Promise<Changes | undefined> {
  const { epoch, revision } = await readMeta(tx);
  if (revision < after || revision - after > MAX_CHANGES) return undefined;
  const published = await publishedRevision(tx);
  if (revision === after) return { epoch, revision, published, entries: [], written: [], roster: undefined };
  const { kind, namespace, name, action, at } = history;
  const columns = { revision: history.revision, kind, namespace, name, action, at };
  const writes = await tx.select(columns).from(history).where(gt(history.revision, after)).orderBy(asc(history.revision));
  if (writes.length !== revision - after) return undefined;
  const moved = new Map(writes.flatMap((write) => resourceOfOperation(write) ?? []).map((one) => [JSON.stringify(one), one]));
  const rows = [
    ...(await tx.select().from(resources).where(gt(resources.revision, after))),
    ...(await listNamed(tx, [...moved.values()], lte(resources.revision, after))),
  ];
  const touchesRoster = writes.some((write) => ROSTER_KINDS.includes(write.kind));
  const vouched = touchesRoster ? await tx.select().from(resources).where(inArray(resources.kind, ROSTER_KINDS)) : [];
  return {
    ...{ epoch, revision, published },
    entries: writes.map((write) => ({ ...write, at: write.at.toISOString() })),
    written: await withForms(tx, await usable(tx, rows)),
    roster: touchesRoster ? await rosterOf(tx, await usable(tx, vouched)) : undefined,
    orders: writes.some((write) => write.kind === ROTATION_KIND) ? await trustOrders(tx) : undefined,
  };
}

async function readMeta(tx: Statements): Promise<{ readonly epoch: number; readonly revision: number }> {
  const [meta] = await tx.select().from(hubMeta);
  if (meta === undefined) throw new Error('hub_meta has lost its row');
  return meta;
}

async function publishedRevision(tx: Statements): Promise<number> {
  return (await tx.select({ published: outboxProgress.published }).from(outboxProgress))[0]?.published ?? 0;
}

/** Keeps the term from being taken until the transaction ends. */
export async function requireTerm(tx: Statements, term: number): Promise<void> {
  const [leader] = await tx.select({ term: hubLeader.term }).from(hubLeader).for('share');
  if (leader?.term !== term) throw new AppError('not-leader', `another replica leads since: term ${leader?.term ?? 0}, not ${term}`);
}

/** Who belongs to the federation, by the rows of their joins and the resources that describe them. */
async function rosterOf(tx: Statements, found: readonly Resource[]): Promise<RosterState> {
  const enrolled = await tx.select().from(members).orderBy(asc(members.cluster));
  const fetched = await tx.select().from(externalBundles);
  return rosterState({ resources: found, enrolled, fetched: new Map(fetched.map((row) => [row.trustDomain, row.certificates])) });
}
