/** Takes in the policy of clusters while this replica leads: by what their agents say, and by the settings. The database is the truth. */
import { ownerOf } from '@hawser/model/adoption.ts';
import type { RosterMember } from '@hawser/model/fleet.ts';
import { type MemberPolicies, modeOf } from '@hawser/model/policy-mode.ts';
import { type Resource, resourceKey } from '@hawser/model/resource.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Database, Transaction } from '../db/database.ts';
import { LookLoop } from '../distribute/look-loop.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { isPlacedOn } from '../placement/place.ts';
import { requireTerm } from '../resource/desired-state-store.ts';
import { desiredOf, newRow, resourceOf, updatedRow } from '../resource/resource-row.ts';
import { listNamed, lockRows, type RowKey, recordWrites, type Write } from '../resource/resource-store.ts';
import { type FoundCount, foundCounts } from './adoption-metrics.ts';
import { type AdoptionWrite, adoptionPlan } from './adoption-plan.ts';
import type { FoundAccounts } from './found-accounts.ts';
import { listAdopted, listFound, type StoredFound, storeFound } from './found-store.ts';

/** What it works with. */
export interface AdoptionLoopParts {
  readonly database: Database;
  readonly context: Pick<FleetContext, 'distribution'>;
  readonly accounts: FoundAccounts;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** What the hub's own resources do to conflicts is seen after so long. */
const LOOK_MS = 1_000;
/** Accounts come in a rush when many objects change. */
const RUSH_MS = 20;
/** Writes of one transaction: others wait meanwhile. */
const MOST_AT_ONCE = 500;

/** One replica's part in it. */
export class AdoptionLoop {
  readonly #parts: AdoptionLoopParts;
  readonly #loop: LookLoop;
  /** Whether there is anything in the database to look after; undefined before it was looked. */
  #isKept: boolean | undefined;
  /** Of what everything that was due is done: the term, the state and the accounts. */
  #done = '';
  #counts: readonly FoundCount[] = [];

  constructor(parts: AdoptionLoopParts) {
    this.#parts = parts;
    const { log, signal } = parts;
    const problem = 'policy of clusters could not be taken in, trying again';
    this.#loop = new LookLoop({ look: () => this.look(), everyMs: LOOK_MS, rushMs: RUSH_MS, problem, log, signal });
  }

  /** Of the clusters whose policy is looked after; none while this replica does not lead. */
  get counts(): readonly FoundCount[] {
    return this.#counts;
  }

  /** Runs until the signal is aborted; survives every failure of the database. */
  async run(): Promise<void> {
    const stopHearing = this.#parts.accounts.subscribe(() => this.#loop.wake());
    await this.#loop.run();
    stopHearing();
  }

  /** Does all that is due; resolves to true when there is more. */
  async look(): Promise<boolean> {
    const { database, context, log } = this.#parts;
    const { desired, replica } = context.distribution;
    if (desired === undefined || replica?.term === undefined) return this.#standBy();
    const members = new Map(desired.members.map((member) => [member.name, member]));
    const isAsked = desired.members.some(({ policies }) => policies !== undefined);
    if (!isAsked && this.#isKept === false) return false;
    const { term } = replica;
    // Whatever is due comes of a write or of an account.
    const seen = `${term} ${desired.epoch} ${desired.revision} ${this.#parts.accounts.changes}`;
    if (seen === this.#done) return false;
    const done = await database.transaction(async (tx) => {
      await requireTerm(tx, term);
      return takeIn(tx, { members, accounts: this.#parts.accounts });
    });
    this.#isKept = done.isKept;
    this.#counts = done.counts;
    // What was written itself raises the revision, and is looked at once more.
    this.#done = done.hasMore ? '' : seen;
    for (const { action, row, reason } of done.writes)
      log.info({ action, kind: row.kind, place: `${row.namespace}/${row.name}`, reason }, 'policy of a cluster');
    return done.hasMore;
  }

  #standBy(): false {
    this.#isKept = undefined;
    this.#counts = [];
    this.#done = '';
    return false;
  }
}

interface Beside {
  readonly members: ReadonlyMap<string, RosterMember>;
  readonly accounts: FoundAccounts;
}

interface Done {
  readonly writes: readonly Write[];
  readonly hasMore: boolean;
  readonly isKept: boolean;
  readonly counts: readonly FoundCount[];
}

/** One transaction's work over all clusters. */
async function takeIn(tx: Transaction, { members, accounts }: Beside): Promise<Done> {
  const adopted = Map.groupBy(await listAdopted(tx), ({ name }) => ownerOf(name)?.cluster ?? '');
  const found = Map.groupBy(await listFound(tx), ({ cluster }) => cluster);
  const clusters = new Set([
    ...adopted.keys(),
    ...found.keys(),
    ...[...members].flatMap(([name, { policies }]) => (policies === undefined ? [] : [name])),
  ]);
  const writes: Write[] = [];
  const counts: FoundCount[] = [];
  let [hasMore, isKept] = [false, false];
  for (const cluster of clusters) {
    const member = members.get(cluster);
    const account = member?.policies === undefined ? undefined : accounts.get(cluster)?.account;
    const rows = adopted.get(cluster) ?? [];
    const before: readonly StoredFound[] = found.get(cluster) ?? [];
    const own = member === undefined || account === undefined ? new Map() : await hubOwn(tx, member, account.objects);
    const plan = adoptionPlan({
      ...{ cluster, policies: settingOf(member), account, adopted: rows, found: before.map(({ since: _since, ...row }) => row) },
      hubOwn: (kind, namespace, name) => own.get(resourceKey(kind, namespace, name)),
    });
    const due = plan.writes.flatMap((write) => writeOf(write, cluster));
    const left = MOST_AT_ONCE - writes.length;
    writes.push(...due.slice(0, left));
    // What is said of objects is true when everything is done that it speaks of.
    if (due.length > left) hasMore = true;
    else await storeFound(tx, before, plan.found);
    counts.push(...foundCounts(cluster, due.length > left ? before : plan.found));
    isKept ||= plan.found.length > 0 || rows.length > 0;
  }
  // Writers who come between see the row locked, and we see theirs at the next look.
  await lockRows(
    tx,
    writes.flatMap(({ action, row }) => (action === 'create' ? [] : [row])),
  );
  if ((await recordWrites(tx, writes)) === undefined) throw new Error('a row was made or taken away from outside at this moment');
  return { writes, hasMore, isKept: isKept || writes.length > 0, counts };
}

/** A member without a setting is one whose policy is not read. */
function settingOf(member: RosterMember | undefined): MemberPolicies | undefined {
  return member === undefined ? undefined : (member.policies ?? {});
}

/** The hub's own resources by the names of what a cluster has, those that go there. */
async function hubOwn(
  tx: Transaction,
  member: RosterMember,
  objects: readonly { readonly kind: string; readonly namespace: string; readonly name: string }[],
): Promise<ReadonlyMap<string, Resource>> {
  const keys = objects
    .filter(({ namespace }) => modeOf(member.policies, namespace) !== 'Off')
    .map(({ kind, namespace, name }): RowKey => ({ kind, namespace, name }))
    .filter(({ kind, namespace, name }) => !`${kind}${namespace}${name}`.includes('\0'));
  const own = (await listNamed(tx, keys)).map(resourceOf).filter((resource) => isPlacedOn(resource, member));
  return new Map(own.map((resource) => [resourceKey(resource.kind, resource.metadata.namespace, resource.metadata.name), resource]));
}

function writeOf(write: AdoptionWrite, cluster: string): readonly Write[] {
  const { action, reason } = write;
  const said = { actor: `cluster/${cluster}`, reason };
  if (action === 'create') return [{ ...said, action, row: newRow(write.resource, new Date()), verb: 'adopt' }];
  if (action === 'delete') return [{ ...said, action, row: write.row, verb: 'release' }];
  const row = updatedRow(write.row, desiredOf(write.resource));
  return row === write.row ? [] : [{ ...said, action, row, verb: 'adopt' }];
}
