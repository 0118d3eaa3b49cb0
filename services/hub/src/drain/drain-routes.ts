/** `POST /hawser/v1/drain-plans`: what a drain would do, where nothing is made; `GET /hawser/v1/local-drains`: those of agents alone. */

import { kindNamed } from '@hawser/model/kinds.ts';
import { validateResource } from '@hawser/model/validate.ts';
import { type DrainPlan, DrainPlanRequest, type LocalDrains } from '@hawser/wire/drain.ts';
import type { FastifyInstance } from 'fastify';
import type { Database, Statements } from '../db/database.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { invalid, StatusError } from '../http/status.ts';
import { learnedCapacity } from '../overflow/learned-store.ts';
import { type PlanParts, planOf } from './drain-plan.ts';
import { drainsUnderWay } from './drain-store.ts';

/** What the routes need. */
export interface DrainRouteParts extends PlanParts {
  readonly database: Database;
}

const NAME = 'planned';

/** Adds the routes. */
export function drainRoutes(app: FastifyInstance, parts: DrainRouteParts): void {
  const { database, context } = parts;
  app.get('/hawser/v1/local-drains', (): LocalDrains => ({ items: localDrainsOf(context) }));
  app.post<{ Body: DrainPlanRequest }>(
    '/hawser/v1/drain-plans',
    { schema: { body: DrainPlanRequest } },
    async ({ body }): Promise<DrainPlan> => {
      const kind = kindNamed('Drain');
      if (kind === undefined) throw new Error('Drain is no kind');
      const { name = NAME, spec } = body;
      const checked = validateResource({ apiVersion: 'hawser.dev/v1alpha1', kind: 'Drain', metadata: { name }, spec }, kind);
      if ('issues' in checked) throw invalid({ kind, namespace: '', name }, checked.issues);
      if (context.distribution.desired === undefined)
        throw new StatusError('ServiceUnavailable', 'the hub has not read yet which clusters there are; try again in a moment');
      const read = async (tx: Statements) => ({ others: await drainsUnderWay(tx, name), learned: await learnedCapacity(tx) });
      const { others, learned } = await database.transaction(read, { accessMode: 'read only' });
      return planOf(checked.resource, others, { ...parts, learned: () => learned });
    },
  );
}

/** Drains that agents make of their own clusters, by their facts, while they last. */
function localDrainsOf({ fleet, now }: FleetContext): LocalDrains['items'] {
  return fleet.clusters().flatMap(({ member, facts }) => {
    const drain = facts?.localDrain;
    if (drain === undefined || Date.parse(drain.until) <= now()) return [];
    const { reason, by, since, until } = drain;
    return [{ cluster: member.name, reason, by, since, until }];
  });
}
