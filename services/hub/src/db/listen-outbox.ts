/** A connection of its own that hears PostgreSQL's notifications. They are hints: whoever listens polls as well. */
import { messageOf } from '@hawser/runtime/app-error.ts';
import { backoffMs, sleep } from '@hawser/runtime/backoff.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { Client } from 'pg';

const RETRY = { baseMs: 50, maxMs: 2_000 };
/** How often the connection is tried, so that one that died silently is noticed. */
const PROBE_MS = 10_000;

/** What to hear. */
export interface ListenOptions {
  readonly dsn: string;
  readonly channel: string;
  readonly log: Logger;
  /** Called for each notification and after every connect; must not throw. */
  readonly hint: () => void;
}

/** Listens until stopped, and reconnects with jittered backoff. */
export function listenChannel(options: ListenOptions): { stop(): Promise<void> } {
  const aborter = new AbortController();
  const running = run(options, aborter.signal);
  return {
    stop: async () => {
      aborter.abort();
      await running;
    },
  };
}

async function run(options: ListenOptions, signal: AbortSignal): Promise<void> {
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    try {
      await listenOnce(options, signal, () => {
        attempt = 0;
      });
    } catch (error) {
      if (attempt === 0) options.log.warn({ error: messageOf(error) }, 'the notification connection was lost');
    }
    await sleep(backoffMs(attempt, RETRY), signal);
  }
}

/** One connection's life; ends when it is lost (throws) or when stopping. */
async function listenOnce({ dsn, channel, hint }: ListenOptions, signal: AbortSignal, connected: () => void): Promise<void> {
  const client = new Client({ connectionString: dsn, connectionTimeoutMillis: 3_000, query_timeout: 5_000, keepAlive: true });
  const lost = new Promise<never>((_resolve, reject) => {
    client.on('error', reject);
    client.on('end', () => reject(new Error('the connection ended')));
  });
  lost.catch(() => {});
  try {
    await client.connect();
    client.on('notification', hint);
    await client.query(`LISTEN ${client.escapeIdentifier(channel)}`);
    connected();
    hint();
    while (!signal.aborted) {
      await Promise.race([sleep(PROBE_MS, signal), lost]);
      if (!signal.aborted) await client.query('SELECT 1');
    }
  } finally {
    await client.end().catch(() => {});
  }
}
