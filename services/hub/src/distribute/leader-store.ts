/** The lease of leadership in PostgreSQL, over a connection of its own that dies with the replica or is ended by its successor. */
import { Client } from 'pg';

/** Who leads. */
export interface Leader {
  readonly term: number;
  readonly holder: string;
  /** Where its API is. */
  readonly address: string;
}

/** What a replica is known by. */
export interface LeaderStoreParts {
  readonly dsn: string;
  /** Unique to this process. */
  readonly holder: string;
  readonly address: string;
}

/** A lease not renewed for this long may be taken by another; milliseconds, by the database's clock. */
export const LEASE_MS = 5_000;
/** Any number that no other lock of the hub has. */
const LOCK = 0x68617773_0001n;
const TIMEOUTS = { connectionTimeoutMillis: 2_000, query_timeout: 2_000, statement_timeout: 2_000 };
/** So that the server frees the lock of a machine that vanished without a word. */
const SERVER_SIDE =
  "SET tcp_user_timeout = '5s'; SET tcp_keepalives_idle = 2; SET tcp_keepalives_interval = 1; SET tcp_keepalives_count = 3";

/** Every call throws when PostgreSQL does not answer; the next one connects again. */
export class LeaderStore {
  readonly #parts: LeaderStoreParts;
  #connecting: Promise<Client> | undefined;

  constructor(parts: LeaderStoreParts) {
    this.#parts = parts;
  }

  /**
   * Takes the next term when nobody leads, and answers it. Nobody leads when the advisory lock is free, for its holder is gone
   * with its connection; or when the lease has expired, for its holder stands still, and then that connection is ended first:
   * a lock that came free after the term was taken would look to a third replica as if its holder were gone.
   * A connection that does not end in time leaves the lock with a replica whose term is over: then the lease says who leads.
   */
  async acquire(): Promise<number | undefined> {
    const lock = await this.#lock();
    if (lock === 'held') return await this.#take(`(${EXPIRED} OR holder = $1)`);
    if (lock === 'taken') return await this.#take('true');
    if ((await this.#endExpired()) && (await this.#lock()) !== undefined) return await this.#take('true');
    return await this.#take(`${EXPIRED} AND EXISTS (${STANDS_STILL.replace('$1', '$3')})`, [LOCK.toString()]);
  }

  /** Extends the lease; false when the term is not this replica's any more. */
  async renew(term: number): Promise<boolean> {
    const { rowCount } = await this.#query(
      `UPDATE hub_leader SET expires_at = clock_timestamp() + ${LEASE} WHERE term = $1 AND holder = $2`,
      [term, this.#parts.holder],
    );
    if (rowCount === 1) await this.#lock();
    return rowCount === 1;
  }

  /** Whether the term is still this replica's. */
  async holds(term: number): Promise<boolean> {
    const { rowCount } = await this.#query('SELECT FROM hub_leader WHERE term = $1 AND holder = $2', [term, this.#parts.holder]);
    return rowCount === 1;
  }

  /** Who leads; undefined when the lease has expired. */
  async current(): Promise<Leader | undefined> {
    const { rows } = await this.#query('SELECT term, holder, address FROM hub_leader WHERE expires_at >= clock_timestamp()', []);
    const [row] = rows;
    return row === undefined ? undefined : { term: Number(row['term']), holder: String(row['holder']), address: String(row['address']) };
  }

  /** What `current` answers while this replica leads in the term. */
  own(term: number): Leader {
    const { holder, address } = this.#parts;
    return { term, holder, address };
  }

  /** Gives the term back, so that another need not wait. */
  async release(term: number): Promise<void> {
    await this.#query("UPDATE hub_leader SET expires_at = '-infinity' WHERE term = $1 AND holder = $2", [term, this.#parts.holder]);
  }

  /** Ends the connection, and with it the lock. */
  async close(): Promise<void> {
    const connecting = this.#connecting;
    this.#connecting = undefined;
    const client = await connecting?.catch(() => undefined);
    await client?.end().catch(() => {});
  }

  /** Answers at once: whether it was this connection's before, came to it now, or is another's. However often asked, it is taken once. */
  async #lock(): Promise<'held' | 'taken' | undefined> {
    const { rows } = await this.#query(`SELECT CASE WHEN ${HELD} THEN 'held' WHEN pg_try_advisory_lock($1) THEN 'taken' END AS lock`, [
      LOCK.toString(),
    ]);
    const lock: unknown = rows[0]?.['lock'];
    return lock === 'held' || lock === 'taken' ? lock : undefined;
  }

  async #take(condition: string, values: readonly string[] = []): Promise<number | undefined> {
    const { rows } = await this.#query(
      `UPDATE hub_leader SET term = term + 1, holder = $1, address = $2, expires_at = clock_timestamp() + ${LEASE} WHERE ${condition} RETURNING term`,
      [this.#parts.holder, this.#parts.address, ...values],
    );
    return rows[0] === undefined ? undefined : Number(rows[0]['term']);
  }

  /** Ends the connection of a holder whose lease has expired; true when it is gone. */
  async #endExpired(): Promise<boolean> {
    const { rows } = await this.#query(
      `SELECT pg_terminate_backend(still.pid, ${TERMINATE_MS}) AS ended FROM (${STANDS_STILL}) AS still, hub_leader WHERE ${EXPIRED}`,
      [LOCK.toString()],
    );
    return rows[0]?.['ended'] === true;
  }

  async #query(text: string, values: readonly (string | number)[]): Promise<{ rows: Record<string, unknown>[]; rowCount: number | null }> {
    this.#connecting ??= this.#connect();
    const connecting = this.#connecting;
    try {
      const client = await connecting;
      return await client.query(text, [...values]);
    } catch (error) {
      if (this.#connecting === connecting) void this.close();
      throw error;
    }
  }

  async #connect(): Promise<Client> {
    const client = new Client({ connectionString: this.#parts.dsn, ...TIMEOUTS, keepAlive: true, application_name: 'hawser-leader' });
    // Without a listener, a connection that ends between two queries would end the process; the next query finds out.
    client.on('error', () => {});
    try {
      await client.connect();
      await client.query(SERVER_SIDE);
      return client;
    } catch (error) {
      await client.end().catch(() => {});
      throw error;
    }
  }
}

/** How long a connection that is ended may take to go. */
const TERMINATE_MS = 1_000;
const EXPIRED = 'expires_at < clock_timestamp()';
const LEASE = `${LEASE_MS} * interval '1 millisecond'`;
const LOCKED = `locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (classid::bigint << 32) + objid::bigint = $1::bigint AND objsubid = 1`;
/** The lock's holder, if nothing was heard of it for as long as a lease lasts: one that has just taken the lock is about to take the term. */
const STANDS_STILL = `SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE ${LOCKED} AND pid <> pg_backend_pid()
  AND coalesce(state_change, '-infinity') < clock_timestamp() - ${LEASE}`;
const HELD = `EXISTS (SELECT FROM pg_locks WHERE ${LOCKED} AND pid = pg_backend_pid())`;
