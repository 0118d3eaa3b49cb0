/** Ends a server without breaking what it has begun to answer. */
import { sleep } from '@hawser/runtime/backoff.ts';
import type { FastifyInstance } from 'fastify';

const LOOK_MS = 20;

/** Stops accepting, lets running requests finish for at most `deadlineMs`, then cuts what is left. */
export async function closeGracefully(app: FastifyInstance, deadlineMs: number): Promise<void> {
  const closed = new AbortController();
  const closing = app.close().finally(() => closed.abort());
  const deadline = Date.now() + deadlineMs;
  while (!closed.signal.aborted && Date.now() < deadline) {
    await sleep(LOOK_MS, closed.signal);
    // A connection kept alive for a next request would hold the server open; that request belongs to another hub.
    app.server.closeIdleConnections();
  }
  app.server.closeAllConnections();
  await closing;
}
