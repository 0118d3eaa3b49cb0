/** The agent's admin door (ADDRESS:15014): probes, metrics, what it knows, and the drain of a proxy. */
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import type { Logger } from '@hawser/runtime/logger.ts';
import type { Registry } from '@hawser/runtime/metrics.ts';
import { isVerbose, type PartState, readinessAnswer } from '@hawser/runtime/readiness.ts';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { addLocalDrain, type LocalDrainDoor } from './local-drain-routes.ts';

/** What the admin door shows and may ask for. All but `drain` is answered from memory. */
export interface AdminParts {
  readonly address: string;
  readonly port: number;
  readonly registry: Registry;
  readonly log: Logger;
  /** What has to be ready before proxies are served. */
  parts(): readonly PartState[];
  /** The world as compiled, for people. */
  world(): unknown;
  /** Counts of what is served, for people. */
  snapshot(): unknown;
  /** Marks the endpoint of the proxy that this token proves as DRAINING; undefined when the token proves nothing. */
  drain(token: string, proxy: DrainRequest): Promise<DrainAnswer | undefined>;
  /** What operators on this machine prove themselves by. */
  readonly token: string;
  readonly localDrain: LocalDrainDoor;
  /** Lets a held loss of endpoints through, by an operator's word; returns how many endpoints it concerned. */
  confirmHeld(): number;
}

/** What a proxy says of itself when it leaves. */
export interface DrainRequest {
  readonly name: string;
  readonly address: string;
}

/** `settleMs`: how long other clusters need to learn of it. */
export interface DrainAnswer {
  readonly settleMs: number;
}

const BODY_LIMIT = 64 * 1024;

/** A running admin door. */
export interface AdminServer {
  readonly port: number;
  stop(): Promise<void>;
}

/** Binds and serves; throws `port-taken` naming the port. */
export async function startAdminServer(parts: AdminParts): Promise<AdminServer> {
  const app = fastify({ bodyLimit: BODY_LIMIT, requestTimeout: 10_000, logger: false });
  app.setErrorHandler((error, _request, reply) => {
    parts.log.warn({ error: messageOf(error) }, 'admin request failed');
    void reply.code(500).send({ message: messageOf(error) });
  });
  addProbes(app, parts);
  addViews(app, parts);
  addDrain(app, parts);
  addLocalDrain(app, parts);
  return { port: await listen(app, parts), stop: () => app.close() };
}

async function listen(app: FastifyInstance, { address, port }: AdminParts): Promise<number> {
  try {
    await app.listen({ host: address, port });
  } catch (error) {
    const message = `the admin server cannot listen on ${address}:${port}: ${messageOf(error)}; free the port or choose another address`;
    throw new AppError('port-taken', message, { cause: error });
  }
  const bound = app.server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : port;
}

function addProbes(app: FastifyInstance, parts: AdminParts): void {
  app.get('/livez', () => ({ alive: true }));
  app.get('/readyz', (request, reply) => {
    // Without `?verbose` it has always been an object here.
    const verbose = isVerbose(request.query);
    const { code, body } = readinessAnswer(parts.parts(), { verbose, accept: verbose ? request.headers.accept : 'application/json' });
    return reply.code(code).send(body);
  });
  app.get('/metrics', async (_request, reply) => reply.type(parts.registry.contentType).send(await parts.registry.metrics()));
}

function addViews(app: FastifyInstance, parts: AdminParts): void {
  app.get('/debug/world', () => parts.world());
  app.get('/debug/snapshot', () => parts.snapshot());
}

function addDrain(app: FastifyInstance, parts: AdminParts): void {
  app.post('/proxies/drain', async (request, reply) => {
    const token = bearerOf(request);
    const proxy = drainRequestOf(request.body);
    if (proxy === undefined) return reply.code(400).send({ message: 'expected {"name": NAME, "address": IP}' });
    const answer = token === undefined ? undefined : await parts.drain(token, proxy);
    if (answer === undefined) return refuse(reply, 401, 'this needs the proxy token of the proxy at that address');
    return answer;
  });
  app.post('/brake/confirm', (request, reply) => {
    // An operator on the agent's own machine; the door may be bound wider than loopback.
    if (!/^(127\.|::1$|::ffff:127\.)/.test(request.ip)) return refuse(reply, 403, 'confirm from the machine of the agent');
    return { confirmedEndpoints: parts.confirmHeld() };
  });
}

function refuse(reply: FastifyReply, code: number, message: string): FastifyReply {
  return reply.code(code).send({ message });
}

function bearerOf(request: FastifyRequest): string | undefined {
  return /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
}

function drainRequestOf(body: unknown): DrainRequest | undefined {
  if (body === null || typeof body !== 'object') return undefined;
  const { name, address } = body as Partial<Record<keyof DrainRequest, unknown>>;
  return typeof name === 'string' && typeof address === 'string' ? { name, address } : undefined;
}
