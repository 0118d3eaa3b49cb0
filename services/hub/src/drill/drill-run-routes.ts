/** `POST …/drills/NAME/run`: a run of a drill, now. */
import { kindNamed } from '@hawser/model/kinds.ts';
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import type { Database } from '../db/database.ts';
import type { Operations } from '../operations/operations.ts';
import type { ResourceService } from '../resource/resource-service.ts';
import { makeRun } from './run-start.ts';

/** What the route needs. */
export interface DrillRunRouteParts {
  readonly operations: Operations;
  readonly database: Database;
  readonly resources: Pick<ResourceService, 'get'>;
}

const RunBody = Type.Union([
  Type.Null(),
  Type.Object(
    {
      reason: Type.Optional(Type.String({ minLength: 1, maxLength: 512 })),
      mode: Type.Optional(Type.Union([Type.Literal('dryRun'), Type.Literal('live')])),
      overrides: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 253 }), { uniqueItems: true, maxItems: 20 })),
    },
    { additionalProperties: false },
  ),
]);

/** Adds the route; it answers with the run. */
export function drillRunRoutes(app: FastifyInstance, { operations, database, resources }: DrillRunRouteParts): void {
  const kind = kindNamed('DrillRun');
  if (kind === undefined) throw new Error('DrillRun is no kind');
  app.post<{ Params: { readonly name: string }; Body: Static<typeof RunBody> }>(
    '/apis/hawser.dev/v1alpha1/drills/:name/run',
    { schema: { body: RunBody } },
    async (request, reply) => {
      const { reason, mode, overrides } = request.body ?? {};
      const asked = { drill: request.params.name, trigger: 'manual', actor: request.actor, now: Date.now() } as const;
      const name = await database.transaction((tx) =>
        makeRun(tx, operations, { ...asked, mode, ...(reason && { reason }), ...(overrides && { overrides }) }),
      );
      reply.code(201);
      return await resources.get({ kind, namespace: '', name });
    },
  );
}
