/** The two streams of state, kept in being by the hub: agents can neither create nor change them. */
import { messageOf } from '@hawser/runtime/app-error.ts';
import { backoffMs, sleep } from '@hawser/runtime/backoff.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { CONFIG_PREFIX, CONFIG_STREAM, FLEET_PREFIX, FLEET_STREAM, LEASE_PREFIX } from '@hawser/wire/subjects.ts';
import type { Bus } from './bus.ts';
import { createOrUpdateStream, streamState } from './jetstream.ts';

/** Messages of the wire protocol are at most 256 KiB; JetStream counts subject and headers too. */
const MAX_STORED_MESSAGE = 264 * 1024;
const MAX_STREAM_BYTES = 2 * 1024 * 1024 * 1024;
const CHECK_MS = 2_000;
const RETRY = { baseMs: 100, maxMs: 2_000 };

const STREAMS = [
  { name: CONFIG_STREAM, subjects: [`${CONFIG_PREFIX}.>`] },
  { name: FLEET_STREAM, subjects: [`${FLEET_PREFIX}.>`, `${LEASE_PREFIX}.>`] },
] as const;

/** How many servers hold a copy of what a clustered NATS stores: with three, one may be lost. */
const CLUSTER_REPLICAS = 3;

/**
 * Makes both streams as they must be, with this many copies: unless told, 3 where NATS is a cluster and 1 where it is one server.
 * Idempotent; throws when NATS refuses, as a cluster does that has fewer servers: there are never fewer copies than wanted.
 */
export async function ensureStreams(bus: Bus, log: Logger, replicas = bus.clustered ? CLUSTER_REPLICAS : 1): Promise<void> {
  for (const stream of STREAMS) {
    if ((await streamState(bus, stream.name)) === undefined) log.info({ stream: stream.name, replicas }, 'stream is made');
    await createOrUpdateStream(bus, settings(stream, replicas));
  }
}

/** Calls `ensureStreams` at each connection, and makes again what has gone since, until aborted. */
export async function keepStreams(
  bus: Bus,
  log: Logger,
  options: { readonly signal: AbortSignal; readonly replicas?: number | undefined },
): Promise<void> {
  const { signal, replicas } = options;
  let checked = false;
  let failures = 0;
  let wake: AbortController | undefined;
  const stop = bus.onStatus(() => {
    checked = false;
    wake?.abort();
  });
  while (!signal.aborted) {
    if (bus.connected) {
      try {
        const known = checked;
        checked = true;
        if (!known || (await anyMissing(bus))) await ensureStreams(bus, log, replicas);
        failures = 0;
      } catch (error) {
        checked = false;
        failures += 1;
        log.warn({ replicas, error: messageOf(error) }, 'streams are not ensured, trying again');
      }
    }
    wake = new AbortController();
    await sleep(checked ? CHECK_MS : 100 + backoffMs(failures, RETRY), AbortSignal.any([signal, wake.signal]));
  }
  stop();
}

async function anyMissing(bus: Bus): Promise<boolean> {
  const states = await Promise.all(STREAMS.map((stream) => streamState(bus, stream.name)));
  return states.includes(undefined);
}

/** The last message of every subject is the state. `allow_msg_ttl` lets tombstones expire (NATS ADR-43). */
function settings(stream: { readonly name: string; readonly subjects: readonly string[] }, replicas: number) {
  return {
    ...stream,
    storage: 'file',
    retention: 'limits',
    discard: 'new',
    max_msgs_per_subject: 1,
    max_msg_size: MAX_STORED_MESSAGE,
    max_bytes: MAX_STREAM_BYTES,
    max_msgs: -1,
    max_age: 0,
    max_consumers: -1,
    num_replicas: replicas,
    duplicate_window: 120_000_000_000,
    allow_direct: true,
    allow_msg_ttl: true,
    deny_delete: false,
    deny_purge: false,
  };
}
