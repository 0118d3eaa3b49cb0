/** Every request passes here: it gets its trace, its bearer is known, and the table of permissions decides. */
import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import type { Access } from '../access/access.ts';
import { type Identity, type Place, refusalOf } from '../access/authorize.ts';
import { type Permission, permissionOf } from '../access/permissions.ts';
import { inRequest, type RequestContext } from '../access/request-context.ts';
import type { AuditTrail } from '../audit/audit-trail.ts';
import { type Status, StatusError } from './status.ts';
import { traceIdOf } from './trace.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Whose token the request carried; empty on open routes. */
    actor: string;
    facts: RequestContext;
  }
  interface FastifyInstance {
    /** Every route, in the order of registration, HEAD included. */
    readonly declared: readonly RouteOptions[];
  }
}

/** Adds the hooks; nothing that is registered later can go around them. */
export function authorizeRequests(app: FastifyInstance, access: Access): void {
  const declared: RouteOptions[] = [];
  app.decorate('declared', declared);
  app.addHook('onRoute', (route) => void declared.push(route));
  app.decorateRequest('actor', '');
  app.decorateRequest('facts', null as unknown as RequestContext);
  app.addHook('onRequest', (request, reply, done) => {
    request.facts = { traceId: traceIdOf(request.headers['traceparent']), source: request.ip, actor: '', role: '', groups: [], verb: '' };
    reply.header('x-request-id', request.id);
    inRequest(request.facts, done);
  });
  app.addHook('onRequest', (request) => authorize(request, access));
  // Reading the body ends the asynchronous context of the hooks before it.
  app.addHook('preValidation', (request, _reply, done) => inRequest(request.facts, done));
}

async function authorize(request: FastifyRequest, access: Access): Promise<void> {
  const pattern = request.routeOptions.url;
  // Unknown paths: below the secured ones a stranger learns nothing, elsewhere they are just not there.
  if (pattern === undefined) {
    if (/^\/+(apis|hawser)(\/|$|\?)/i.test(request.url)) await identify(request, access);
    return;
  }
  const permission = permissionOf(request.method, pattern);
  request.facts.verb = permission?.verb ?? '';
  if (permission !== undefined && permission.role === undefined) return;
  const identity = await identify(request, access);
  const refusal =
    permission === undefined
      ? `no permission is declared for ${request.method} ${pattern}: it belongs into services/hub/src/access/permissions.ts`
      : refusalOf(identity, permission, placeOf(request));
  if (refusal !== undefined) throw new StatusError('Forbidden', refusal, detailsOf(request, permission));
}

async function identify(request: FastifyRequest, access: Access): Promise<Identity> {
  const token = /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const identity = token === undefined ? undefined : await access.check(token);
  if (identity === undefined) {
    const problem = token === undefined ? 'a bearer token is needed' : 'the token is not known: it is wrong, revoked or expired';
    throw new StatusError('Unauthorized', `${problem}; use the one in admin.token of the hub's state folder (HAWSER_TOKEN)`);
  }
  request.actor = identity.name;
  request.facts.groups = identity.groups ?? [];
  request.facts.actor = identity.name;
  request.facts.role = identity.role;
  return identity;
}

function placeOf(request: FastifyRequest): Place {
  const { namespace, name, service } = (request.params ?? {}) as Readonly<Record<string, string | undefined>>;
  return { namespace, name: name ?? service };
}

function detailsOf(request: FastifyRequest, permission: Permission | undefined) {
  const { namespace, name } = placeOf(request);
  return {
    ...(permission === undefined ? {} : { kind: permission.kind }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(name === undefined ? {} : { name }),
  };
}

/** Notes in the audit what was refused, and writes that failed; reads that fail are no act. */
export function auditFailure(trail: AuditTrail, request: FastifyRequest, { code, reason, message }: Status): void {
  const pattern = request.routeOptions.url;
  const permission = pattern === undefined ? undefined : permissionOf(request.method, pattern);
  const isDenied = code === 401 || code === 403;
  if (!isDenied && ['GET', 'HEAD'].includes(request.method)) return;
  const { namespace = '', name } = placeOf(request);
  const { actor } = request.facts;
  const note = {
    ...{ kind: permission?.kind ?? '', namespace, name: name ?? nameIn(request.body), actor: actor === '' ? 'unknown' : actor },
    ...{ verb: permission?.verb ?? request.method.toLowerCase(), code, reason: `${reason}: ${message}` },
    outcome: isDenied ? ('denied' as const) : ('failed' as const),
  };
  inRequest(request.facts, () => trail.note(note, actor === ''));
}

/** Notes that one resource of a request with many was refused. */
export function auditRefusal(trail: AuditTrail, request: FastifyRequest, refused: { resource: unknown; status: Status }): void {
  const { code, reason, message } = refused.status;
  const { kind, metadata } = (refused.resource ?? {}) as { kind?: unknown; metadata?: { namespace?: unknown } | null };
  const { actor, verb } = request.facts;
  const note = {
    ...{ kind: textOf(kind), namespace: textOf(metadata?.namespace), name: nameIn(refused.resource), actor, verb, code },
    ...{ reason: `${reason}: ${message}`, outcome: 'failed' as const },
  };
  inRequest(request.facts, () => trail.note(note, false));
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** The name in a resource, or the cluster in a join. */
function nameIn(body: unknown): string {
  const { metadata, name, cluster } = (body ?? {}) as { metadata?: { name?: unknown } | null; name?: unknown; cluster?: unknown };
  return textOf(metadata?.name ?? name ?? cluster);
}
