/** Lists, page by page. The first page pins the revision that all the others show; writers meanwhile change none of them. */
import type { KindDescriptor } from '@hawser/model/kinds.ts';
import { type LabelSelector, matchesSelector } from '@hawser/model/label-selector.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { Transaction } from '../db/database.ts';
import { StatusError } from '../http/status.ts';
import { changedSince, listAt, logBounds } from './history-store.ts';
import { resourceOf } from './resource-row.ts';
import { type StatusParts, withStatuses } from './resource-status.ts';
import { countAfter, listRows, type RowQuery } from './resource-store.ts';

/** Where the next page begins: after this resource, at this revision. */
export interface ListCursor {
  readonly revision: number;
  readonly namespace: string;
  readonly name: string;
}

/** What to list; `limit` and `from` page through it. */
export interface ListQuery {
  readonly kind: KindDescriptor;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly selector: LabelSelector;
  readonly limit?: number | undefined;
  readonly from?: ListCursor | undefined;
}

/** One page. */
export interface ListPage {
  readonly revision: number;
  readonly items: readonly Resource[];
  /** Where the next one begins, when there are more. */
  readonly next?: ListCursor;
  /** How many there are after this page, when that is known. */
  readonly remaining?: number;
}

/** Reads one page. Throws `Expired` when its revision cannot be shown any more. */
export async function listPage(tx: Transaction, parts: StatusParts, query: ListQuery): Promise<ListPage> {
  const { kind, limit, from } = query;
  const bounds = await logBounds(tx);
  if (kind.readOnly) return { revision: bounds.revision, items: derived(parts, query) };
  const revision = from?.revision ?? bounds.revision;
  if (revision < bounds.floor || revision > bounds.revision) {
    throw new StatusError('Expired', `continue is of revision ${revision}, which is not kept any more: begin again without it`);
  }
  const rows: RowQuery = {
    ...{ kind: kind.kind, namespace: query.namespace, name: query.name, selector: query.selector, after: from },
    limit: limit === undefined ? undefined : limit + 1,
  };
  const isOld = from !== undefined && (await changedSince(tx, kind.kind, revision));
  const found = isOld ? await listAt(tx, revision, rows) : (await listRows(tx, rows)).map(resourceOf);
  const page = limit === undefined ? found : found.slice(0, limit);
  const items = await withStatuses(tx, kind, page, parts);
  const last = page.at(-1)?.metadata;
  if (found.length === page.length || last === undefined) return { revision, items };
  const next = { revision, namespace: last.namespace ?? '', name: last.name };
  if (isOld || query.selector.length > 0) return { revision, items, next };
  return { revision, items, next, remaining: await countAfter(tx, { ...rows, after: next }) };
}

function derived({ fleet }: StatusParts, { kind, namespace, name, selector }: ListQuery): readonly Resource[] {
  return fleet
    .derived(kind.kind)
    .filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace)
    .filter(({ metadata }) => (name === undefined || metadata.name === name) && matchesSelector(selector, metadata.labels ?? {}));
}
