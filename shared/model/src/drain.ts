/** Drain: takes the traffic of a region, cluster, zone or gateway elsewhere. */
import Type, { type Static } from 'typebox';
import { courseProblems, DRAIN_COURSE } from './drain-course.ts';
import { invalid } from './istio/rules/checks.ts';
import { DnsLabel } from './kind-specs.ts';
import { MoveTargets, targetProblems } from './move-target.ts';
import { LABEL_PATTERN, SERVICE_KEY_PATTERN } from './patterns.ts';
import type { SchemaProblem } from './validate-schema.ts';

const strict = { additionalProperties: false } as const;
const list = { minItems: 1, uniqueItems: true } as const;

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

const Services = Type.Object(
  {
    namespaces: Type.Optional(Type.Array(DnsLabel, { ...list, description: 'All services of these namespaces.' })),
    names: Type.Optional(
      Type.Array(Type.String({ pattern: SERVICE_KEY_PATTERN }), { ...list, description: 'Services by NAMESPACE/NAME.' }),
    ),
  },
  { ...strict, description: 'Services whose requests are moved: those of namespaces, and those named. Default: all.' },
);

/** A Drain. Agents obey scope, services, percent, destinations, panicMode and closeLongLived; percent is the hub's, of the steps. */
export const DrainSpec = Type.Object(
  {
    ...DRAIN_COURSE,
    scope: Scope,
    services: Type.Optional(Services),
    percent: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 100,
        description: 'Percentage of what would go there that goes elsewhere now; the hub works it out from the steps for the clusters.',
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
