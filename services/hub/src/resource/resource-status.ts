/** The status of resources, worked out when they are read, so that it is never older than what it speaks of. */
import type { KindDescriptor } from '@hawser/model/kinds.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { Statements } from '../db/database.ts';
import type { Condition, FleetView } from '../hub-core.ts';
import type { KindBehaviours } from './kind-behaviour.ts';
import { ownershipOf } from './ownership-store.ts';
import { checkReferences, type ReferenceWorld, resolvedRefs, subsetsOf } from './references.ts';
import { resourceOf } from './resource-row.ts';
import { listRegions, listRows, writeTimes } from './resource-store.ts';
import { unreadable } from './unreadable.ts';

/** What statuses are made from. */
export interface StatusParts {
  readonly fleet: FleetView;
  readonly behaviours: KindBehaviours;
  /** Whether a write is being answered. */
  readonly isWriting?: boolean;
  /** What policies of the kind can refer to, when that was loaded before. */
  readonly world?: ReferenceWorld | undefined;
}

const NAMING_SUBSETS: ReadonlySet<string> = new Set(['VirtualService', 'TrafficShift']);
const NAMING_PLACES: ReadonlySet<string> = new Set(['FailoverPolicy', 'TrafficShift']);

/** Everything a policy of a kind can refer to, as this transaction and the fleet see it. */
export async function loadReferenceWorld(tx: Statements, fleet: FleetView, kind: string): Promise<ReferenceWorld> {
  return {
    services: fleet.knownServices(),
    regions: NAMING_PLACES.has(kind) ? new Set(await listRegions(tx)) : new Set(),
    clusters: NAMING_PLACES.has(kind) ? new Set((await listRows(tx, { kind: 'Cluster' })).map(({ name }) => name)) : new Set(),
    subsets: NAMING_SUBSETS.has(kind) ? subsetsOf(await readable(tx, 'DestinationRule')) : new Map(),
  };
}

/** The resources of a kind, those left out that cannot be used. */
export async function readable(tx: Statements, kind: string): Promise<readonly Resource[]> {
  return (await listRows(tx, { kind })).map(resourceOf).filter((resource) => unreadable(resource) === undefined);
}

/** Adds their status to resources of one kind. */
export async function withStatuses(
  tx: Statements,
  kind: KindDescriptor,
  resources: readonly Resource[],
  parts: StatusParts,
): Promise<readonly Resource[]> {
  if (resources.length === 0) return [];
  const world = kind.policy ? (parts.world ?? (await loadReferenceWorld(tx, parts.fleet, kind.kind))) : undefined;
  const special = await parts.behaviours[kind.kind]?.statuses?.(tx, resources);
  // A write holds the lock on revisions while it is answered: it does without the questions.
  const mayBeOwned = kind.policy && kind.namespaced && parts.isWriting !== true;
  const ownership = mayBeOwned ? await ownershipOf(tx, kind.kind, resources) : undefined;
  const writtenAt = parts.isWriting === true ? undefined : await writeTimes(tx, resources);
  return resources.map((resource) => {
    const problem = unreadable(resource);
    if (problem !== undefined) return { ...resource, status: { conditions: [notAccepted(problem)] } };
    const own = ownConditions(resource, { world, writtenAt: sinceOf(resource, writtenAt) });
    const { conditions: further = [], ...fields } = (special?.get(resource.metadata.uid ?? '') ?? {}) as {
      conditions?: readonly Condition[];
    };
    const { owner, condition } = ownership?.get(resource.metadata.uid ?? '') ?? {};
    const known = condition === undefined ? own : [...own, condition];
    const conditions = [...known, ...further, ...parts.fleet.conditionsOf(resource, known)];
    const observedGeneration = resource.metadata.generation ?? 1;
    return { ...resource, status: { observedGeneration, ...(owner === undefined ? {} : { owner }), ...fields, conditions } };
  });
}

/** What the database holds without the API's doing and cannot be used; whoever reads it sees why, and writes or deletes it. */
function notAccepted(problem: string): Condition {
  const message = `it is not as the API stores it, and is not obeyed: ${problem}; apply it again, or delete it`;
  return { type: 'Accepted', status: 'False', reason: 'Unreadable', message };
}

/** Beyond the kept history a resource is at least as old as its creation. */
function sinceOf({ metadata }: Resource, times: ReadonlyMap<string, string> | undefined): string | undefined {
  return times === undefined ? undefined : (times.get(metadata.resourceVersion ?? '') ?? metadata.creationTimestamp);
}

interface Known {
  readonly world: ReferenceWorld | undefined;
  /** When the resource was written last, if that is known. */
  readonly writtenAt: string | undefined;
}

/** `Accepted` holds since the write; references were checked with it, or are found missing when they are looked at. */
function ownConditions(resource: Resource, { world, writtenAt }: Known): readonly Condition[] {
  const observedGeneration = resource.metadata.generation ?? 1;
  const since = writtenAt === undefined ? {} : { lastTransitionTime: writtenAt };
  const accepted: Condition = { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'the hub stored it', observedGeneration };
  const own = world === undefined ? [accepted] : [accepted, resolvedRefs(checkReferences(resource, world), observedGeneration)];
  return own.map((condition) => (condition.status === 'True' ? { ...condition, ...since } : condition));
}
