/** `POST /hawser/v1/drain-plans`: what a drain would do, where nothing is made. */

import { kindNamed } from '@hawser/model/kinds.ts';
import { validateResource } from '@hawser/model/validate.ts';
import { type DrainPlan, DrainPlanRequest } from '@hawser/wire/drain.ts';
import type { FastifyInstance } from 'fastify';
import type { Database } from '../db/database.ts';
import { invalid, StatusError } from '../http/status.ts';
import { type PlanParts, planOf } from './drain-plan.ts';
import { drainsUnderWay } from './drain-store.ts';

/** What the routes need. */
export interface DrainRouteParts extends PlanParts {
  readonly database: Database;
}

const NAME = 'planned';

/** Adds the route. */
export function drainRoutes(app: FastifyInstance, parts: DrainRouteParts): void {
  const { database, context } = parts;
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
      const others = await database.transaction((tx) => drainsUnderWay(tx, name), { accessMode: 'read only' });
      return planOf(checked.resource, others, parts);
    },
  );
}
