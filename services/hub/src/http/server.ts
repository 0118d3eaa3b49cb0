/** The HTTP edge: one shape of errors, bounded bodies, deadlines, bearer tokens, health and metrics. */
import { randomUUID } from 'node:crypto';
import type { Server as HttpsServer } from 'node:https';
import { AppError } from '@hawser/runtime/app-error.ts';
import { type LiveCertificate, TLS_FLOOR } from '@hawser/runtime/live-certificate.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import { histogram, type Registry } from '@hawser/runtime/metrics.ts';
import { isVerbose, readinessAnswer } from '@hawser/runtime/readiness.ts';
import fastify, { type FastifyBodyParser, type FastifyInstance, type FastifyReply } from 'fastify';
import type { Access } from '../access/access.ts';
import type { AuditTrail } from '../audit/audit-trail.ts';
import { auditFailure, authorizeRequests } from './authorize-requests.ts';
import { answerClientError } from './client-errors.ts';
import { requireUniqueKeys } from './json-body.ts';
import { limitRequests, REQUEST_BOUNDS, type RequestBounds } from './request-limit.ts';
import { StatusError, statusOf } from './status.ts';

/** One part of the hub for `/readyz`: `check` answers undefined when it is well, else why the hub is not ready. */
export interface ReadinessCheck {
  readonly name: string;
  check(): string | undefined | Promise<string | undefined>;
}

/** What the server is made of. */
export interface HttpParts {
  readonly access: Access;
  /** Takes what is refused or fails. */
  readonly trail?: AuditTrail;
  readonly log: Logger;
  readonly registry: Registry;
  readonly readiness: readonly ReadinessCheck[];
  /** Serves HTTPS alone, with whatever certificate is current. */
  readonly tls?: LiveCertificate | undefined;
  /** Other bounds than the usual ones. */
  readonly bounds?: Partial<RequestBounds> | undefined;
}

const BODY_LIMIT = 10 * 1024 * 1024;
/** Answers of the API come within this; `handlerTimeout` of a route overrides it. */
const DEADLINE_MS = 30_000;
/** Who looks after the hub is answered also when it is busy. */
const UNCOUNTED = { config: { uncounted: true } };

/** Builds the server without listening. Features add their routes with `app.register` or directly. */
export function createHttpServer(parts: HttpParts): FastifyInstance {
  const app = fastify({
    ...httpsOf(parts.tls),
    bodyLimit: BODY_LIMIT,
    requestTimeout: DEADLINE_MS,
    handlerTimeout: DEADLINE_MS,
    connectionTimeout: 120_000,
    keepAliveTimeout: 72_000,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    genReqId: () => randomUUID(),
    routerOptions: { maxParamLength: 300 },
    logger: false,
    // What a schema does not know is refused: to drop it silently might do the opposite of what was meant.
    ajv: { customOptions: { removeAdditional: false } },
    // Errors before routing, such as a URL that cannot be decoded, reach no error handler.
    frameworkErrors: (error, _request, reply) =>
      void (reply as unknown as FastifyReply).code(error.statusCode ?? 400).send(statusOf(error)),
    clientErrorHandler: answerClientError,
  });
  parts.tls?.onChange((certificate) => (app.server as unknown as HttpsServer).setSecureContext({ ...certificate, ...TLS_FLOOR }));
  addBodies(app);
  addErrors(app, parts);
  authorizeRequests(app, parts.access);
  limitRequests(app, parts.registry, { ...REQUEST_BOUNDS, ...parts.bounds });
  addMetrics(app, parts.registry);
  addHealth(app, parts);
  return app;
}

/** Typed as nothing: to the routes it makes no difference. */
function httpsOf(tls: LiveCertificate | undefined): object {
  return tls === undefined ? {} : { https: { ...tls.current, ...TLS_FLOOR } };
}

/** Binds; throws `port-taken`. Returns the URL. */
export async function listen(app: FastifyInstance, address: string, port: number): Promise<string> {
  try {
    return await app.listen({ host: address, port });
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE')) throw cause;
    throw new AppError('port-taken', `port ${port} on ${address} is taken, and the hub needs it: stop what uses it, or choose --port`, {
      cause,
    });
  }
}

function addBodies(app: FastifyInstance): void {
  const json = app.getDefaultJsonParser('error', 'error') as FastifyBodyParser<string>;
  const strict: FastifyBodyParser<string> = (request, text, done) =>
    json(request, text, (error, value) => {
      try {
        if (error === null) requireUniqueKeys(text);
        done(error, value);
      } catch (refusal) {
        done(refusal as Error);
      }
    });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(['application/json', 'application/merge-patch+json'], { parseAs: 'string' }, strict);
}

function addErrors(app: FastifyInstance, { log, trail }: HttpParts): void {
  app.setErrorHandler((error, request, reply) => {
    const status = statusOf(error);
    if (status.code >= 500)
      log.warn(
        { err: error, method: request.method, url: request.url, request: request.id, trace: request.facts.traceId },
        'a request failed',
      );
    // What was not looked at is no act, and a crowd must not fill the audit.
    if (trail !== undefined && status.code !== 429) auditFailure(trail, request, status);
    if (status.details.retryAfterSeconds !== undefined) reply.header('retry-after', String(status.details.retryAfterSeconds));
    if (status.code === 401) reply.header('www-authenticate', 'Bearer');
    return reply.code(status.code).send(status);
  });
  app.setNotFoundHandler((request, reply) => {
    const { code, ...status } = statusOf(new StatusError('NotFound', `there is nothing at ${request.method} ${request.url.split('?')[0]}`));
    return reply.code(code).send({ ...status, code });
  });
}

function addMetrics(app: FastifyInstance, registry: Registry): void {
  const seconds = histogram(registry, 'hub_http_request_seconds');
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none';
    seconds.observe({ method: request.method, route, code: String(reply.statusCode) }, reply.elapsedTime / 1000);
  });
  app.get('/metrics', UNCOUNTED, async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()));
}

function addHealth(app: FastifyInstance, parts: HttpParts): void {
  app.get('/livez', UNCOUNTED, async () => 'ok\n');
  app.get('/readyz', UNCOUNTED, async (request, reply: FastifyReply) => {
    const states = await Promise.all(parts.readiness.map(async ({ name, check }) => ({ name, problem: await check() })));
    const { code, body } = readinessAnswer(states, { verbose: isVerbose(request.query), accept: request.headers.accept });
    return reply.code(code).send(body);
  });
}
