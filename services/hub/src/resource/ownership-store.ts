/** Whose a resource is: what clusters own is theirs to change, and goes before what the hub has of the same name. */
import { ownerOf } from '@hawser/model/adoption.ts';
import type { ClusterSpec } from '@hawser/model/kind-specs.ts';
import { CLUSTERS_ANNOTATION, type KindDescriptor } from '@hawser/model/kinds.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { and, eq, inArray, sql } from 'drizzle-orm';
import type { Statements } from '../db/database.ts';
import { foundPolicies, type ResourceRow, resources } from '../db/schema.ts';
import { detailsOf, StatusError, titleOf } from '../http/status.ts';
import type { Condition } from '../hub-core.ts';
import { isPlacedOn, type PlacedMember } from '../placement/place.ts';
import { resourceOf } from './resource-row.ts';
import type { Target } from './resource-service.ts';

/** Of rows of resources, that a cluster owns it: as an index has it. */
export const IS_OWNED = sql`position('@' IN ${resources.name}) > 0`;

/** Refuses to write what a cluster owns: the owner is never overwritten. Throws `Conflict`. */
export function refuseOwned(target: Pick<Target, 'kind' | 'namespace' | 'name'>): void {
  const owner = ownerOf(target.name);
  if (owner === undefined) return;
  const { cluster, name } = owner;
  const place = `${target.kind.kind} ${target.namespace}/${name}`;
  const way = `change or delete ${place} in ${cluster}, or take its namespace from the cluster with hawser cluster policies ${cluster} --set ${target.namespace}=Off`;
  throw new StatusError(
    'Conflict',
    `${titleOf(target)} belongs to ${cluster}, where it is ${place}: ${way}, and apply it here`,
    detailsOf(target),
  );
}

/** Clusters that have their own of a kind, by namespace and name; looked up once for many writes of it. */
export type OwnPlaces = readonly OwnPlace[];

/** Looks them up; none for kinds of which clusters have none. */
export async function ownPlacesOf(tx: Statements, kind: KindDescriptor): Promise<OwnPlaces> {
  return kind.policy && kind.namespaced ? ownersOf(tx, kind.kind) : [];
}

/**
 * Refuses a resource of the hub's that would go to clusters which have their own of this name, unless it went there before: whoever was
 * there first stays. Throws `Conflict`.
 */
export function refuseTaken(target: Target, places: OwnPlaces, after: Resource, before: Resource | undefined): void {
  const taken = places
    .filter((place) => isOf(after, place) && isPlacedOn(after, place.member))
    .filter(({ member }) => before === undefined || !isPlacedOn(before, member));
  if (taken.length === 0) return;
  const names = taken.map(({ member }) => member.name);
  const others = names.length === 1 ? `cluster!=${names[0]}` : `cluster notin (${names.join(',')})`;
  const way = `keep it from there with the annotation ${CLUSTERS_ANNOTATION}: "${others}", or have the policies of namespace ${target.namespace} off there first (hawser cluster policies ${names[0]} --set ${target.namespace}=Off)`;
  const message = `${names.join(', ')} ${names.length === 1 ? 'has' : 'have'} a ${titleOf(target)} of their own, which is in force there: ${way}`;
  throw new StatusError('Conflict', message, detailsOf(target));
}

/** What the statuses of resources of one kind say of owners, by uid. */
export interface OwnershipStatus {
  /** Of what a cluster owns: whose it is, and its object there. */
  readonly owner?: { readonly cluster: string; readonly name: string; readonly uid?: string; readonly generation?: number };
  /** Of what the hub has: clusters in which it is not in force. */
  readonly condition?: Condition;
}

/** Looks up whose resources are, and where clusters' own stand in the place of the hub's. */
export async function ownershipOf(tx: Statements, kind: string, all: readonly Resource[]): Promise<ReadonlyMap<string, OwnershipStatus>> {
  const statuses = new Map<string, OwnershipStatus>();
  const theirs = all.filter(({ metadata }) => ownerOf(metadata.name) !== undefined);
  const objects = theirs.length === 0 ? [] : await tx.select().from(foundPolicies).where(eq(foundPolicies.kind, kind));
  for (const { metadata } of theirs) {
    const owner = ownerOf(metadata.name) as { readonly name: string; readonly cluster: string };
    const object = objects.find((one) => one.cluster === owner.cluster && one.namespace === metadata.namespace && one.name === owner.name);
    const known = object === undefined ? {} : { uid: object.uid, generation: object.generation };
    statuses.set(metadata.uid ?? '', { owner: { cluster: owner.cluster, name: owner.name, ...known } });
  }
  const own = all.filter(({ metadata }) => ownerOf(metadata.name) === undefined);
  const owners = own.length === 0 ? [] : await ownersOf(tx, kind);
  for (const resource of owners.length === 0 ? [] : own) {
    const clusters = owners.filter(({ namespace, name, member }) => isOf(resource, { namespace, name }) && isPlacedOn(resource, member));
    if (clusters.length > 0)
      statuses.set(resource.metadata.uid ?? '', {
        condition: displaced(
          resource,
          clusters.map(({ member }) => member.name),
        ),
      });
  }
  return statuses;
}

function displaced({ kind, metadata }: Resource, clusters: readonly string[]): Condition {
  const { namespace = '', name, generation = 1 } = metadata;
  const message = `${clusters.join(', ')}: the cluster's own ${kind} ${namespace}/${name} is in force there, not this one; keep it from there by ${CLUSTERS_ANNOTATION}, or have it deleted there`;
  return { type: 'Placed', status: 'False', reason: 'OwnedByCluster', message, observedGeneration: generation };
}

interface OwnPlace {
  /** In the cluster. */
  readonly namespace: string;
  readonly name: string;
  readonly member: PlacedMember;
}

async function ownersOf(tx: Statements, kind: string): Promise<OwnPlaces> {
  const adopted = await tx
    .select({ namespace: resources.namespace, name: resources.name })
    .from(resources)
    .where(and(eq(resources.kind, kind), IS_OWNED));
  const places = adopted.flatMap(({ namespace, name }) => {
    const owner = ownerOf(name);
    return owner === undefined ? [] : [{ namespace, ...owner }];
  });
  if (places.length === 0) return [];
  const rows = await tx
    .select()
    .from(resources)
    .where(and(eq(resources.kind, 'Cluster'), inArray(resources.name, [...new Set(places.map(({ cluster }) => cluster))])));
  const members = new Map(rows.map((row) => [row.name, memberOf(row)]));
  return places.flatMap(({ namespace, name, cluster }) => {
    const member = members.get(cluster);
    return member === undefined ? [] : [{ namespace, name, member }];
  });
}

function memberOf(row: ResourceRow): PlacedMember {
  const { metadata, spec } = resourceOf(row);
  const { region, zone = '', provider = '' } = spec as ClusterSpec;
  return { name: metadata.name, region, zone, provider, labels: metadata.labels ?? {} };
}

function isOf({ metadata }: Resource, { namespace, name }: { readonly namespace: string; readonly name: string }): boolean {
  return metadata.namespace === namespace && metadata.name === name;
}
