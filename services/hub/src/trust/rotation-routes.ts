/** `/hawser/v1/trust/rotations`: the rotation of a cluster's signing authority, started, seen and steered. */
import { RotationRequest, type RotationsAnswer, type RotationView } from '@hawser/wire/trust.ts';
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import type { RotationService } from './rotation-service.ts';
import type { RotationCommand } from './rotation-state.ts';

const ROTATIONS = '/hawser/v1/trust/rotations';
const Params = Type.Object({ name: Type.String({ pattern: '^[a-z0-9-]{1,63}$' }) });
const Query = Type.Object({ cluster: Type.Optional(Type.String({ maxLength: 63 })) }, { additionalProperties: false });
const COMMANDS: readonly RotationCommand[] = ['pause', 'resume', 'rollback', 'retire-now'];

/** Adds the routes. */
export function rotationRoutes(app: FastifyInstance, service: RotationService): void {
  app.get<{ Querystring: Static<typeof Query> }>(
    ROTATIONS,
    { schema: { querystring: Query } },
    async ({ query }): Promise<RotationsAnswer> => {
      return { items: [...(await service.list(query.cluster))] };
    },
  );
  app.get<{ Params: Static<typeof Params> }>(`${ROTATIONS}/:name`, { schema: { params: Params } }, ({ params }): Promise<RotationView> => {
    return service.get(params.name);
  });
  for (const [path, emergency] of [
    [ROTATIONS, false],
    ['/hawser/v1/trust/emergency-rotations', true],
  ] as const) {
    app.post<{ Body: RotationRequest }>(path, { schema: { body: RotationRequest } }, async ({ body, actor }, reply) => {
      const answer = await service.start(body, { actor, emergency });
      return reply.code(body.dryRun === true ? 200 : 201).send(answer);
    });
  }
  for (const command of COMMANDS) {
    app.post<{ Params: Static<typeof Params> }>(`${ROTATIONS}/:name/${command}`, { schema: { params: Params } }, ({ params, actor }) =>
      service.command(params.name, command, actor),
    );
  }
}
