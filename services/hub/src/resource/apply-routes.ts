/** `POST /hawser/v1/apply`: many policies in one request and one transaction. */
import { type ApplyAnswer, ApplyBody } from '@hawser/wire/hub-api.ts';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Status } from '../http/status.ts';
import { type ApplyAllParts, applyAll } from './apply-all.ts';

/** What the route needs. */
export interface ApplyRouteParts extends ApplyAllParts {
  /** Told of each resource that was refused, for the audit. */
  readonly onRefused: (request: FastifyRequest, resource: unknown, status: Status) => void;
}

/** Adds the route. */
export function applyRoutes(app: FastifyInstance, parts: ApplyRouteParts): void {
  app.post<{ Body: ApplyBody }>('/hawser/v1/apply', { schema: { body: ApplyBody } }, async (request): Promise<ApplyAnswer> => {
    const { body, actor } = request;
    const options = { dryRun: body.dryRun === true, allowUnresolved: body.allowUnresolved === true, actor };
    const results = await applyAll(parts, body.resources, options);
    for (const [index, { error }] of results.entries()) if (error !== undefined) parts.onRefused(request, body.resources[index], error);
    return { results: results.map(({ error, ...result }) => (error === undefined ? result : { ...result, error: refusal(error) })) };
  });
}

function refusal({ code, reason, message, details }: Status): NonNullable<ApplyAnswer['results'][number]['error']> {
  const { causes } = details;
  return { code, reason, message, details: causes === undefined ? {} : { causes: [...causes] } };
}
