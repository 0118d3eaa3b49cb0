/** FailoverPolicy: where requests go when the nearer endpoints are not healthy, or have more than they can take. */
import Type, { type Static } from 'typebox';
import { invalid } from './istio/rules/checks.ts';
import { DnsLabel, ServiceOrHost } from './kind-specs.ts';
import { MoveTargets, targetProblems } from './move-target.ts';
import { LABEL_PATTERN } from './patterns.ts';
import type { SchemaProblem } from './validate-schema.ts';

const strict = { additionalProperties: false } as const;
const list = { minItems: 1, uniqueItems: true } as const;
const rate = Type.Number({ minimum: 0.001, maximum: 1e9 });

const Capacity = Type.Object(
  {
    regions: Type.Optional(
      Type.Record(Type.String({ pattern: LABEL_PATTERN }), rate, {
        description: 'Requests a second that each service can take in a region, all clusters of it together.',
      }),
    ),
    clusters: Type.Optional(
      Type.Record(Type.String({ pattern: LABEL_PATTERN }), rate, {
        description: 'Requests a second that each service can take in a cluster.',
      }),
    ),
    learned: Type.Optional(
      Type.Boolean({ description: 'Whether places not named can take the most that they were seen to answer well. Default: false.' }),
    ),
  },
  { ...strict, description: 'What places can take. A place of which nothing is said is taken to have room.' },
);

const Overflow = Type.Object(
  {
    at: Type.Optional(
      Type.Number({
        minimum: 0.1,
        maximum: 1,
        description: 'Part of its capacity up to which a place is loaded; the excess goes on. Default: 0.9.',
      }),
    ),
    returnBelow: Type.Optional(
      Type.Number({
        minimum: 0.05,
        maximum: 1,
        description:
          'Part of its capacity that a place must be below, with what would return, before it returns. Default: 0.1 less than at.',
      }),
    ),
    stepPercent: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100, description: 'Most that the share of the excess changes by in one second. Default: 20.' }),
    ),
  },
  { ...strict, description: 'When a place is loaded beyond its capacity, the excess goes to the next places, before anything fails.' },
);

const Spill = Type.Object(
  {
    service: Type.String({ minLength: 1, maxLength: 253, description: 'The service, or the host of a ServiceEntry.' }),
    from: Type.Object(
      {
        region: Type.Optional(Type.String({ pattern: LABEL_PATTERN, description: 'Region that has too much.' })),
        cluster: Type.Optional(Type.String({ pattern: LABEL_PATTERN, description: 'Cluster that has too much.' })),
      },
      { ...strict, description: 'The place that has too much: exactly one of region and cluster.' },
    ),
    percent: Type.Number({ minimum: 0, maximum: 100, description: 'Percentage of what would go there that goes elsewhere.' }),
    to: Type.Optional(MoveTargets),
  },
  strict,
);

/** Where requests go when the nearer endpoints are not healthy. */
export const FailoverPolicySpec = Type.Object(
  {
    services: Type.Optional(
      Type.Array(ServiceOrHost, {
        ...list,
        description: 'Services of this namespace that it is for, and hosts of its ServiceEntries. Default: all of them.',
      }),
    ),
    order: Type.Array(DnsLabel, {
      ...list,
      description: 'Regions in the order in which they are tried once nothing in the own region can answer; regions not named come last.',
    }),
    spillover: Type.Optional(
      Type.Union([Type.Literal('gradual'), Type.Literal('strict')], {
        description:
          'gradual: a share of the requests moves on as soon as fewer than 72 % of the endpoints are healthy; strict: only when none is. Default: gradual.',
      }),
    ),
    capacity: Type.Optional(Capacity),
    overflow: Type.Optional(Overflow),
    spill: Type.Optional(
      Type.Array(Spill, {
        description: 'Excess that goes elsewhere now. The hub works it out from capacity and overflow for the clusters.',
      }),
    ),
  },
  { ...strict, description: 'Where requests go when the nearer endpoints are not healthy.' },
);
export type FailoverPolicySpec = Static<typeof FailoverPolicySpec>;

/** Rules of a policy that its schema cannot say. */
export function failoverPolicyProblems({ capacity, overflow, spill = [] }: FailoverPolicySpec): readonly SchemaProblem[] {
  const { at = 0.9, returnBelow = at } = overflow ?? {};
  return [
    ...(overflow !== undefined && capacity === undefined
      ? [invalid(['overflow'], 'needs capacity: what there is more than is not known')]
      : []),
    ...(returnBelow > at ? [invalid(['overflow', 'returnBelow'], `is ${returnBelow}; it must not be above at, ${at}`)] : []),
    ...spill.flatMap(({ from, to = [] }, index) => [
      ...((from.region === undefined) === (from.cluster === undefined)
        ? [invalid(['spill', index, 'from'], 'must have exactly one of region, cluster')]
        : []),
      ...targetProblems(['spill', index, 'to'], to),
    ]),
  ];
}
