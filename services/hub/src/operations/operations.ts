/** Operations as the resource API meets them: begun with the write that calls for one, shown, steered by commands, ended with their resource. */
import type { Resource } from '@hawser/model/resource.ts';
import type { Database, Statements, Transaction } from '../db/database.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { detailsOf, notFound, StatusError } from '../http/status.ts';
import type { KindBehaviour, KindBehaviours, StatusFields } from '../resource/kind-behaviour.ts';
import { resourceOf } from '../resource/resource-row.ts';
import { rowKey, type Target } from '../resource/resource-service.ts';
import { findRow } from '../resource/resource-store.ts';
import type { OperationActor, OperationContext, OperationKind, OperationState } from './operation-kind.ts';
import {
  dropOperation,
  insertOperation,
  lockNewest,
  newestOperations,
  type OperationWrite,
  type StoredOperation,
  updateOperation,
  withForm,
} from './operation-store.ts';

/** What they work with. */
export interface OperationsParts {
  readonly context: FleetContext;
  readonly kinds: readonly OperationKind[];
  /** An operation was begun or steered: whoever leads looks at once. */
  readonly onChange: () => void;
}

/** The operations of all kinds. */
export class Operations {
  readonly #parts: OperationsParts;
  readonly #kinds: ReadonlyMap<string, OperationKind>;

  constructor(parts: OperationsParts) {
    this.#parts = parts;
    this.#kinds = new Map(parts.kinds.map((kind) => [kind.kind, kind]));
  }

  get kinds(): readonly OperationKind[] {
    return this.#parts.kinds;
  }

  kind(name: string): OperationKind | undefined {
    return this.#kinds.get(name);
  }

  /** What operations add to the behaviours of their kinds. */
  behaviours(own: KindBehaviours = {}): KindBehaviours {
    const joined = this.#parts.kinds.map((kind) => [kind.kind, this.#behaviourOf(kind, own[kind.kind] ?? {})] as const);
    return { ...own, ...Object.fromEntries(joined) };
  }

  #behaviourOf(kind: OperationKind, own: KindBehaviour): KindBehaviour {
    return {
      ...own,
      check: async (tx, resource, alongside) => [
        ...((await own.check?.(tx, resource, alongside)) ?? []),
        ...((await kind.check?.(tx, resource, alongside)) ?? []),
      ],
      writing: async (tx, resource, actor) => {
        await own.writing?.(tx, resource, actor);
        await this.begin(tx, resource, { actor });
      },
      deleted: async (tx, resource) => {
        await own.deleted?.(tx, resource);
        const newest = await lockNewest(tx, resource.metadata.uid ?? '');
        const kept = newest?.ended === false ? kind.keepsResource?.(newest.state, resource) : undefined;
        if (kept !== undefined) throw new StatusError('Conflict', `${kind.kind} ${resource.metadata.name} cannot be deleted: ${kept}`);
        await dropOperation(tx, resource.metadata.uid ?? '');
      },
      statuses: (tx, resources) => this.#statuses(tx, resources),
    };
  }

  /** Begins the operation that a new spec calls for; one that is under way sees the new spec by itself. */
  async begin(tx: Statements, resource: Resource, by: OperationActor): Promise<void> {
    const kind = this.#kinds.get(resource.kind);
    const newest = kind === undefined ? undefined : await lockNewest(tx, resource.metadata.uid ?? '');
    if (kind === undefined || newest?.ended === false) return;
    const write = this.started(kind, withForm(resource, newest), by);
    if (write !== undefined) await insertOperation(tx, resource, write);
    else if (newest?.inForce !== undefined) await dropOperation(tx, newest.uid);
    this.#parts.onChange();
  }

  /** How the operation of a resource begins; undefined when it needs none. `inForce` of the resource is what its last one left. */
  started(kind: OperationKind, resource: Resource, by: OperationActor): OperationWrite | undefined {
    const evidence = kind.evidence(this.contextAt(0), resource, undefined);
    const state = kind.start(resource, evidence, by);
    return state === undefined ? undefined : writeOf(kind, resource, { state, clock: 0 });
  }

  contextAt(clock: number, found?: unknown): OperationContext {
    const { context } = this.#parts;
    return { fleet: context, now: context.now(), clock, found };
  }

  /** Does what an operator says, or says why not. */
  async command(database: Database, target: Target, said: { readonly command: string } & OperationActor): Promise<void> {
    const done = await database.transaction((tx) => this.#commanded(tx, target, said));
    const { kind, before, after, resource } = done;
    kind.changed?.(before, after, resource);
    this.#parts.onChange();
  }

  async #commanded(tx: Transaction, target: Target, said: { readonly command: string } & OperationActor): Promise<Changed> {
    const kind = this.#kinds.get(target.kind.kind);
    const row = await findRow(tx, rowKey(target), 'lock');
    if (row === undefined || kind === undefined) throw notFound(target);
    const stored = await lockNewest(tx, row.uid);
    const refused = (why: string): StatusError =>
      new StatusError('Conflict', `${said.command} ${target.kind.kind} ${target.name}: ${why}`, detailsOf(target));
    if (stored === undefined) throw refused('it moves nothing in steps: there is nothing to steer');
    const resource = withForm(resourceOf(row), stored);
    const found = await kind.read?.(tx, stored.state, resource);
    const evidence = kind.evidence(this.contextAt(stored.clock, found), resource, stored.state);
    const after = kind.command(stored.state, said.command, { ...said, resource }, evidence);
    if (typeof after === 'string') throw refused(after);
    const kept = await this.store(
      tx,
      { kind, stored, resource, state: after, clock: stored.clock, found },
      { ...said, verb: said.command },
    );
    return { kind, before: stored.state, after: kept, resource };
  }

  /** Stores a state that came of another, with what follows of it; answers with the state as it is stored. */
  async store(tx: Statements, next: Next, act: OperationActor & { readonly verb: string }): Promise<OperationState> {
    const { kind, stored, resource, clock, found } = next;
    const context = this.contextAt(clock, found);
    const change = { before: stored.state, after: next.state, resource, now: context.now, clock, others: this };
    const carried = (await kind.carriedOut?.(tx, change)) ?? next.state;
    const reason = act.reason ?? movedFrom(stored.state, carried);
    const ends = kind.isEnded(carried) && !kind.isEnded(stored.state);
    const end = { resource, evidence: kind.evidence(context, resource, stored.state) };
    const state = ends ? ((await kind.ending?.(tx, carried, end)) ?? carried) : carried;
    await updateOperation(tx, stored, writeOf(kind, resource, { state, clock }), { ...act, reason });
    return state;
  }

  async #statuses(tx: Statements, resources: readonly Resource[]): Promise<StatusFields> {
    const newest = await newestOperations(
      tx,
      resources.map(({ metadata }) => metadata.uid ?? ''),
    );
    const fields = new Map<string, Readonly<Record<string, unknown>>>();
    for (const resource of resources) {
      const stored = newest.get(resource.metadata.uid ?? '');
      const kind = this.#kinds.get(resource.kind);
      if (stored === undefined || kind === undefined) continue;
      const own = withForm(resource, stored);
      const found = stored.ended ? undefined : await kind.read?.(tx, stored.state, own);
      const evidence = kind.evidence(this.contextAt(stored.clock, found), own, stored.state);
      fields.set(stored.uid, kind.statusOf(stored.state, own, evidence));
    }
    return fields;
  }
}

interface Changed {
  readonly kind: OperationKind;
  readonly before: OperationState;
  readonly after: OperationState;
  readonly resource: Resource;
}

/** A state that is to be stored after another. */
export interface Next {
  readonly kind: OperationKind;
  readonly stored: StoredOperation;
  readonly resource: Resource;
  readonly state: OperationState;
  /** Milliseconds attended. */
  readonly clock: number;
  /** What `OperationKind.read` found. */
  readonly found?: unknown;
}

function writeOf(kind: OperationKind, resource: Resource, { state, clock }: Pick<Next, 'state' | 'clock'>): OperationWrite {
  const generation = resource.metadata.generation ?? 1;
  return { state, inForce: kind.inForce(resource, state), ended: kind.isEnded(state), generation, clock };
}

function movedFrom(before: OperationState, after: OperationState): string {
  const phases = before.phase === after.phase ? after.phase : `${before.phase} → ${after.phase}`;
  return after.message === undefined ? phases : `${phases}: ${after.message}`;
}
