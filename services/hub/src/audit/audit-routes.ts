/** `GET /hawser/v1/audit`: who did what, newest first. */
import { AuditAnswer, AuditQuery } from '@hawser/wire/access.ts';
import type { FastifyInstance } from 'fastify';
import type { Database } from '../db/database.ts';
import { StatusError } from '../http/status.ts';
import { readAudit } from './audit-store.ts';

/** Adds the route. */
export function auditRoutes(app: FastifyInstance, database: Database): void {
  app.get<{ Querystring: AuditQuery }>(
    '/hawser/v1/audit',
    { schema: { querystring: AuditQuery, response: { 200: AuditAnswer } } },
    async ({ query }): Promise<AuditAnswer> => {
      if (query.since !== undefined && Number.isNaN(Date.parse(query.since)))
        throw new StatusError('BadRequest', `since is ${query.since}, which is no time such as 2026-11-21T15:00:00Z`);
      if (Object.values(query).some((value) => `${value}`.includes('\0')))
        throw new StatusError('BadRequest', 'the query has a NUL character');
      const { items, next } = await database.transaction((tx) => readAudit(tx, query), { accessMode: 'read only' });
      return { items: [...items], ...(next === undefined ? {} : { continue: next }) };
    },
  );
}
