/** `POST /hawser/v1/diff`: what would change if these resources were written, in their own terms and in Envoy's. Writes nothing. */
import { AppError } from '@hawser/runtime/app-error.ts';
import { type DiffAnswer, DiffBody } from '@hawser/wire/hub-api.ts';
import type { FastifyInstance } from 'fastify';
import type { AskParts } from '../fleet/ask-agent.ts';
import type { ResourceService } from '../resource/resource-service.ts';
import { clusterDifferences } from './cluster-diff.ts';
import { planWrites } from './resource-plan.ts';

/** What the route needs. */
export interface DiffParts extends AskParts {
  readonly resources: ResourceService;
}

/** Comparisons under way at once: an agent does one at a time anyway. */
const MAX_UNDER_WAY = 4;

/** Adds the route. */
export function diffRoutes(app: FastifyInstance, parts: DiffParts): void {
  let underWay = 0;
  app.post<{ Body: DiffBody }>('/hawser/v1/diff', { schema: { body: DiffBody } }, async ({ body, actor }): Promise<DiffAnswer> => {
    if (underWay >= MAX_UNDER_WAY)
      throw new AppError('busy', `${MAX_UNDER_WAY} comparisons are under way already: ask again later`, { status: 429 });
    underWay += 1;
    try {
      const planned = await planWrites(parts.resources, body, actor);
      const clusters = body.envoy === false ? [] : await clusterDifferences(parts, planned, body.clusters);
      const resources = planned.map(({ difference }) => difference);
      return { different: resources.some(({ fields }) => fields.length > 0), resources, clusters: [...clusters] };
    } finally {
      underWay -= 1;
    }
  });
}
