/** `/hawser/v1/tokens`: administrators make, list and revoke tokens. The secret is in the answer to POST and nowhere else. */
import { DnsLabel } from '@hawser/model/kind-specs.ts';
import { type TokenCreated, type TokenEntry, TokenRequest, type TokensAnswer } from '@hawser/wire/access.ts';
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { auditRow, insertAudit } from '../audit/audit-store.ts';
import type { Database } from '../db/database.ts';
import { StatusError } from '../http/status.ts';
import { type Access, newToken, tokenHash } from './access.ts';
import { deleteToken, insertToken, listTokens, type TokenRow } from './token-store.ts';

const NameParams = Type.Object({ name: DnsLabel });
/** Actors of the hub's own; a token of that name would be taken for them in the audit. */
const RESERVED = ['admin', 'system', 'hub'];

/** What the routes need. */
export interface TokenRouteParts {
  readonly database: Database;
  readonly access: Access;
}

/** Adds the routes. */
export function tokenRoutes(app: FastifyInstance, { database, access }: TokenRouteParts): void {
  app.get('/hawser/v1/tokens', async (): Promise<TokensAnswer> => {
    const rows = await database.transaction(listTokens, { accessMode: 'read only' });
    return { items: rows.map(entryOf) };
  });
  app.post<{ Body: TokenRequest }>('/hawser/v1/tokens', { schema: { body: TokenRequest } }, async ({ body, actor }, reply) => {
    const expiresAt = checkedEnd(body);
    const token = newToken();
    const { name, role, namespaces, groups } = body;
    const row = await database.transaction(async (tx) => {
      const stored = await insertToken(tx, {
        ...{ name, role, expiresAt, namespaces: namespaces ?? null, groups: groups ?? null, createdBy: actor, hash: tokenHash(token) },
      });
      if (stored !== undefined) await insertAudit(tx, [auditRow(changed(name, grantOf(body), 201), 'create')]);
      return stored;
    });
    if (row === undefined)
      throw new StatusError('AlreadyExists', `there is a token ${name} already: revoke it first, or choose another name`);
    return reply.code(201).send({ ...entryOf(row), token } satisfies TokenCreated);
  });
  app.delete<{ Params: Static<typeof NameParams> }>('/hawser/v1/tokens/:name', { schema: { params: NameParams } }, async ({ params }) => {
    const isGone = await database.transaction(async (tx) => {
      const found = await deleteToken(tx, params.name);
      if (found) await insertAudit(tx, [auditRow(changed(params.name, 'revoked', 200), 'delete')]);
      return found;
    });
    if (!isGone) throw new StatusError('NotFound', `there is no token ${params.name}: hawser token list shows them`);
    access.forget();
    return { kind: 'Status', apiVersion: 'v1', status: 'Success', message: `the token ${params.name} is revoked`, code: 200 };
  });
}

function grantOf({ role, groups = [] }: TokenRequest): string {
  return `role ${role}${groups.length === 0 ? '' : `, of ${groups.join(', ')}`}`;
}

function changed(name: string, reason: string, code: number) {
  return { kind: 'Token', namespace: '', name, outcome: 'allowed', code, reason } as const;
}

function checkedEnd({ name, role, namespaces, expiresAt }: TokenRequest): Date | null {
  if (RESERVED.includes(name)) throw new StatusError('BadRequest', `name: ${name} is a name of the hub's own; choose another`);
  if (role === 'admin' && namespaces !== undefined)
    throw new StatusError(
      'BadRequest',
      'namespaces: an administrator is not limited to namespaces; leave them out, or choose another role',
    );
  if (expiresAt === undefined) return null;
  const end = Date.parse(expiresAt);
  if (Number.isNaN(end) || end <= Date.now())
    throw new StatusError('BadRequest', `expiresAt is ${expiresAt}, which is no time that is yet to come`);
  return new Date(end);
}

function entryOf({ name, role, namespaces, groups, expiresAt, createdAt, createdBy }: TokenRow): TokenEntry {
  return {
    ...{ name, role, createdAt: createdAt.toISOString(), createdBy },
    ...(namespaces === null ? {} : { namespaces }),
    ...(groups === null ? {} : { groups }),
    ...(expiresAt === null ? {} : { expiresAt: expiresAt.toISOString() }),
  };
}
