/** What is in force of a DrillRun: what agents get of it, and nothing else of the run. */
import Type, { type Static } from 'typebox';
import { DrainSpec } from './drain.ts';
import { parseDuration } from './duration.ts';
import { invalid } from './istio/rules/checks.ts';
import { DURATION_PATTERN, LABEL_PATTERN, SERVICE_KEY_PATTERN } from './patterns.ts';
import type { SchemaProblem } from './validate-schema.ts';

const strict = { additionalProperties: false } as const;
const list = { minItems: 1, uniqueItems: true } as const;
const { region, cluster, zone } = DrainSpec.properties.scope.properties;
const { services, destinations, panicMode, closeLongLived, scope: drainScope } = DrainSpec.properties;
const some = Type.Number({ exclusiveMinimum: 0, maximum: 100, description: 'Percentage of the requests. Default: 100.' });

const Scope = Type.Object({ region, cluster, zone }, { ...strict, description: 'Whose proxies: exactly one of region, cluster and zone.' });

const Fault = Type.Union(
  [
    Type.Object({ refuse: Type.Literal(true) }, { ...strict, description: 'Every connection is closed, at once.' }),
    Type.Object({ drop: Type.Literal(true) }, { ...strict, description: 'Connections and requests are taken, and never answered.' }),
    Type.Object(
      { delay: Type.String({ pattern: DURATION_PATTERN, description: 'How long requests wait.' }), percent: Type.Optional(some) },
      { ...strict, description: 'Requests wait before they go on. HTTP alone.' },
    ),
    Type.Object(
      { error: Type.Integer({ minimum: 400, maximum: 599, description: 'Status code.' }), percent: Type.Optional(some) },
      { ...strict, description: 'Requests are answered with an error. HTTP alone.' },
    ),
  ],
  { description: 'What is done to them: exactly one of refuse, drop, delay and error.' },
);

const Inject = Type.Object(
  {
    scope: Scope,
    services: Type.Array(Type.String({ pattern: SERVICE_KEY_PATTERN }), {
      ...list,
      description: 'Services by NAMESPACE/NAME, by name alone.',
    }),
    fault: Fault,
  },
  { ...strict, description: 'A fault at the proxies of the workloads that serve these services, in the clusters of the scope.' },
);

const Divert = Type.Object(
  {
    ...{ scope: drainScope, services, destinations, panicMode, closeLongLived },
    percent: Type.Number({ minimum: 0, maximum: 100, description: 'Percentage of what would go there that goes elsewhere now.' }),
  },
  { ...strict, description: 'Traffic that goes elsewhere, as that of a Drain.' },
);

const Partition = Type.Object(
  {
    clusters: Type.Array(Type.String({ pattern: LABEL_PATTERN }), { ...list, description: 'Whose agents.' }),
    from: Type.Union([Type.Literal('hub'), Type.Literal('bus')], {
      description: 'hub: they take no word of the hub; bus: they are not connected to the bus at all. They come back when the lease ends.',
    }),
  },
  { ...strict, description: 'Agents that act as if they were cut off.' },
);

/**
 * The form in force of a DrillRun. `inject` and `partition` are obeyed while the hub is known to live, and no longer than `lease` without
 * a sign of it; `divert` as a Drain is.
 */
export const DrillForm = Type.Object(
  {
    run: Type.String({ pattern: LABEL_PATTERN, description: 'Name of the DrillRun.' }),
    lease: Type.String({ pattern: DURATION_PATTERN, description: 'How long agents go on without a sign of the hub; 1s to 5m.' }),
    inject: Type.Optional(Inject),
    divert: Type.Optional(Divert),
    partition: Type.Optional(Partition),
  },
  { ...strict, description: 'What of a run agents obey.' },
);
export type DrillForm = Static<typeof DrillForm>;
/** A fault at the proxies of services. */
export type DrillInjection = NonNullable<DrillForm['inject']>;
/** Exactly one of its ways is there. */
export type DrillFault = DrillInjection['fault'];
/** Agents that act as if they were cut off. */
export type DrillPartition = NonNullable<DrillForm['partition']>;
/** Traffic that goes elsewhere while a run lasts. */
export type DrillDiversion = NonNullable<DrillForm['divert']>;

/** Shortest and longest lease, milliseconds. */
const LEASE_MS = { least: 1_000, most: 300_000 } as const;

/** Rules of a form, which fits the schema, that the schema cannot say. */
export function drillFormProblems(form: unknown): readonly SchemaProblem[] {
  const { lease, inject, divert } = form as DrillForm;
  const ms = parseDuration(lease) ?? 0;
  const isOne = (scope: object): boolean => Object.values(scope).filter((value) => value !== undefined).length === 1;
  return [
    ...(ms < LEASE_MS.least || ms > LEASE_MS.most ? [invalid(['lease'], `is ${lease}; it must be 1s to 5m`)] : []),
    ...(inject === undefined || isOne(inject.scope)
      ? []
      : [invalid(['inject', 'scope'], 'must have exactly one of region, cluster, zone')]),
    ...(divert === undefined || isOne(divert.scope)
      ? []
      : [invalid(['divert', 'scope'], 'must have exactly one of region, cluster, zone, gateway')]),
  ];
}

/** The form of a DrillRun as agents hold it: they get it in place of the spec. */
export function drillFormOf({ kind, spec }: { readonly kind: string; readonly spec: unknown }): DrillForm | undefined {
  return kind === DRILL_RUN ? (spec as DrillForm) : undefined;
}

/** The kind whose form this is. */
export const DRILL_RUN = 'DrillRun';
