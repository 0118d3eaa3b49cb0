/** The past of a resource, and the way back to it. */
import type { Transaction } from '../db/database.ts';
import type { ResourceRow } from '../db/schema.ts';
import { detailsOf, notFound, StatusError, titleOf } from '../http/status.ts';
import { type HistoryRow, historyAt, historyOf } from './history-store.ts';
import type { Target } from './resource-service.ts';

/** What `GET …/NAME/history` answers for each write, newest first. */
export interface HistoryItem {
  readonly revision: number;
  readonly action: 'create' | 'update' | 'delete';
  readonly actor: string;
  readonly reason?: string;
  /** RFC 3339. */
  readonly at: string;
  readonly generation?: number;
  readonly resource: unknown;
}

/** One page of the past; `next` is where the following one begins. */
export interface HistoryPage {
  readonly items: readonly HistoryItem[];
  readonly next?: number;
}

/** Reads a page of a resource's past, also of one that was deleted. Throws `NotFound` when nothing is known of it. */
export async function historyPage(
  tx: Transaction,
  target: Target,
  page: { readonly before?: number | undefined; readonly limit: number },
): Promise<HistoryPage> {
  const rows = await historyOf(tx, keyOf(target), { ...page, limit: page.limit + 1 });
  if (rows.length === 0 && page.before === undefined) throw notFound(target);
  const items = rows.slice(0, page.limit);
  const last = items.at(-1);
  const shown = items.map(itemOf);
  return rows.length === items.length || last === undefined ? { items: shown } : { items: shown, next: last.revision };
}

/** The write to go back to: the one asked for, else the newest that left something else than what there is now. */
export async function pastOf(
  tx: Transaction,
  target: Target,
  wanted: { readonly revision?: number | undefined; readonly row: ResourceRow | undefined },
): Promise<HistoryRow> {
  const { revision, row } = wanted;
  if (revision !== undefined) {
    const found = await historyAt(tx, keyOf(target), revision);
    if (found === undefined)
      throw new StatusError('NotFound', `${titleOf(target)} was not written at revision ${revision}: see its history`, detailsOf(target));
    if (found.action === 'delete')
      throw new StatusError('BadRequest', `revision ${revision} deleted ${titleOf(target)}: name an earlier one`, detailsOf(target));
    return found;
  }
  const past = await historyOf(tx, keyOf(target), { limit: PAST_TO_SEARCH });
  if (past.length === 0 && row === undefined) throw notFound(target);
  const found = past.find((entry) => entry.action !== 'delete' && (row === undefined || entry.revision < row.revision));
  if (found === undefined) throw new StatusError('NotFound', `${titleOf(target)} has no earlier revision to go back to`, detailsOf(target));
  return found;
}

const PAST_TO_SEARCH = 100;

function itemOf({ revision, action, actor, reason, at, resource }: HistoryRow): HistoryItem {
  const generation = resource?.metadata?.generation;
  return {
    ...{ revision, action, actor },
    ...(reason === '' ? {} : { reason }),
    at: at.toISOString(),
    ...(generation === undefined ? {} : { generation }),
    resource,
  };
}

function keyOf({ kind, namespace, name }: Target): { kind: string; namespace: string; name: string } {
  return { kind: kind.kind, namespace, name };
}
