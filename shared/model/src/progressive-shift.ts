/** Shifts in steps: what they are among, the steps, and what each step waits for. The hub makes static shifts of them. */
import Type, { type Static } from 'typebox';
import { CheckSpec } from './check.ts';
import { DURATION_PATTERN, LABEL_PATTERN } from './patterns.ts';

const strict = { additionalProperties: false } as const;
const SUBSET = '^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$';
const MOST_PARTS = 10_000;
const MOST_STEPS = 100;

const duration = (description: string) => Type.Optional(Type.String({ pattern: DURATION_PATTERN, description }));
const label = (description: string) => Type.String({ pattern: LABEL_PATTERN, description });
const percent = (description: string) => Type.Optional(Type.Number({ minimum: 0, maximum: 100, description }));
const either = <const One extends string, const Other extends string>(one: One, other: Other, description: string) =>
  Type.Optional(Type.Union([Type.Literal(one), Type.Literal(other)], { description }));
const weights = (description: string) =>
  Type.Record(Type.String({ pattern: LABEL_PATTERN }), Type.Integer({ minimum: 0, maximum: MOST_PARTS }), { description });
const HeaderText = Type.Object(
  {
    exact: Type.Optional(Type.String({ description: 'The whole value.' })),
    prefix: Type.Optional(Type.String({ description: 'What the value begins with.' })),
    regex: Type.Optional(Type.String({ description: 'RE2 expression for the whole value.' })),
  },
  strict,
);

/** One of what the requests are divided among. */
export const ShiftDestination = Type.Object(
  {
    name: label('What the steps call it.'),
    region: Type.Optional(label('The clusters of a region.')),
    cluster: Type.Optional(label('A cluster by its name.')),
    subset: Type.Optional(Type.String({ pattern: SUBSET, description: 'A subset of the DestinationRule of the services.' })),
  },
  { ...strict, description: 'Exactly one of region, cluster and subset; all destinations of a shift are of one sort.' },
);
export type ShiftDestination = Static<typeof ShiftDestination>;

/** One step: exactly one of its fields. */
export const ShiftStep = Type.Object(
  {
    setWeights: Type.Optional(
      weights('Parts of totalWeight by destination, which they add up to; who is not named gets none. It ends when it is so, as measured.'),
    ),
    pause: Type.Optional(
      Type.Object(
        { duration: duration('How long. Default: until hawser shift promote.') },
        { ...strict, description: 'Waits, for a while or for a word.' },
      ),
    ),
    approval: Type.Optional(
      Type.Object({}, { ...strict, description: 'Waits for hawser shift approve by another than who asked for the shift.' }),
    ),
    analysis: Type.Optional(Type.Object({}, { ...strict, description: 'Waits until every check of spec.analysis has passed.' })),
    setHeaderRoute: Type.Optional(
      Type.Object(
        {
          name: Type.String({ minLength: 1, maxLength: 63, description: 'Name of the route, for access logs.' }),
          match: Type.Optional(
            Type.Record(Type.String(), HeaderText, {
              description: 'Headers that the requests have, all of them. Left out: the route goes.',
            }),
          ),
          destination: Type.Optional(label('Where these requests go, whatever its weight is.')),
        },
        { ...strict, description: 'Requests with these headers go to one destination, from now on: for testers. Of subsets alone.' },
      ),
    ),
    setMirror: Type.Optional(
      Type.Object(
        {
          destination: label('What gets copies of requests, whose answers nobody sees.'),
          percent: Type.Number({ minimum: 0, maximum: 100, description: 'Percentage of the requests that are copied; 0 ends it.' }),
        },
        { ...strict, description: 'Copies of requests go to one destination as well, from now on. Of subsets alone.' },
      ),
    ),
  },
  { ...strict, description: 'Exactly one of setWeights, pause, approval, analysis, setHeaderRoute and setMirror.' },
);
export type ShiftStep = Static<typeof ShiftStep>;

const Observed = Type.Object(
  {
    tolerancePercent: percent('Percentage points by which the measured share may differ from what was asked. Default: 5.'),
    window: duration('Over which it is measured, at most 15m; when it was not seen for so long, the step is inconclusive. Default: 1m.'),
    minRequests: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'Requests before a share is believed. 0: shares are not looked at, and acknowledgements are enough. Default: 100.',
      }),
    ),
  },
  { ...strict, description: 'What must be measured of a step before the next.' },
);

const Advance = Type.Object(
  {
    ackQuorumPercent: Type.Optional(
      Type.Number({
        minimum: 1,
        maximum: 100,
        description: 'Percentage of the connected proxies concerned that have acknowledged it. Default: 99.',
      }),
    ),
    ackTimeout: duration('How long acknowledgements are waited for; then the step has failed. Default: 60s.'),
    observed: Type.Optional(Observed),
  },
  { ...strict, description: 'When a step is done: the proxies have acknowledged it, and the traffic is seen where it was sent.' },
);

const Schedule = Type.Object(
  {
    cron: Type.String({ minLength: 1, maxLength: 100, description: 'Five fields, as cron has them: when the steps begin.' }),
    end: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 100,
        description: 'When it goes back to the start, to begin again at the next time. Default: never.',
      }),
    ),
    timeZone: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'Such as Europe/Berlin. Default: UTC.' })),
    startingDeadline: duration('A time that was missed by more than this is left out. Default: 10m.'),
  },
  { ...strict, description: 'Times of day of the steps. Default: they begin at once.' },
);

/** The fields of a shift in steps, beside those that it shares with static ones. */
export const PROGRESSIVE_FIELDS = {
  destinations: Type.Optional(
    Type.Array(ShiftDestination, { minItems: 2, maxItems: 32, description: 'What the requests are divided among, by the steps.' }),
  ),
  start: Type.Optional(
    weights('Weights before the first step, and after a rollback, by destination. Default: everything goes to the first destination.'),
  ),
  steps: Type.Optional(Type.Array(ShiftStep, { minItems: 1, maxItems: MOST_STEPS, description: 'What is done, one after the other.' })),
  analysis: Type.Optional(
    Type.Object(
      {
        checks: Type.Array(CheckSpec, { minItems: 1, description: 'Guardrails: what is measured in every phase, paused or not.' }),
        startAfterStep: Type.Optional(
          Type.Integer({
            minimum: 0,
            description: 'How many steps are done when they begin; an analysis step begins them before. Default: 1.',
          }),
        ),
      },
      { ...strict, description: 'What tells that all is well, or not.' },
    ),
  ),
  advance: Type.Optional(Advance),
  capacityGuard: Type.Optional(
    Type.Object(
      {
        maxDestinationUtilization: Type.Optional(
          Type.Number({
            minimum: 0,
            maximum: 1,
            description: 'Part of the capacity of a destination that a step may make use of, where capacity is known. Default: 0.8.',
          }),
        ),
      },
      { ...strict, description: 'Keeps a step from sending more than its destinations can bear.' },
    ),
  ),
  progressDeadline: duration('Longest time without progress in any step, pauses of a length left out. Default: 30m.'),
  onDeadline: either('rollback', 'pause', 'What happens then. Default: rollback.'),
  onFailure: either('rollback', 'pause', 'What a failed check, or a step that fails, does. Default: rollback.'),
  onInconclusive: either('rollback', 'pause', 'What happens when it cannot be told whether all is well. Default: pause.'),
  suspend: Type.Optional(Type.Boolean({ description: 'Whether it stays where it is; guardrails and deadline hold all the same.' })),
  schedule: Type.Optional(Schedule),
  revertOnDelete: Type.Optional(
    Type.Boolean({
      description: 'Whether deleting it takes its weights away at once; false: it cannot be deleted while it moves. Default: true.',
    }),
  ),
  overrideSafetyRules: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 253 }), {
      uniqueItems: true,
      description: 'SafetyRules, and freeze/NAME, that it goes on in spite of; audited.',
    }),
  ),
};

const ProgressiveSpec = Type.Object(PROGRESSIVE_FIELDS);
/** The fields of a shift in steps. */
export type ProgressiveSpec = Static<typeof ProgressiveSpec>;

/** A shift that was validated as one in steps. */
export type SteppedShift = ProgressiveSpec & {
  readonly services: string[];
  readonly totalWeight?: number;
  readonly destinations: ShiftDestination[];
  readonly steps: ShiftStep[];
};

/** Whether a shift has steps. */
export function isProgressive(spec: { readonly steps?: unknown }): boolean {
  return spec.steps !== undefined;
}

/** What a destination is. */
export type DestinationSort = 'region' | 'cluster' | 'subset';
/** Every sort. */
export const DESTINATION_SORTS: readonly DestinationSort[] = ['region', 'cluster', 'subset'];

/** The sort of a destination, and which one it is. */
export function targetOf(destination: ShiftDestination): { readonly sort: DestinationSort; readonly target: string } {
  const sort = DESTINATION_SORTS.find((one) => destination[one] !== undefined) ?? 'region';
  return { sort, target: destination[sort] ?? '' };
}
