/** Rows as what is to be obeyed: one that somebody broke counts as it was when it could last be used. */
import { KINDS } from '@hawser/model/kinds.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Statements } from '../db/database.ts';
import type { ResourceRow } from '../db/schema.ts';
import { historyOf } from './history-store.ts';
import { resourceOf } from './resource-row.ts';
import { unreadable } from './unreadable.ts';

/** The resources that rows stand for; those that never were usable are left out. */
export type UsableRows = (tx: Statements, rows: readonly ResourceRow[]) => Promise<readonly Resource[]>;

const SERVED: ReadonlySet<string> = new Set(KINDS.map(({ kind }) => kind));
const PAST_TO_SEARCH = 20;
const MAX_TOLD = 1000;

/** Builds the reading of rows; each row that cannot be used is named in the log, once. */
export function usableRows(log: Logger | undefined): UsableRows {
  const told = new Set<string>();
  const tell = (problem: string): void => {
    if (told.has(problem) || told.size >= MAX_TOLD) return;
    told.add(problem);
    log?.error({ problem }, 'a row of the database cannot be used: its last good state stays in force');
  };
  return async (tx, rows) => {
    const all: Resource[] = [];
    for (const row of rows) {
      const resource = SERVED.has(row.kind) ? resourceOf(row) : undefined;
      const problem = resource === undefined ? 'its kind is not one that this hub serves' : unreadable(resource);
      if (problem !== undefined) tell(`${row.kind} ${row.namespace}/${row.name}: ${problem}`);
      const usable = problem === undefined ? resource : await lastGood(tx, row);
      if (usable !== undefined) all.push(usable);
    }
    return all;
  };
}

/** A broken row must not take its policy away from the clusters. */
async function lastGood(tx: Statements, row: ResourceRow): Promise<Resource | undefined> {
  const past = await historyOf(tx, row, { limit: PAST_TO_SEARCH });
  return past.find(({ action, resource }) => action !== 'delete' && isUsable(resource))?.resource;
}

function isUsable(resource: Resource | null): boolean {
  return typeof resource === 'object' && resource?.metadata !== undefined && unreadable(resource) === undefined;
}
