/** The read model on PostgreSQL. */
import type { RosterMember } from '@hawser/model/fleet.ts';
import { trustDomainOf } from '@hawser/model/fleet.ts';
import type { ClusterSpec } from '@hawser/model/kind-specs.ts';
import { asc, gt, lte, sql } from 'drizzle-orm';
import type { Database, Statements } from '../db/database.ts';
import { hubMeta, members, outbox, outboxProgress, type ResourceRow, resources } from '../db/schema.ts';
import type { DesiredState, ResourceReadModel } from './resource-read-model.ts';
import { resourceOf } from './resource-row.ts';

/** Builds the read model. */
export function createReadModel(database: Database): ResourceReadModel {
  return {
    snapshot: () => database.transaction(snapshot, { isolationLevel: 'repeatable read', accessMode: 'read only' }),
    outboxAfter: (revision, limit) =>
      database.transaction(async (tx) => {
        const rows = await tx.select().from(outbox).where(gt(outbox.revision, revision)).orderBy(asc(outbox.revision)).limit(limit);
        return rows.map(({ at, ...entry }) => ({ ...entry, at: at.toISOString() }));
      }),
    markPublished: (revision) =>
      database.transaction(async (tx) => {
        await tx.update(outboxProgress).set({ published: sql`greatest(${outboxProgress.published}, ${revision})` });
        await tx.delete(outbox).where(lte(outbox.revision, revision));
      }),
    publishedRevision: () =>
      database.transaction(
        async (tx) => (await tx.select({ published: outboxProgress.published }).from(outboxProgress))[0]?.published ?? 0,
      ),
    raiseEpoch: (past) =>
      database.transaction(async (tx) => {
        const [meta] = await tx
          .update(hubMeta)
          .set({ epoch: sql`greatest(${hubMeta.epoch}, ${past}) + 1` })
          .returning({ epoch: hubMeta.epoch });
        if (meta === undefined) throw new Error('hub_meta has lost its row');
        return meta.epoch;
      }),
  };
}

async function snapshot(tx: Statements): Promise<DesiredState> {
  const [meta] = await tx.select().from(hubMeta);
  if (meta === undefined) throw new Error('hub_meta has lost its row');
  const rows = await tx.select().from(resources).orderBy(asc(resources.kind), asc(resources.namespace), asc(resources.name));
  const enrolled = await tx.select().from(members).orderBy(asc(members.cluster));
  const clusters = new Map(rows.filter((row) => row.kind === 'Cluster').map((row) => [row.name, row]));
  const roster = enrolled.flatMap((member) => {
    const cluster = clusters.get(member.cluster);
    return cluster === undefined ? [] : [rosterMember(cluster, member)];
  });
  return { epoch: meta.epoch, revision: meta.revision, resources: rows.map(resourceOf), members: roster };
}

/** A member as agents see it. Without a network of its own name, a cluster is a network by itself. */
function rosterMember(cluster: ResourceRow, member: { readonly epoch: number; readonly signingKey: string }): RosterMember {
  const { region, zone, provider, network } = cluster.spec as ClusterSpec;
  return {
    name: cluster.name,
    epoch: member.epoch,
    signingKey: member.signingKey,
    region,
    zone: zone ?? '',
    provider: provider ?? '',
    network: network ?? cluster.name,
    labels: cluster.labels,
    trustDomain: trustDomainOf(cluster.name),
  };
}
