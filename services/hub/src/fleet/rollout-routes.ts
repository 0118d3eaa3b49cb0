/** `GET /hawser/v1/rollouts/REVISION?timeout=30s`: waits until the fleet has accounted for a revision. */
import { parseDuration } from '@hawser/model/duration.ts';
import { GoDuration } from '@hawser/model/kind-specs.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import type { RolloutAnswer } from '@hawser/wire/hub-api.ts';
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { currentRollout, type FleetContext } from './fleet-context.ts';

const Params = Type.Object({ revision: Type.Integer({ minimum: 0 }) });
const Query = Type.Object({ timeout: Type.Optional(GoDuration) }, { additionalProperties: false });

const DEFAULT_TIMEOUT = '30s';
/** Below the server's own limit on quiet connections. */
const MAX_TIMEOUT_MS = 100_000;
const MAX_WAITING = 1000;
/** Agents also become disconnected by the mere passing of time. */
const LOOK_AGAIN_MS = 500;
/** Agents answer in a rush: an answer is worked out once for what comes together. */
const RUSH_MS = 5;

/** What the wait listens to. */
export interface RolloutRouteParts {
  readonly context: FleetContext;
  /** Calls back when an answer may have changed. Returns how to stop. */
  readonly onChange: (listener: () => void) => () => void;
  /** Ends every wait when the hub stops. */
  readonly signal: AbortSignal;
}

/** Adds the route. */
export function rolloutRoutes(app: FastifyInstance, parts: RolloutRouteParts): void {
  let waiting = 0;
  app.get<{ Params: Static<typeof Params>; Querystring: Static<typeof Query> }>(
    '/hawser/v1/rollouts/:revision',
    { schema: { params: Params, querystring: Query }, handlerTimeout: MAX_TIMEOUT_MS + 10_000, config: { uncounted: true } },
    async ({ params, query }, reply) => {
      if (waiting >= MAX_WAITING)
        throw new AppError('busy', `${MAX_WAITING} requests wait for rollouts already: ask again later`, { status: 429 });
      const timeoutMs = Math.min(MAX_TIMEOUT_MS, parseDuration(query.timeout ?? DEFAULT_TIMEOUT) ?? 0);
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      waiting += 1;
      try {
        return await whenComplete(params.revision, { ...parts, timeoutMs, signal: AbortSignal.any([parts.signal, gone.signal]) });
      } finally {
        waiting -= 1;
      }
    },
  );
}

/** The answer as soon as it is complete, else as it is when the time is over. */
function whenComplete(revision: number, parts: RolloutRouteParts & { readonly timeoutMs: number }): Promise<RolloutAnswer> {
  return new Promise((resolve) => {
    const look = (isLast: boolean): void => {
      const { answeredAt, unaccounted, ...answer } = currentRollout(parts.context, revision);
      if (!answer.complete && !isLast) return;
      clearTimeout(deadline);
      clearInterval(tick);
      clearTimeout(soon);
      stopListening();
      parts.signal.removeEventListener('abort', end);
      resolve(answer);
    };
    const end = (): void => look(true);
    const deadline = setTimeout(end, parts.timeoutMs);
    const tick = setInterval(() => look(false), LOOK_AGAIN_MS);
    let soon: NodeJS.Timeout | undefined;
    const stopListening = parts.onChange(() => {
      soon ??= setTimeout(() => {
        soon = undefined;
        look(false);
      }, RUSH_MS);
    });
    parts.signal.addEventListener('abort', end);
    look(parts.signal.aborted || parts.timeoutMs === 0);
  });
}
