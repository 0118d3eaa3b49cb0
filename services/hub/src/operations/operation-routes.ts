/** `POST /apis/GROUP/VERSION/[namespaces/NS/]PLURAL/NAME/COMMAND`: what operators say to operations. */
import { type KindDescriptor, kindNamed } from '@hawser/model/kinds.ts';
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import type { Database } from '../db/database.ts';
import type { ResourceService } from '../resource/resource-service.ts';
import type { Operations } from './operations.ts';

/** What the routes need. */
export interface OperationRouteParts {
  readonly operations: Operations;
  readonly database: Database;
  readonly resources: Pick<ResourceService, 'get'>;
}

const CommandBody = Type.Union([
  Type.Null(),
  Type.Object({ reason: Type.Optional(Type.String({ maxLength: 500 })) }, { additionalProperties: false }),
]);

/** Adds the routes of every kind that has operations; each answers with the resource as it is then. */
export function operationRoutes(app: FastifyInstance, parts: OperationRouteParts): void {
  for (const { kind: name, commands } of parts.operations.kinds) {
    const kind = kindNamed(name);
    if (kind === undefined) continue;
    for (const command of commands) addCommand(app, parts, { kind, command });
  }
}

function addCommand(
  app: FastifyInstance,
  { operations, database, resources }: OperationRouteParts,
  { kind, command }: { readonly kind: KindDescriptor; readonly command: string },
): void {
  const place = kind.namespaced ? 'namespaces/:namespace/' : '';
  for (const version of kind.versions) {
    const path = `/apis/${kind.group}/${version}/${place}${kind.plural}/:name/${command}`;
    app.post<{ Body: Static<typeof CommandBody> }>(path, { schema: { body: CommandBody } }, async (request) => {
      const { namespace = '', name = '' } = request.params as { readonly namespace?: string; readonly name?: string };
      const target = { kind, namespace, name };
      const reason = request.body?.reason;
      const by = { actor: request.actor, groups: request.facts.groups, ...(reason === undefined ? {} : { reason }) };
      await operations.command(database, target, { command, ...by });
      return await resources.get(target);
    });
  }
}
