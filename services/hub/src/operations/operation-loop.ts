/** Moves operations on while this replica leads: by what agents say, and four times a second; what it decides is in the database first. */
import type { Resource } from '@hawser/model/resource.ts';
import { canonicalJson } from '@hawser/runtime/canonical-json.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Database, Transaction } from '../db/database.ts';
import { LookLoop } from '../distribute/look-loop.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { requireTerm } from '../resource/desired-state-store.ts';
import { resourceOf } from '../resource/resource-row.ts';
import { findRow, listNamed } from '../resource/resource-store.ts';
import { unreadable } from '../resource/unreadable.ts';
import { OperationClocks } from './operation-clocks.ts';
import type { OperationKind, OperationState } from './operation-kind.ts';
import {
  abandonOperation,
  beginOperation,
  dropOperation,
  type KeptOperation,
  keepClocks,
  lockNewest,
  newestOperations,
  type OperationWrite,
  operationsUnderWay,
  type StoredOperation,
  withForm,
  writtenAfter,
} from './operation-store.ts';
import type { Next, Operations } from './operations.ts';

/** What it works with. */
export interface OperationLoopParts {
  readonly database: Database;
  readonly context: FleetContext;
  readonly operations: Operations;
  /** Calls back when agents said something. Returns how to stop. */
  readonly onHeard: (listener: () => void) => () => void;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const LOOK_MS = 250;
/** What another replica did is seen after so long. */
const READ_MS = 1_000;
/** Agents answer in a rush. */
const RUSH_MS = 25;

interface Attended {
  readonly stored: StoredOperation;
  /** As it is in force; undefined when it is gone. */
  readonly resource: Resource | undefined;
  /** What its kind read beside it. */
  readonly found?: unknown;
}

/** One whose resource is there. */
type Operated = Attended & { readonly resource: Resource };

/** One replica's part in it. */
export class OperationLoop {
  readonly #parts: OperationLoopParts;
  readonly #clocks = new OperationClocks();
  #underWay: readonly Attended[] = [];
  #readAt = Number.NEGATIVE_INFINITY;
  /** Resources up to this revision have the operations that they need. */
  #begunUpTo = 0;
  readonly #loop: LookLoop;

  constructor(parts: OperationLoopParts) {
    this.#parts = parts;
    const { log, signal } = parts;
    this.#loop = new LookLoop({
      ...{ look: () => this.#look(), everyMs: LOOK_MS, rushMs: RUSH_MS, log, signal },
      problem: 'operations could not be moved on, trying again',
      onFailure: () => this.#readAgain(),
    });
  }

  /** Something was begun, or steered. */
  hint(): void {
    this.#readAgain();
    this.#loop.wake();
  }

  /** Something that is judged by was heard: it is looked at again, without the database. */
  hear(): void {
    if (this.#underWay.length > 0) this.#loop.wake();
  }

  /** Runs until the signal is aborted; survives every failure of the database. */
  async run(): Promise<void> {
    const stopHearing = this.#parts.onHeard(() => this.hear());
    await this.#loop.run();
    stopHearing();
    this.#attend([]);
  }

  #readAgain(): void {
    this.#readAt = Number.NEGATIVE_INFINITY;
  }

  async #look(): Promise<void> {
    const { context } = this.#parts;
    const term = context.distribution.replica?.term;
    if (term === undefined) return this.#standBy();
    if (performance.now() - this.#readAt >= READ_MS) await this.#read(term);
    for (const { stored, resource, found } of this.#underWay) {
      if (resource === undefined) await this.#abandon(stored, term);
      else if (this.#nextOf({ stored, resource, found }) !== undefined) await this.#move(stored, term);
    }
  }

  #standBy(): void {
    if (this.#underWay.length > 0) this.#attend([]);
    this.#underWay = [];
    this.#begunUpTo = 0;
    this.#readAgain();
  }

  /** Reads what is under way, begins what is missing, and notes how far the clocks have come. */
  async #read(term: number): Promise<void> {
    const { database } = this.#parts;
    await this.#beginMissing(term);
    const kept = this.#kept();
    this.#underWay = await database.transaction(async (tx) => {
      if (kept.size > 0) {
        await requireTerm(tx, term);
        await keepClocks(tx, kept);
      }
      const all = await operationsUnderWay(tx);
      const rows = await listNamed(tx, all);
      const resources = new Map(rows.map((row) => [row.uid, resourceOf(row)]));
      const attended: Attended[] = [];
      for (const stored of all) {
        const resource = resources.get(stored.uid);
        attended.push(resource === undefined ? { stored, resource } : await this.#withFound(tx, stored, resource));
      }
      return attended;
    });
    this.#readAt = performance.now();
    this.#clocks.keepOnly(new Set(this.#underWay.map(({ stored }) => stored.id)));
    this.#attend(this.#underWay);
  }

  async #withFound(tx: Transaction, stored: StoredOperation, written: Resource): Promise<Operated> {
    const resource = withForm(written, stored);
    return { stored, resource, found: await this.#parts.operations.kind(stored.kind)?.read?.(tx, stored.state, resource) };
  }

  /** What the database is behind with. */
  #kept(): ReadonlyMap<number, KeptOperation> {
    const due = this.#clocks.takeUnkept();
    const byId = new Map(this.#underWay.map((one) => [one.stored.id, one]));
    return new Map(
      [...due].map(([id, ms]) => {
        const { stored, resource } = byId.get(id) ?? {};
        const kind = stored === undefined ? undefined : this.#parts.operations.kind(stored.kind);
        return [id, { ms, fields: resource === undefined ? undefined : kind?.kept?.(resource) }];
      }),
    );
  }

  #attend(attended: readonly Attended[]): void {
    for (const kind of this.#parts.operations.kinds) {
      kind.attend?.(
        attended.flatMap(({ stored, resource }) =>
          stored.kind === kind.kind && resource !== undefined ? [{ resource, state: stored.state }] : [],
        ),
      );
    }
  }

  /** A write begins the operation that it calls for; this finds what came by another way, or from a hub that knew of none. */
  async #beginMissing(term: number): Promise<void> {
    const { database, operations } = this.#parts;
    const names = operations.kinds.map(({ kind }) => kind);
    const rows = await database.transaction((tx) => writtenAfter(tx, names, this.#begunUpTo), { accessMode: 'read only' });
    if (rows.length === 0) return;
    const uids = rows.map(({ uid }) => uid);
    const newest = await database.transaction((tx) => newestOperations(tx, uids), { accessMode: 'read only' });
    for (const row of rows) {
      const known = newest.get(row.uid);
      if (known !== undefined && (!known.ended || known.generation === row.generation)) continue;
      const resource = withForm(resourceOf(row), known);
      if (known?.inForce !== undefined || this.#started(resource) !== undefined) await this.#begin(resource, term);
    }
    this.#begunUpTo = rows.at(-1)?.revision ?? this.#begunUpTo;
  }

  #started(resource: Resource): OperationWrite | undefined {
    const { operations } = this.#parts;
    const kind = operations.kind(resource.kind);
    if (kind === undefined || unreadable(resource) !== undefined) return undefined;
    return operations.started(kind, resource, { actor: 'hub' });
  }

  async #begin(resource: Resource, term: number): Promise<void> {
    await this.#parts.database.transaction(async (tx) => {
      await requireTerm(tx, term);
      const newest = await lockNewest(tx, resource.metadata.uid ?? '');
      if (newest?.ended === false) return;
      const write = this.#started(resource);
      if (write !== undefined) await beginOperation(tx, resource, write, { actor: 'hub', verb: 'begin' });
      else if (newest?.inForce !== undefined) await dropOperation(tx, newest.uid);
    });
  }

  /** What becomes of it now; undefined when nothing does. */
  #nextOf({ stored, resource, found }: Operated): Next | undefined {
    const kind = this.#parts.operations.kind(stored.kind);
    if (kind === undefined) return undefined;
    const clock = this.#clocks.read(stored);
    const evidence = kind.evidence(this.#parts.operations.contextAt(clock, found), resource, stored.state);
    const state = kind.advance(stored.state, resource, evidence);
    const next = { kind, stored, resource, state, clock, found };
    return state !== stored.state || isFormNew(kind, { resource, state }, stored) ? next : undefined;
  }

  /** Decides anew over what is stored, while nobody else can change it. */
  async #move({ uid, id }: StoredOperation, term: number): Promise<void> {
    const { database, operations, log } = this.#parts;
    const moved = await database.transaction(async (tx) => {
      await requireTerm(tx, term);
      const found = await this.#locked(tx, uid, id);
      const next = found === undefined ? undefined : this.#nextOf(found);
      if (next === undefined) return undefined;
      const { message } = next.state;
      const act = { actor: 'hub', verb: 'advance', ...(message === undefined ? {} : { reason: message }) };
      return { ...next, state: await operations.store(tx, next, act) };
    });
    this.hint();
    if (moved === undefined) return;
    const { kind, stored, state, resource } = moved;
    const named = { kind: stored.kind, namespace: stored.namespace, name: stored.name };
    log.info({ operation: named, phase: state.phase, reason: state.message }, 'an operation went on');
    kind.changed?.(stored.state, state, resource);
  }

  async #locked(tx: Transaction, uid: string, id: number): Promise<Operated | undefined> {
    const stored = await lockNewest(tx, uid);
    if (stored === undefined || stored.ended || stored.id !== id) return undefined;
    const row = await findRow(tx, stored);
    return row?.uid === uid ? await this.#withFound(tx, stored, resourceOf(row)) : undefined;
  }

  async #abandon({ uid, id }: StoredOperation, term: number): Promise<void> {
    await this.#parts.database.transaction(async (tx) => {
      await requireTerm(tx, term);
      const stored = await lockNewest(tx, uid);
      if (stored === undefined || stored.ended || stored.id !== id) return;
      if ((await findRow(tx, stored))?.uid !== uid) await abandonOperation(tx, stored);
    });
    this.hint();
  }
}

function isFormNew(
  kind: OperationKind,
  { resource, state }: { resource: Resource; state: OperationState },
  stored: StoredOperation,
): boolean {
  return canonicalJson(kind.inForce(resource, state) ?? null) !== canonicalJson(stored.inForce ?? null);
}
