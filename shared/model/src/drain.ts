/** Drain: takes the traffic of a region, cluster, zone or gateway elsewhere. */
import Type, { type Static } from 'typebox';
import { courseProblems, DRAIN_COURSE } from './drain-course.ts';
import { DrainServices } from './drain-waves.ts';
import { invalid } from './istio/rules/checks.ts';
import { MoveTargets, targetProblems } from './move-target.ts';
import { LABEL_PATTERN } from './patterns.ts';
import type { SchemaProblem } from './validate-schema.ts';

const strict = { additionalProperties: false } as const;

const Scope = Type.Object(
  {
    region: Type.Optional(Type.String({ pattern: LABEL_PATTERN, description: 'All clusters of a region.' })),
    cluster: Type.Optional(Type.String({ pattern: LABEL_PATTERN, description: 'One cluster.' })),
    zone: Type.Optional(
      Type.String({
        pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/[^/\\s]{1,63}$',
        description: 'All clusters of a zone, as REGION/ZONE.',
      }),
    ),
    gateway: Type.Optional(
      Type.String({ pattern: LABEL_PATTERN, description: 'What reaches this cluster through its gateway: the calls of other networks.' }),
    ),
  },
  { ...strict, description: 'What is drained: exactly one of region, cluster, zone and gateway.' },
);

/** One part of the services, and how much of it goes elsewhere. */
const Stage = Type.Object(
  {
    services: DrainServices,
    percent: Type.Number({ minimum: 0, maximum: 100, description: 'Percentage of theirs that goes elsewhere now.' }),
  },
  strict,
);

/**
 * A Drain. Agents obey scope, services, percent, stages, destinations, panicMode and closeLongLived; percent and stages are the hub's, of the
 * steps and waves.
 */
export const DrainSpec = Type.Object(
  {
    ...DRAIN_COURSE,
    scope: Scope,
    services: Type.Optional(DrainServices),
    percent: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 100,
        description: 'Percentage of what would go there that goes elsewhere now; the hub works it out from the steps for the clusters.',
      }),
    ),
    stages: Type.Optional(
      Type.Array(Stage, {
        maxItems: 20,
        description:
          'Of these services so much goes elsewhere in place of percent, by the first that has them; the hub works it out from the waves for the clusters.',
      }),
    ),
    destinations: Type.Optional(MoveTargets),
    panicMode: Type.Optional(
      Type.Union([Type.Literal('spread'), Type.Literal('failTraffic')], {
        description:
          'When nothing else can answer. spread: what is drained serves as the last resort; failTraffic: it does not, and requests fail. Default: failTraffic, but for services that nobody else serves at all, which stay.',
      }),
    ),
    closeLongLived: Type.Optional(
      Type.Boolean({
        description: 'Whether connections to what is wholly drained that are left are ended; the hub tells agents when. Default: true.',
      }),
    ),
  },
  { ...strict, description: 'Takes the traffic of a region, cluster, zone or gateway elsewhere.' },
);
export type DrainSpec = Static<typeof DrainSpec>;
/** Exactly one of the four is there. */
export type DrainScope = DrainSpec['scope'];

/** Rules of a drain that its schema cannot say. */
export function drainProblems(spec: DrainSpec): readonly SchemaProblem[] {
  const { scope, services, destinations = [] } = spec;
  const isWhole = Object.keys(scope).length === 1;
  const isEmpty = services !== undefined && services.namespaces === undefined && services.names === undefined;
  return [
    ...(isWhole ? [] : [invalid(['scope'], 'must have exactly one of region, cluster, zone, gateway')]),
    ...(isEmpty ? [invalid(['services'], 'names nothing: leave it out for all services, or name namespaces or services')] : []),
    ...targetProblems(['destinations'], destinations),
    ...courseProblems(spec),
  ];
}
