/** What runs of drills left behind: `…/drillruns/NAME/report`, `…/drills/NAME/trend`, and the keys that reports are signed with. */
import type { DrillReport } from '@hawser/model/drill-report.ts';
import { type KindDescriptor, kindNamed } from '@hawser/model/kinds.ts';
import { type DrillTrend, ReportKeySet, ReportParameters, TrendParameters } from '@hawser/wire/drill-report.ts';
import type { FastifyInstance } from 'fastify';
import type { Database } from '../db/database.ts';
import { StatusError } from '../http/status.ts';
import { reportHtml } from './render/report-html.ts';
import { reportMarkdown } from './render/report-markdown.ts';
import { reportKeys } from './report-keys-store.ts';
import { findReport, trendOf } from './report-store.ts';

const DEFAULT_LIMIT = 50;
/** Nothing in a report is fetched or run, wherever it is opened. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

/** Adds them. */
export function drillReportRoutes(app: FastifyInstance, database: Database): void {
  app.get('/hawser/v1/drill-report-keys', { schema: { response: { 200: ReportKeySet } } }, async (): Promise<ReportKeySet> => {
    return { keys: [...(await database.transaction(reportKeys, { accessMode: 'read only' }))] };
  });
  app.get<{ Params: { name: string }; Querystring: ReportParameters }>(
    pathOf('DrillRun', 'report'),
    { schema: { querystring: ReportParameters } },
    async ({ params, query }, reply) => {
      const text = await database.transaction((tx) => findReport(tx, params.name), { accessMode: 'read only' });
      if (text === undefined)
        throw new StatusError('NotFound', `drillrun ${JSON.stringify(params.name)} has no report: it has one when it is over`);
      if (query.format === undefined || query.format === 'json') return reply.type('application/json; charset=utf-8').send(text);
      const report = JSON.parse(text) as DrillReport;
      if (query.format === 'md') return reply.type('text/markdown; charset=utf-8').send(reportMarkdown(report));
      return reply.header('content-security-policy', POLICY).type('text/html; charset=utf-8').send(reportHtml(report));
    },
  );
  app.get<{ Params: { name: string }; Querystring: TrendParameters }>(
    pathOf('Drill', 'trend'),
    { schema: { querystring: TrendParameters } },
    async ({ params, query }): Promise<DrillTrend> => {
      const { limit = DEFAULT_LIMIT } = query;
      const runs = await database.transaction((tx) => trendOf(tx, params.name, limit), { accessMode: 'read only' });
      return { drill: params.name, runs: [...runs] };
    },
  );
}

function pathOf(name: string, part: string): string {
  const kind: KindDescriptor | undefined = kindNamed(name);
  if (kind === undefined) throw new Error(`${name} is no kind`);
  return `/apis/${kind.group}/${kind.versions[0]}/${kind.plural}/:name/${part}`;
}
