/** The desired state as this replica knows it, moved forward by what was written instead of read anew. No I/O. */
import { ownerOf } from '@hawser/model/adoption.ts';
import { type Resource, resourceKey } from '@hawser/model/resource.ts';
import { resourceOfOperation } from '../operations/operation-name.ts';
import { type AdoptedIndex, adoptedIn } from '../placement/adopted.ts';
import type { ResourceChange, StateAfter } from '../placement/place.ts';
import type { Changes, DesiredState, OutboxEntry } from '../resource/resource-read-model.ts';

/** What a step did to the state; without `resources` anything may have changed. */
export interface StateStep {
  readonly desired: DesiredState;
  readonly resources: readonly ResourceChange[] | undefined;
  /** What stands beside them. */
  readonly state: StateAfter;
}

/** One state after another; each `desired` stays as it was. */
export class KnownState {
  #resources: ReadonlyMap<string, Resource> = new Map();
  #adopted: AdoptedIndex = new Map();
  #desired: DesiredState | undefined;

  /** Undefined before the first read. */
  get desired(): DesiredState | undefined {
    return this.#desired;
  }

  /** Takes a whole state. Resources that did not change stay the objects they were, so that unchanged documents need no look inside. */
  replace(read: DesiredState): StateStep {
    const before = this.#resources;
    this.#resources = new Map(read.resources.map((resource) => [keyOf(resource), keptObject(before.get(keyOf(resource)), resource)]));
    this.#adopted = adoptedIn(this.#resources.values());
    return this.#step(read, read, undefined);
  }

  /** Takes what was written since; work is proportional to that, but for one copy of the map of names. */
  advance(changes: Changes): StateStep {
    const before = this.#resources;
    const after = new Map(before);
    const written = new Map(changes.written.map((resource) => [keyOf(resource), resource]));
    const touched = new Set(changes.entries.map(touchedBy));
    for (const key of touched) {
      const resource = written.get(key);
      if (resource === undefined) after.delete(key);
      else after.set(key, keptObject(before.get(key), resource));
    }
    this.#resources = after;
    if (changes.entries.some(({ name }) => ownerOf(name) !== undefined)) this.#adopted = adoptedIn(after.values());
    const steps = [...touched]
      .map((key) => ({ before: before.get(key), after: after.get(key) }))
      .filter((step) => step.before !== step.after);
    const isPlacedAnew = changes.roster !== undefined || changes.orders !== undefined;
    const { members, external } = changes.roster ?? this.#desired ?? { members: [] };
    const orders = changes.orders ?? this.#desired?.orders ?? new Map();
    return this.#step(changes, { members, external, orders }, isPlacedAnew ? undefined : steps);
  }

  #step(
    { epoch, revision }: Pick<DesiredState, 'epoch' | 'revision'>,
    { members, external, orders }: Pick<DesiredState, 'members' | 'external' | 'orders'>,
    resources: readonly ResourceChange[] | undefined,
  ): StateStep {
    const all = this.#resources;
    this.#desired = desiredState({ epoch, revision, members, external, orders, adopted: this.#adopted }, all);
    const find = (kind: string, namespace: string, name: string): Resource | undefined => all.get(resourceKey(kind, namespace, name));
    return { desired: this.#desired, resources, state: { adopted: this.#adopted, find } };
  }
}

/** Its resources are put in order when somebody asks for them. */
function desiredState(head: Omit<DesiredState, 'resources'>, resources: ReadonlyMap<string, Resource>): DesiredState {
  let ordered: readonly Resource[] | undefined;
  return {
    ...head,
    get resources() {
      ordered ??= [...resources].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, resource]) => resource);
      return ordered;
    },
  };
}

function keptObject(known: Resource | undefined, read: Resource): Resource {
  return known !== undefined && versionOf(known) === versionOf(read) ? known : read;
}

function versionOf({ metadata: { uid, resourceVersion }, inForceRevision }: Resource): string {
  return `${uid} ${resourceVersion} ${inForceRevision ?? ''}`;
}

/** A write of an operation may have changed what is in force of its resource. */
function touchedBy(entry: OutboxEntry): string {
  const { kind, namespace, name } = resourceOfOperation(entry) ?? entry;
  return resourceKey(kind, namespace, name);
}

function keyOf({ kind, metadata }: Resource): string {
  return resourceKey(kind, metadata.namespace, metadata.name);
}
