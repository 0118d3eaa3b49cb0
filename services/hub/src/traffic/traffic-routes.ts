/** `GET /hawser/v1/traffic`: what was measured; `…/stream`: the same each second, as lines of JSON. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { sleep } from '@hawser/runtime/backoff.ts';
import { TrafficAnswer, TrafficParameters } from '@hawser/wire/traffic-api.ts';
import type { FastifyInstance } from 'fastify';
import { StatusError } from '../http/status.ts';
import { type TrafficViewParts, trafficAnswer } from './traffic-view.ts';

/** What the routes work with. */
export interface TrafficRouteParts extends TrafficViewParts {
  /** Aborts when the hub begins to stop: streams end cleanly. */
  readonly signal: AbortSignal;
  readonly maxStreams?: number;
}

const MOST_STREAMS = 200;
const EVERY_MS = 1_000;
/** How long a client may take to read a line. */
const SLOW_MS = 10_000;

/** Adds both. */
export function trafficRoutes(app: FastifyInstance, parts: TrafficRouteParts): void {
  app.get<{ Querystring: TrafficParameters }>(
    '/hawser/v1/traffic',
    { schema: { querystring: TrafficParameters, response: { 200: TrafficAnswer } } },
    ({ query }) => trafficAnswer(query, parts),
  );
  let streams = 0;
  app.get<{ Querystring: TrafficParameters }>(
    '/hawser/v1/traffic/stream',
    { schema: { querystring: TrafficParameters } },
    async ({ query }, reply) => {
      if (query.from !== undefined || query.to !== undefined)
        throw new StatusError('BadRequest', 'a stream has no from and to: it tells of the newest; give window');
      const most = parts.maxStreams ?? MOST_STREAMS;
      if (streams >= most)
        throw new StatusError('TooManyRequests', `${most} streams of traffic are open already: try again later`, { retryAfterSeconds: 5 });
      const first = await trafficAnswer(query, parts);
      reply.hijack();
      streams += 1;
      void tell(reply.raw, { first, signal: parts.signal, next: () => trafficAnswer(query, parts) }).finally(() => {
        streams -= 1;
      });
      return reply;
    },
  );
}

interface Told {
  readonly first: TrafficAnswer;
  readonly signal: AbortSignal;
  next(): Promise<TrafficAnswer>;
}

async function tell(response: ServerResponse, { first, signal, next }: Told): Promise<void> {
  const gone = new AbortController();
  const end = (): void => gone.abort();
  response.once('close', end);
  response.on('error', end);
  if (response.destroyed) end();
  const ended = AbortSignal.any([gone.signal, signal]);
  try {
    if (response.socket instanceof Socket) response.socket.setTimeout(0);
    response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    for (let answer = first; !ended.aborted; answer = await next()) {
      // A client that does not read is cut off: it asks again for the newest.
      if (!response.write(`${JSON.stringify(answer)}\n`))
        await once(response, 'drain', { signal: AbortSignal.any([gone.signal, AbortSignal.timeout(SLOW_MS)]) });
      await sleep(EVERY_MS, ended);
    }
    response.end();
  } catch {
    response.destroy();
  }
}
