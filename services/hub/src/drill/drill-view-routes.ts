/** `GET …/drills/NAME/plan` and `/readiness`, and `GET /hawser/v1/drill-calendar`: what drills would do, whether they could, and when. */
import { type KindDescriptor, kindNamed } from '@hawser/model/kinds.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { DrillCalendarView, DrillPlanView, DrillReadinessView } from '@hawser/wire/drill-views.ts';
import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { StatusError } from '../http/status.ts';
import type { ResourceService } from '../resource/resource-service.ts';
import { calendarOf } from './drill-calendar.ts';
import { type DrillPlanParts, drillPlanOf, planView } from './drill-plan.ts';
import { drillRefusals } from './drill-refusals.ts';
import { drillsOf, scheduledDrill } from './drill-times.ts';
import type { ReadinessKeeper } from './readiness-keeper.ts';

/** What the routes need. */
export interface DrillViewParts extends DrillPlanParts {
  readonly resources: ResourceService;
  readonly readiness: ReadinessKeeper;
}

const strict = { additionalProperties: false } as const;
const PlanQuery = Type.Object(
  {
    override: Type.Optional(
      Type.String({ maxLength: 1_000, description: 'Rules that do not hold for it, by name, with commas between them.' }),
    ),
  },
  strict,
);
const CalendarQuery = Type.Object(
  { days: Type.Optional(Type.Integer({ minimum: 1, maximum: 366, description: 'How far it looks ahead. Default: 30.' })) },
  strict,
);
const DAYS = 30;
const DAY_MS = 86_400_000;

type Named = { readonly Params: { readonly name: string } };

/** Adds the routes. */
export function drillViewRoutes(app: FastifyInstance, parts: DrillViewParts): void {
  const { context, resources, readiness } = parts;
  const kind = kindNamed('Drill');
  if (kind === undefined) throw new Error('Drill is no kind');
  const path = `/apis/${kind.group}/${kind.versions[0]}/${kind.plural}/:name`;
  const found = async (name: string): Promise<Resource> => {
    if (context.distribution.desired === undefined)
      throw new StatusError('ServiceUnavailable', 'the hub has not read yet which clusters there are; try again in a moment');
    return await resources.get(targetOf(kind, name));
  };
  app.get<Named & { Querystring: Static<typeof PlanQuery> }>(
    `${path}/plan`,
    { schema: { querystring: PlanQuery } },
    async (request): Promise<DrillPlanView> => {
      const drill = await found(request.params.name);
      const plan = drillPlanOf(drill, parts);
      const overrides = (request.query.override ?? '').split(',').filter((rule) => rule !== '');
      return planView(drill, plan, drillRefusals(drill, plan, { context, urgency: 'manual', overrides }));
    },
  );
  app.get<Named>(`${path}/readiness`, async (request): Promise<DrillReadinessView> => readiness.lookAt(await found(request.params.name)));
  app.get<{ Querystring: Static<typeof CalendarQuery> }>(
    '/hawser/v1/drill-calendar',
    { schema: { querystring: CalendarQuery } },
    ({ query: { days = DAYS } }): DrillCalendarView => {
      const from = context.now();
      return calendarOf(
        drillsOf(context).map((drill) => scheduledDrill(drill, context)),
        { from, to: from + days * DAY_MS },
      );
    },
  );
}

function targetOf(kind: KindDescriptor, name: string): Parameters<ResourceService['get']>[0] {
  return { kind, namespace: '', name };
}
