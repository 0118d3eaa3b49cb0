/** `POST /hawser/v1/analyze`: what is probably not meant, of what the hub holds or of what would be written. Writes nothing. */
import { type AnalyzeAnswer, AnalyzeBody } from '@hawser/wire/hub-api.ts';
import type { FastifyInstance } from 'fastify';
import type { FleetContext } from '../fleet/fleet-context.ts';
import { analysisOf } from './fleet-analysis.ts';

/** Of one answer. */
const MOST_FINDINGS = 2_000;

/** Adds the route. */
export function analysisRoutes(app: FastifyInstance, context: FleetContext): void {
  app.post<{ Body: AnalyzeBody }>('/hawser/v1/analyze', { schema: { body: AnalyzeBody } }, ({ body }): AnalyzeAnswer => {
    const findings = analysisOf(context, body.resources ?? []);
    return {
      findings: findings.slice(0, MOST_FINDINGS),
      omitted: Math.max(0, findings.length - MOST_FINDINGS),
      stored: context.distribution.desired?.resources.length ?? 0,
      complete: context.fleet.knownServices() !== undefined,
    };
  });
}
