/** The one door to PostgreSQL: a bounded pool in which every wait has a deadline. */
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { ExtractTablesWithRelations } from 'drizzle-orm';
import { drizzle, type NodePgDatabase, type NodePgQueryResultHKT } from 'drizzle-orm/node-postgres';
import type { PgTransaction, PgTransactionConfig } from 'drizzle-orm/pg-core';
import { Pool, type PoolConfig } from 'pg';
import { reachable } from './connect.ts';
import { Turns } from './turns.ts';

type NoSchema = Record<string, never>;
/** Runs statements: the pool, or one transaction of it. */
export type Statements = Pick<
  NodePgDatabase,
  'select' | 'selectDistinct' | 'selectDistinctOn' | 'insert' | 'update' | 'delete' | 'execute'
>;
/** One open transaction. */
export type Transaction = PgTransaction<NodePgQueryResultHKT, NoSchema, ExtractTablesWithRelations<NoSchema>>;

/** An open connection pool. */
export interface Database {
  readonly dsn: string;
  /** Runs `work` in a transaction; rolls back when it throws. Throws `database-unavailable` (503) when PostgreSQL cannot be reached. */
  transaction<T>(work: (tx: Transaction) => Promise<T>, options?: PgTransactionConfig): Promise<T>;
  /** Whether the last transaction or probe reached PostgreSQL. */
  up(): boolean;
  /** Asks PostgreSQL now; never throws. */
  probe(): Promise<boolean>;
  /** The pool now: connections, those that do nothing, and transactions that wait for one. */
  pool(): { readonly total: number; readonly idle: number; readonly waiting: number };
  close(): Promise<void>;
}

const CONNECTIONS = 10;
/** For a connection, of which there are enough: a crowd waits; a database that is away is known within a statement's time. */
const WAITING = { waiting: 2000, waitMs: 20_000 };
const POOL: PoolConfig = {
  max: CONNECTIONS,
  connectionTimeoutMillis: 3_000,
  idleTimeoutMillis: 60_000,
  statement_timeout: 10_000,
  query_timeout: 10_500,
  lock_timeout: 8_000,
  // A hub that stands still in the midst of a write must not keep the others from writing: shorter than their `lock_timeout`.
  idle_in_transaction_session_timeout: 5_000,
  keepAlive: true,
  application_name: 'hawser-hub',
};

/** Opens the pool; connects at the first use. */
export function openDatabase(dsn: string, log: Logger, overrides: PoolConfig = {}): Database {
  const pool = new Pool({ ...POOL, ...overrides, connectionString: dsn });
  pool.on('error', (error) => log.warn({ error: error.message }, 'an idle database connection was lost'));
  // The pool listens to idle connections only: without this, a server that dies between two statements would end the hub.
  pool.on('connect', (client) => client.on('error', () => undefined));
  const turns = new Turns({ ...WAITING, turns: overrides.max ?? CONNECTIONS });
  const state = { reached: false, suspected: false };
  const probe = sharedProbe(dsn);
  const transaction: Database['transaction'] = async (work, options) => {
    if (state.suspected && !(await probe())) throw unavailable(new Error('PostgreSQL did not answer'));
    const giveBack = await turns.take().catch((cause: unknown) => {
      throw cause instanceof AppError ? cause : unavailable(cause);
    });
    try {
      const result = await onOneConnection(pool, (db) => db.transaction(work, options));
      Object.assign(state, { reached: true, suspected: false });
      return result;
    } catch (error) {
      const isAway = isConnectionFailure(error);
      Object.assign(state, { reached: !isAway, suspected: isAway });
      if (!isAway) throw error;
      const failure = unavailable(error);
      if (!isBusy(error)) turns.dismiss(failure);
      throw failure;
    } finally {
      giveBack();
    }
  };
  return {
    dsn,
    transaction,
    up: () => state.reached,
    probe: async () => {
      state.reached = await probe();
      return state.reached;
    },
    pool: () => ({ total: pool.totalCount, idle: pool.idleCount, waiting: pool.waitingCount }),
    close: () => pool.end(),
  };
}

/** Asks on a connection of its own, one at a time however many want to know: a database that hangs is not piled up on. */
function sharedProbe(dsn: string): () => Promise<boolean> {
  let asking: Promise<boolean> | undefined;
  let failedAt = Number.NEGATIVE_INFINITY;
  const ask = async (): Promise<boolean> => {
    const isThere = await reachable(dsn, PROBE_MS);
    failedAt = isThere ? Number.NEGATIVE_INFINITY : Date.now();
    return isThere;
  };
  return async () => {
    if (Date.now() - failedAt < PROBE_PAUSE_MS) return false;
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    return asking;
  };
}

const PROBE_MS = 2_000;
const PROBE_PAUSE_MS = 250;

/** PostgreSQL answered, and said that somebody else holds what was wanted: no reason to send others away. */
function isBusy(error: unknown): boolean {
  return /^(57014|55P03|25P03)$/.test(sqlState(error) ?? '');
}

/** Lends a connection and takes it back whatever happens, also when BEGIN fails; one that failed is not lent again. */
async function onOneConnection<T>(pool: Pool, work: (db: NodePgDatabase) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let hasFailed = false;
  try {
    return await work(drizzle(client));
  } catch (error) {
    hasFailed = isConnectionFailure(error);
    throw error;
  } finally {
    client.release(hasFailed);
  }
}

function unavailable(cause: unknown): AppError {
  return new AppError('database-unavailable', 'the hub cannot reach its database; what is applied stays in force; try again shortly', {
    status: 503,
    cause,
  });
}

/** Whether an error says that PostgreSQL is away or too busy, rather than that it refused a statement. */
export function isConnectionFailure(error: unknown): boolean {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    if (at instanceof AppError) return at.code === 'database-unavailable';
    const code = sqlState(at);
    if (code !== undefined && /^(08|53|57P|25P03|57014|55P03|ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOST|ENET)/.test(code)) return true;
    if (
      /timeout exceeded when trying to connect|Connection terminated|Query read timeout|not queryable|Cannot use a pool/.test(messageOf(at))
    )
      return true;
  }
  return false;
}

/** The SQLSTATE or system error code of an error or of its causes. */
export function sqlState(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth += 1) {
    if ('code' in at && typeof at.code === 'string') return at.code;
  }
  return undefined;
}
