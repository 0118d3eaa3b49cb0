/** The hub's own views of the fleet (`shared/wire/src/hub-api.ts`): read only, answered from memory. */

import type { DrainScope } from '@hawser/model/drain.ts';
import { scopeNamed } from '@hawser/model/drain-scope.ts';
import { DnsLabel } from '@hawser/model/kind-specs.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { unknownScope } from '../drain/drain-assertions.ts';
import type { FleetContext } from './fleet-context.ts';
import { overview, serviceAnswers } from './service-view.ts';
import { proxiesView, statusView } from './status-view.ts';

const AnswersParams = Type.Object({ namespace: DnsLabel, service: DnsLabel });
const AnswersQuery = Type.Object(
  {
    from: Type.Optional(DnsLabel),
    without: Type.Optional(DnsLabel),
    /** As `scopeNamed` reads it. */
    drained: Type.Optional(Type.String({ maxLength: 140 })),
  },
  { additionalProperties: false },
);

/** Adds `/hawser/v1/status`, `/proxies`, `/overview` and `/services/NAMESPACE/SERVICE/answers`. */
export function fleetRoutes(app: FastifyInstance, context: FleetContext): void {
  app.get('/hawser/v1/status', () => statusView(context));
  app.get('/hawser/v1/proxies', () => proxiesView(context));
  app.get('/hawser/v1/overview', () => overview(context));
  app.get<{ Params: Static<typeof AnswersParams>; Querystring: Static<typeof AnswersQuery> }>(
    '/hawser/v1/services/:namespace/:service/answers',
    { schema: { params: AnswersParams, querystring: AnswersQuery } },
    ({ params, query }) => {
      refuseUnknownPlaces(context, query);
      const { drained, ...asked } = query;
      const scope = drained === undefined ? {} : { drained: knownScope(context, drained) };
      const answer = serviceAnswers(context, params, { ...asked, ...scope });
      if (answer === undefined) {
        throw new AppError(
          'service-unknown',
          `no cluster exports ${params.namespace}/${params.service}: hawser get serviceimports -A lists what is`,
          {
            status: 404,
          },
        );
      }
      return answer;
    },
  );
}

function knownScope(context: FleetContext, text: string): DrainScope {
  const scope = scopeNamed(text);
  if (scope === undefined)
    throw new AppError('usage', `drained: ${text} names no place: REGION, cluster:NAME, zone:REGION/ZONE or gateway:CLUSTER`, {
      status: 400,
    });
  const places = context.fleet.clusters().map(({ member: { name, region, zone } }) => ({ cluster: name, region, zone, draining: false }));
  const unknown = unknownScope({ scope }, { places });
  if (unknown !== undefined) throw new AppError('place-unknown', `drained: ${unknown.message}`, { status: 404 });
  return scope;
}

function refuseUnknownPlaces(context: FleetContext, { from, without }: Static<typeof AnswersQuery>): void {
  const members = context.fleet.clusters().map(({ member }) => member);
  if (from !== undefined && !members.some((member) => member.name === from)) {
    throw new AppError('cluster-unknown', `from: there is no cluster ${from}; there are ${list(members.map(({ name }) => name))}`, {
      status: 404,
    });
  }
  if (without !== undefined && !members.some((member) => member.region === without)) {
    const regions = list([...new Set(members.map(({ region }) => region))]);
    throw new AppError('region-unknown', `without: no cluster is in region ${without}; there are ${regions}`, { status: 404 });
  }
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'none' : names.join(', ');
}
