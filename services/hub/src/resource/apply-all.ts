/** Many policies created or replaced in one transaction: what a folder of files amounts to, at the cost of a few statements. */
import { type KindDescriptor, kindNamed } from '@hawser/model/kinds.ts';
import { type Resource, resourceKey } from '@hawser/model/resource.ts';
import type { Database, Transaction } from '../db/database.ts';
import type { ResourceRow } from '../db/schema.ts';
import { invalid, type Status, StatusError, statusOf } from '../http/status.ts';
import type { FleetView } from '../hub-core.ts';
import type { KindBehaviours } from './kind-behaviour.ts';
import { type OwnPlaces, ownPlacesOf, refuseOwned, refuseTaken } from './ownership-store.ts';
import { checkReferences, type ReferenceWorld, subsetsOf } from './references.ts';
import { desiredOf, newRow, resourceOf, updatedRow } from './resource-row.ts';
import { requireVersion, rowKey, type Target, validated, type WriteOptions } from './resource-service.ts';
import { loadReferenceWorld, readable } from './resource-status.ts';
import { lockRows, recordWrites, type Write } from './resource-store.ts';

/** What became of one of them. `revision` is that of its last write; 0 in a dry run that would create it, and for what was refused. */
export interface AppliedOne {
  readonly action: 'created' | 'configured' | 'unchanged' | 'refused';
  readonly revision: number;
  readonly error?: Status;
}

/** What it works with. */
export interface ApplyAllParts {
  readonly database: Database;
  readonly fleet: FleetView;
  readonly behaviours: KindBehaviours;
}

/** Kinds that name subsets. */
const SUBSET_KINDS = ['VirtualService', 'TrafficShift'];
/** Another writer may create the same between our look and our write; then everything is looked at again. */
const ATTEMPTS = 5;

/** Creates or replaces policies in the order given, which is that of their revisions; one that is refused does not keep the others out. */
export async function applyAll(parts: ApplyAllParts, bodies: readonly unknown[], options: WriteOptions): Promise<readonly AppliedOne[]> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await parts.database.transaction((tx) => new Bulk(tx, parts, options).apply(bodies));
    } catch (error) {
      if (!(error instanceof Overtaken) || attempt === ATTEMPTS) throw error;
    }
  }
}

class Overtaken extends StatusError {
  constructor() {
    super('Conflict', 'others write the same resources at this moment; try again');
  }
}

/** A resource that may be written. */
interface Wanted {
  readonly target: Target;
  readonly resource: Resource;
}

type Outcome = AppliedOne | { readonly action: 'created' | 'configured'; readonly write: Write };

class Bulk {
  readonly #tx: Transaction;
  readonly #fleet: FleetView;
  readonly #behaviours: KindBehaviours;
  readonly #options: WriteOptions;
  readonly #worlds = new Map<string, ReferenceWorld>();
  /** Where clusters have their own, by kind. */
  readonly #owned = new Map<string, OwnPlaces>();
  /** What VirtualServices and TrafficShifts find here: stored, or accepted before them. */
  readonly #rules = new Map<string, Resource>();
  /** Of kinds that are checked beside what else is stored. */
  readonly #alongside: Resource[] = [];

  constructor(tx: Transaction, { fleet, behaviours }: ApplyAllParts, options: WriteOptions) {
    this.#tx = tx;
    this.#fleet = fleet;
    this.#behaviours = behaviours;
    this.#options = options;
  }

  async apply(bodies: readonly unknown[]): Promise<readonly AppliedOne[]> {
    const seen = new Set<string>();
    const wanted = bodies.map((body) => orRefused(() => wantedOf(body, seen)));
    const sound = wanted.filter((one) => 'target' in one);
    const rows = await lockRows(
      this.#tx,
      sound.map(({ target }) => rowKey(target)),
    );
    const stored = new Map(rows.map((row) => [resourceKey(row.kind, row.namespace, row.name), row]));
    for (const kind of new Set(sound.map(({ target }) => target.kind))) this.#owned.set(kind.kind, await ownPlacesOf(this.#tx, kind));
    await this.#lookAround(new Set(sound.map(({ target }) => target.kind.kind)));
    const outcomes: Outcome[] = [];
    for (const one of wanted) {
      const outcome = 'target' in one ? orRefused(() => this.#judge(one, stored)) : one;
      outcomes.push('target' in one && 'write' in outcome ? await this.#checked(one, outcome, stored) : outcome);
    }
    return this.#write(outcomes);
  }

  async #lookAround(kinds: ReadonlySet<string>): Promise<void> {
    if (this.#options.allowUnresolved) return;
    for (const kind of kinds) this.#worlds.set(kind, await loadReferenceWorld(this.#tx, this.#fleet, kind));
    if (!kinds.has('DestinationRule') || !SUBSET_KINDS.some((kind) => kinds.has(kind))) return;
    for (const rule of await readable(this.#tx, 'DestinationRule')) this.#rules.set(keyOf(rule), rule);
  }

  #judge({ target, resource }: Wanted, stored: ReadonlyMap<string, ResourceRow>): Outcome {
    const row = stored.get(keyOf(resource));
    const { actor } = this.#options;
    if (row === undefined) {
      refuseTaken(target, this.#owned.get(resource.kind) ?? [], resource, undefined);
      this.#requireReferences(target, resource);
      this.#accept(resource);
      return { action: 'created', write: { action: 'create', row: newRow(resource, new Date()), actor, verb: 'create' } };
    }
    requireVersion(target, row, resource.metadata.resourceVersion);
    const updated = updatedRow(row, desiredOf(resource));
    if (updated === row) return { action: 'unchanged', revision: row.revision };
    refuseTaken(target, this.#owned.get(resource.kind) ?? [], resource, resourceOf(row));
    if (updated.generation !== row.generation) this.#requireReferences(target, resource);
    this.#accept(resource);
    return { action: 'configured', write: { action: 'update', row: updated, actor, verb: 'replace' } };
  }

  /** What its kind has to say beside the rules of all kinds. */
  async #checked(
    { target, resource }: Wanted,
    outcome: Extract<Outcome, { readonly write: Write }>,
    stored: ReadonlyMap<string, ResourceRow>,
  ): Promise<Outcome> {
    const behaviour = this.#behaviours[resource.kind];
    const { row } = outcome.write;
    const isNewSpec = row.generation !== stored.get(keyOf(resource))?.generation;
    if (behaviour === undefined || !isNewSpec) return outcome;
    try {
      const issues = (await behaviour.check?.(this.#tx, resource, this.#alongside)) ?? [];
      if (issues.length > 0) throw invalid(target, issues);
      if (!this.#options.dryRun) await behaviour.writing?.(this.#tx, resourceOf(row), this.#options.actor);
      this.#alongside.push(resource);
      return outcome;
    } catch (error) {
      return refusedBy(error);
    }
  }

  #requireReferences(target: Target, resource: Resource): void {
    const world = this.#worlds.get(resource.kind);
    if (world === undefined) return;
    const isBoth = SUBSET_KINDS.includes(resource.kind) && this.#rules.size > 0;
    const { issues } = checkReferences(resource, isBoth ? { ...world, subsets: subsetsOf(this.#rules.values()) } : world);
    if (issues.length > 0) throw invalid(target, issues);
  }

  #accept(resource: Resource): void {
    if (resource.kind === 'DestinationRule') this.#rules.set(keyOf(resource), resource);
  }

  async #write(outcomes: readonly Outcome[]): Promise<readonly AppliedOne[]> {
    const writes = outcomes.flatMap((outcome) => ('write' in outcome ? [outcome.write] : []));
    const written = this.#options.dryRun ? writes.map(({ row }) => row) : await recordWrites(this.#tx, writes);
    if (written === undefined) throw new Overtaken();
    const revisions = written.values();
    return outcomes.map((outcome) =>
      'write' in outcome ? { action: outcome.action, revision: revisions.next().value?.revision ?? 0 } : outcome,
    );
  }
}

function orRefused<T>(work: () => T): T | AppliedOne {
  try {
    return work();
  } catch (error) {
    return refusedBy(error);
  }
}

function refusedBy(error: unknown): AppliedOne {
  if (!(error instanceof StatusError)) throw error;
  return { action: 'refused', revision: 0, error: statusOf(error) };
}

function wantedOf(body: unknown, seen: Set<string>): Wanted {
  const { kind: word, metadata } = (body ?? {}) as { readonly kind?: unknown; readonly metadata?: { readonly namespace?: unknown } | null };
  const kind = policyKind(word);
  const namespace = metadata?.namespace;
  if (typeof namespace !== 'string' || namespace === '')
    throw new StatusError('BadRequest', `a ${kind.kind} to apply has its metadata.namespace`, { kind: kind.kind });
  const { name } = metadata as { readonly name?: unknown };
  if (typeof name === 'string') refuseOwned({ kind, namespace, name });
  const resource = validated({ kind, namespace }, body);
  const target = { kind, namespace, name: resource.metadata.name };
  const key = keyOf(resource);
  if (seen.has(key)) throw new StatusError('BadRequest', `${key} is given twice`, { kind: kind.kind, namespace, name: target.name });
  seen.add(key);
  return { target, resource };
}

/** Clusters and join tokens are no policies: they are made one by one. */
function policyKind(word: unknown): KindDescriptor {
  const kind = typeof word === 'string' ? kindNamed(word) : undefined;
  if (kind === undefined || kind.kind !== word || !kind.policy || kind.readOnly)
    throw new StatusError('BadRequest', `${JSON.stringify(word)} is no kind of policy of this hub: write it at its own path`);
  return kind;
}

function keyOf({ kind, metadata }: Resource): string {
  return resourceKey(kind, metadata.namespace, metadata.name);
}
