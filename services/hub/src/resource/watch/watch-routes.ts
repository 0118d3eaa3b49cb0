/** `?watch=true` on a collection: newline-delimited JSON events, as Kubernetes has them. */
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { FastifyReply } from 'fastify';
import { StatusError } from '../../http/status.ts';
import { openWatch, type WatchOutput, type WatchQuery, type WatchStreamParts } from './watch-stream.ts';

/** What the watches of a hub share. */
export interface WatchRouteParts extends WatchStreamParts {
  /** Aborts when the hub begins to stop: watches end cleanly. */
  readonly closing: AbortSignal;
  readonly maxWatchers: number;
  /** How long a client may take to read what it was sent, milliseconds. */
  readonly slowMs: number;
  /** Called for each watch that was ended because its client did not read. */
  readonly onCutOff?: () => void;
}

/** Bounds that fit a hub. */
export const WATCH_BOUNDS = { maxWatchers: 1000, slowMs: 10_000, bookmarkMs: 15_000 };

const SHORTEST_MS = 30 * 60_000;
const LONGEST_S = 3600;
/** A watch may be silent for long: a peer that vanished is found by TCP. */
const KEEP_ALIVE_MS = 30_000;

/** Serves watches, up to a bound. */
export class Watches {
  readonly #parts: WatchRouteParts;
  #open = 0;

  constructor(parts: WatchRouteParts) {
    this.#parts = parts;
  }

  /** Watches that are open now. */
  get open(): number {
    return this.#open;
  }

  /** Answers one request; throws what is wrong with it before the first byte. */
  async serve(query: WatchQuery, reply: FastifyReply): Promise<FastifyReply> {
    const { maxWatchers } = this.#parts;
    if (query.kind.readOnly) {
      throw new StatusError(
        'MethodNotAllowed',
        `${query.kind.kind} cannot be watched: the hub derives it; list it again from time to time`,
      );
    }
    if (this.#open >= maxWatchers) {
      throw new StatusError('TooManyRequests', `${maxWatchers} watches are open already: try again later`, { retryAfterSeconds: 5 });
    }
    this.#open += 1;
    try {
      const watch = await openWatch(query, this.#parts);
      reply.hijack();
      void this.#run(watch, reply.raw);
    } catch (error) {
      this.#open -= 1;
      throw error;
    }
    return reply;
  }

  async #run(watch: Awaited<ReturnType<typeof openWatch>>, response: ServerResponse): Promise<void> {
    const gone = new AbortController();
    const end = (): void => gone.abort();
    response.once('close', end);
    response.on('error', end);
    if (response.destroyed) end();
    const headers = { 'content-type': 'application/json', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
    try {
      if (response.socket instanceof Socket) response.socket.setTimeout(0).setKeepAlive(true, KEEP_ALIVE_MS);
      response.writeHead(200, headers);
      response.flushHeaders();
      const ended = AbortSignal.any([gone.signal, this.#parts.closing]);
      await watch.run({ ended, write: (lines) => this.#write(response, lines, gone.signal) });
      response.end();
    } catch {
      // The client went while the answer began; it resumes from what it knows.
      response.destroy();
    } finally {
      watch.close();
      this.#open -= 1;
    }
  }

  /** Nothing is buffered for a client beyond its socket: one that does not read is cut off, and resumes when it can. */
  async #write(response: ServerResponse, lines: string, gone: AbortSignal): ReturnType<WatchOutput['write']> {
    if (gone.aborted || response.destroyed) return false;
    if (response.write(lines)) return true;
    const slow = AbortSignal.timeout(this.#parts.slowMs);
    try {
      await once(response, 'drain', { signal: AbortSignal.any([gone, slow]) });
      return true;
    } catch {
      if (!gone.aborted) this.#parts.onCutOff?.();
      response.destroy();
      return false;
    }
  }
}

/** How long a watch stays open: as asked, at most an hour; else 30 to 60 minutes, so that those of a crowd end apart. */
export function watchTimeout(seconds: number | undefined): number {
  return seconds === undefined ? SHORTEST_MS + randomInt(SHORTEST_MS) : Math.min(seconds, LONGEST_S) * 1000;
}
