/** `/local-drain` of the admin door: an operator on the agent's machine takes its cluster out while there is no hub to ask. */
import { timingSafeEqual } from 'node:crypto';
import type { LocalDrain } from '@hawser/model/fleet.ts';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { LONGEST_LOCAL_DRAIN_MS } from '../local-drain.ts';

/** What the routes do. */
export interface LocalDrainDoor {
  readonly own: LocalDrain | undefined;
  begin(wanted: LocalDrainRequest): Promise<LocalDrain>;
  end(): Promise<boolean>;
}

/** How long, milliseconds, why, and by whose word. */
export interface LocalDrainRequest {
  readonly ttlMs: number;
  readonly reason: string;
  readonly by: string;
}

const MOST_TEXT = 512;

/** Adds the routes; they need the token of the agent's folder, from the agent's machine. */
export function addLocalDrain(
  app: FastifyInstance,
  { token, localDrain }: { readonly token: string; readonly localDrain: LocalDrainDoor },
): void {
  const refused = (request: FastifyRequest, reply: FastifyReply): FastifyReply | undefined => {
    if (!/^(127\.|::1$|::ffff:127\.)/.test(request.ip)) return reply.code(403).send({ message: 'drain from the machine of the agent' });
    const given = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
    const [a, b] = [Buffer.from(given), Buffer.from(token)];
    if (a.length === b.length && timingSafeEqual(a, b)) return undefined;
    return reply.code(401).send({ message: "this needs the token in admin.token of the agent's folder" });
  };
  app.get('/local-drain', (request, reply) => refused(request, reply) ?? { drain: localDrain.own ?? null });
  app.post('/local-drain', async (request, reply) => {
    const refusal = refused(request, reply);
    if (refusal !== undefined) return refusal;
    const wanted = requestOf(request.body);
    if (wanted === undefined) return reply.code(400).send({ message: 'expected {"ttlMs": at most an hour, "reason": TEXT, "by": TEXT}' });
    return { drain: await localDrain.begin(wanted) };
  });
  app.delete('/local-drain', async (request, reply) => refused(request, reply) ?? { ended: await localDrain.end() });
}

function requestOf(body: unknown): LocalDrainRequest | undefined {
  const { ttlMs, reason, by } = (body ?? {}) as Partial<Record<keyof LocalDrainRequest, unknown>>;
  const isText = (text: unknown): text is string => typeof text === 'string' && text.trim() !== '' && text.length <= MOST_TEXT;
  if (typeof ttlMs !== 'number' || !(ttlMs > 0 && ttlMs <= LONGEST_LOCAL_DRAIN_MS) || !isText(reason) || !isText(by)) return undefined;
  return { ttlMs, reason, by };
}
