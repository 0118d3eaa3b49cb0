/** How much a hub takes on at once. What is beyond is refused with 429 before its body is read, so that no crowd costs the hub its memory. */
import { randomInt } from 'node:crypto';
import { counter, gauge, type Registry } from '@hawser/runtime/metrics.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { StatusError } from './status.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route is not counted: it is cheap and must answer under load, or it has a bound of its own. */
    readonly uncounted?: boolean;
  }
  interface FastifyRequest {
    /** What the request holds of the bounds; undefined where it is not counted. */
    share: Share | undefined;
  }
}

/** The bounds of one hub process. */
export interface RequestBounds {
  readonly requests: number;
  /** Of bodies that came and of answers that nobody has read yet, together. One request alone is always taken. */
  readonly bytes: number;
}

/** As many as Kubernetes' API server takes; the pool of the database is the narrower place for most of them. */
export const REQUEST_BOUNDS: RequestBounds = { requests: 400, bytes: 64 * 1024 * 1024 };

/** Clients that were refused together do not come back together. */
const LONGEST_RETRY_S = 4;

/** One request's part of the bounds: counted as long as somebody holds it. */
export interface Share {
  /** Somebody needs it; call what is returned once, when not any more. */
  hold(): () => void;
  /** More is held in memory. */
  add(bytes: number): void;
}

/** What is under way. */
export class RequestLimit {
  readonly #bounds: RequestBounds;
  #requests = 0;
  #bytes = 0;

  constructor(bounds: RequestBounds) {
    this.#bounds = bounds;
  }

  get requests(): number {
    return this.#requests;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The share of a request with a body of this size; undefined when there is no room. */
  share(size: number): Share | undefined {
    const { requests, bytes } = this.#bounds;
    if (this.#requests >= requests || (this.#requests > 0 && this.#bytes + size > bytes)) return undefined;
    let [held, holders] = [0, 0];
    const add = (more: number): void => {
      if (holders === 0) return;
      held += more;
      this.#bytes += more;
    };
    const letGo = (): void => {
      holders -= 1;
      if (holders > 0) return;
      this.#requests -= 1;
      this.#bytes -= held;
      held = 0;
    };
    const hold = (): (() => void) => {
      holders += 1;
      if (holders === 1) {
        this.#requests += 1;
        add(size);
      }
      return letGo;
    };
    return { hold, add };
  }
}

/** Counts every request that is registered after this, and refuses what is too much. Add it after authorization: strangers hold nothing. */
export function limitRequests(app: FastifyInstance, registry: Registry, bounds: RequestBounds): void {
  const limit = new RequestLimit(bounds);
  const refused = counter(registry, 'hub_http_refused_requests_total');
  gauge(registry, 'hub_http_requests_under_way', () => limit.requests);
  gauge(registry, 'hub_http_bytes_under_way', () => limit.bytes);
  app.decorateRequest('share', undefined);
  app.addHook('onRequest', (request, reply, done) => {
    // Gone while it was authorized: nothing would end what it held, and nobody reads an answer.
    if (request.raw.socket.destroyed) {
      reply.hijack();
      return done();
    }
    if (isUncounted(request)) return done();
    const share = limit.share(bodyBytes(request));
    if (share === undefined) {
      refused.inc();
      return done(tooMany());
    }
    reply.raw.once('close', share.hold());
    request.share = share;
    done();
  });
  // Work goes on when its client has gone, and after its deadline was answered.
  app.addHook('onRoute', (route) => {
    const { handler } = route;
    route.handler = function held(request, reply) {
      const letGo = request.share?.hold() ?? (() => undefined);
      const answer: unknown = handler.call(this, request, reply);
      void Promise.resolve(answer).then(letGo, letGo);
      return answer;
    };
  });
  app.addHook('onSend', async (request, _reply, payload) => {
    if (typeof payload === 'string' || Buffer.isBuffer(payload)) request.share?.add(payload.length);
    return payload;
  });
}

function tooMany(): StatusError {
  return new StatusError('TooManyRequests', 'the hub is busy with as many requests as it takes at once; ask again shortly', {
    retryAfterSeconds: 1 + randomInt(LONGEST_RETRY_S),
  });
}

/** Watches have a bound of their own. */
function isUncounted({ method, query, routeOptions }: FastifyRequest): boolean {
  const { watch } = (query ?? {}) as { readonly watch?: unknown };
  return routeOptions.config.uncounted === true || (method === 'GET' && (watch === 'true' || watch === '1'));
}

/** What its body will hold; of one that does not say, and of one that is refused for its size, the most that is read. */
function bodyBytes({ headers, routeOptions }: FastifyRequest): number {
  if (headers['transfer-encoding'] === undefined && headers['content-length'] === undefined) return 0;
  return Math.min(Number(headers['content-length'] ?? Number.POSITIVE_INFINITY), routeOptions.bodyLimit);
}
