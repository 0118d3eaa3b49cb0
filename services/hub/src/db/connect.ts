/** Single connections, for what the pool is not for: probing a starting server, making the database. */
import { Client } from 'pg';

const TIMEOUTS = { connectionTimeoutMillis: 2_000, query_timeout: 10_000 };

/** Whether a server answers at this DSN now, within a time for each of connecting and asking. Never throws. */
export async function reachable(dsn: string, withinMs = TIMEOUTS.connectionTimeoutMillis): Promise<boolean> {
  const client = new Client({ connectionString: dsn, connectionTimeoutMillis: withinMs, query_timeout: withinMs });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

/** Makes the database `name` on the server of an administrative DSN, unless it is there; `template` is copied. */
export async function createDatabaseIfMissing(adminDsn: string, name: string, template = 'template1'): Promise<void> {
  const client = new Client({ connectionString: adminDsn, ...TIMEOUTS });
  client.on('error', () => {});
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) {
      await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)} TEMPLATE ${client.escapeIdentifier(template)}`);
    }
  } finally {
    await client.end();
  }
}
