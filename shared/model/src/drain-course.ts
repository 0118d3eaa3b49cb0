/** The course of a drain: how it goes there, how long it stays, and how it comes back. What agents obey of it is in `drain.ts`. */
import Type, { type Static, type TProperties } from 'typebox';
import { type DrainStage, DrainWaves, stagesOf, waveProblems } from './drain-waves.ts';
import { parseDuration } from './duration.ts';
import { invalid } from './istio/rules/checks.ts';
import { DURATION_PATTERN } from './patterns.ts';
import type { SchemaProblem } from './validate-schema.ts';

const strict = { additionalProperties: false } as const;
const duration = (description: string) => Type.Optional(Type.String({ pattern: DURATION_PATTERN, description }));
const percent = (minimum: number, description: string) => Type.Number({ minimum, maximum: 100, description });

const DrainStep = Type.Object(
  {
    percent: percent(1, 'Percentage of what would go there that goes elsewhere in this step.'),
    hold: duration('How long it stays, counted from when the proxies have it, before the next. Default: 60s.'),
  },
  strict,
);

const RestoreStep = Type.Object(
  {
    percent: percent(1, 'Percentage of its usual traffic that has come back in this step.'),
    hold: duration('How long it stays, counted from when the proxies have it, before the next. Default: 60s.'),
  },
  strict,
);

const Restore = Type.Object(
  {
    steps: Type.Optional(
      Type.Array(RestoreStep, { minItems: 1, maxItems: 20, description: 'How it comes back; the last is 100. Default: 10, 50, 100.' }),
    ),
    requireReadiness: Type.Optional(
      Type.Boolean({
        description: 'Whether each step waits until what comes back is healthy, connected and has the capacity. Default: true.',
      }),
    ),
    approval: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 10,
        description: 'How many others than who asked for it must approve before anything comes back (hawser drain approve). Default: 0.',
      }),
    ),
  },
  { ...strict, description: 'How the traffic comes back, which is a way of its own and no undoing.' },
);

const ConnectionDrain = Type.Object(
  {
    timeout: duration('How long connections to what is wholly drained may last before they are ended. Default: 60s.'),
  },
  { ...strict, description: 'What becomes of connections that do not end by themselves.' },
);

/** Fields of a Drain that the hub alone obeys. */
export const DRAIN_COURSE = {
  urgency: Type.Optional(
    Type.Union([Type.Literal('graceful'), Type.Literal('emergency')], {
      description:
        'graceful: in steps, each after the proxies have the one before and the traffic was seen to move; emergency: all at once, before scheduled and manual shifts. Default: graceful.',
    }),
  ),
  reason: Type.Optional(Type.String({ minLength: 1, maxLength: 512, description: 'Why, for whoever sees it later. Required.' })),
  ticket: Type.Optional(Type.String({ maxLength: 512, pattern: '^https?://[^\\s]+$', description: 'URL of what this belongs to.' })),
  expiresIn: duration('How long it lasts from its beginning, and from every renewal; at most 72h. Default: 4h.'),
  onExpire: Type.Optional(
    Type.Union([Type.Literal('restoreIfReady'), Type.Literal('hold')], {
      description:
        'restoreIfReady: the traffic comes back in the steps of restore, as soon as there is readiness for it; hold: it stays away until somebody says so. Default: restoreIfReady.',
    }),
  ),
  steps: Type.Optional(
    Type.Array(DrainStep, {
      minItems: 1,
      maxItems: 20,
      description: 'How it goes; each step is more than the one before. Default: 10, 25, 50, 100. An emergency is one step of 100.',
    }),
  ),
  waves: Type.Optional(DrainWaves),
  residualPercent: Type.Optional(
    percent(0, 'It is drained when no more than this share of the requests to the services is seen to go there. Default: 1.'),
  ),
  ackQuorumPercent: Type.Optional(
    percent(1, 'A step is in force when this share of the proxies that it concerns has acknowledged it. Default: 99.'),
  ),
  ackTimeout: duration('After this time without the quorum the drain says that it is stalled; it stays where it is. Default: 60s.'),
  connectionDrain: Type.Optional(ConnectionDrain),
  overrideSafetyRules: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 253 }), {
      uniqueItems: true,
      maxItems: 20,
      description:
        'Names of rules that do not hold for this drain, which the audit shows: SafetyRules, and headroom (capacity that is short or unknown) and observation (traffic that is not measured).',
    }),
  ),
  restore: Type.Optional(Restore),
} satisfies TProperties;

const Course = Type.Object(DRAIN_COURSE);
export type DrainCourse = Static<typeof Course>;

/** A step as it is taken; `holdMs` in milliseconds. */
export interface CourseStep {
  readonly percent: number;
  readonly holdMs: number;
}

/** A step of the way there, which is of one stage. */
export interface StageStep extends CourseStep {
  /** Index into the stages. */
  readonly stage: number;
}

/** A course with everything that was left out. Durations in milliseconds. */
export interface ResolvedCourse {
  readonly urgency: 'graceful' | 'emergency';
  readonly expiresInMs: number;
  readonly onExpire: 'restoreIfReady' | 'hold';
  /** Services that leave one after another; one of all, where there are no waves. */
  readonly stages: readonly [DrainStage, ...DrainStage[]];
  /** Ascending percentages that go elsewhere, stage by stage. */
  readonly steps: readonly [StageStep, ...StageStep[]];
  /** Ascending percentages that have come back. */
  readonly restoreSteps: readonly CourseStep[];
  readonly requireReadiness: boolean;
  /** Others that must approve before anything comes back. */
  readonly restoreApprovals: number;
  readonly residualPercent: number;
  readonly ackQuorumPercent: number;
  readonly ackTimeoutMs: number;
  readonly connectionTimeoutMs: number;
  readonly overrides: readonly string[];
}

/** Longest time that a drain lasts without a renewal, milliseconds. */
export const LONGEST_DRAIN_MS = 72 * 3_600_000;
const HOLD_MS = 60_000;
const DEFAULT_STEPS = [10, 25, 50, 100];
const DEFAULT_RESTORE = [10, 50, 100];

/** What a course amounts to. */
export function resolvedCourse(course: Partial<DrainCourse>): ResolvedCourse {
  const { urgency = 'graceful', onExpire = 'restoreIfReady', restore, overrideSafetyRules: overrides = [] } = course;
  const stages = stagesOf(course.waves);
  const given = (course.steps ?? DEFAULT_STEPS.map((one) => ({ percent: one }))).map(stepOf);
  const all = stages.flatMap((_, stage) => given.map((step): StageStep => ({ ...step, stage })));
  const [first, ...more] = all;
  const isAtOnce = urgency === 'emergency' || first === undefined;
  const steps: ResolvedCourse['steps'] = isAtOnce ? [{ percent: 100, holdMs: 0, stage: 0 }] : [first, ...more];
  return {
    ...{ urgency, onExpire, stages, steps, overrides },
    expiresInMs: milliseconds(course.expiresIn, 4 * 3_600_000),
    restoreSteps: (restore?.steps ?? DEFAULT_RESTORE.map((one) => ({ percent: one }))).map(stepOf),
    requireReadiness: restore?.requireReadiness ?? true,
    restoreApprovals: restore?.approval ?? 0,
    residualPercent: course.residualPercent ?? 1,
    ackQuorumPercent: course.ackQuorumPercent ?? 99,
    ackTimeoutMs: milliseconds(course.ackTimeout, 60_000),
    connectionTimeoutMs: milliseconds(course.connectionDrain?.timeout, 60_000),
  };
}

/** Rules of a course that its schema cannot say. */
export function courseProblems(course: Partial<DrainCourse>): readonly SchemaProblem[] {
  const { urgency, steps, waves, restore, expiresIn } = course;
  const life = milliseconds(expiresIn, 1);
  return [
    ...(life > 0 && life <= LONGEST_DRAIN_MS
      ? []
      : [invalid(['expiresIn'], `is ${expiresIn}; it must be more than nothing and at most 72h: a drain is renewed, and never for ever`)]),
    ...(urgency === 'emergency' && steps !== undefined ? [invalid(['steps'], 'are for graceful drains: an emergency is one step')] : []),
    ...(urgency === 'emergency' && waves !== undefined ? [invalid(['waves'], 'are for graceful drains: an emergency is one step')] : []),
    ...waveProblems(waves),
    ...risingProblems(['steps'], steps),
    ...risingProblems(['restore', 'steps'], restore?.steps),
    ...lastProblems(restore?.steps),
  ];
}

function risingProblems(at: readonly string[], steps: readonly { readonly percent: number }[] = []): SchemaProblem[] {
  return steps.flatMap(({ percent: share }, index) => {
    const before = steps[index - 1]?.percent ?? 0;
    return share > before
      ? []
      : [invalid([...at, index, 'percent'], `is ${share}, after ${before}: each step is more than the one before`)];
  });
}

function lastProblems(steps: readonly { readonly percent: number }[] | undefined): SchemaProblem[] {
  const last = steps?.at(-1)?.percent ?? 100;
  return last === 100 ? [] : [invalid(['restore', 'steps'], `end at ${last}: the last step is 100, when all has come back`)];
}

function stepOf({ percent: share, hold }: { readonly percent: number; readonly hold?: string | undefined }): CourseStep {
  return { percent: share, holdMs: milliseconds(hold, HOLD_MS) };
}

function milliseconds(text: string | undefined, otherwise: number): number {
  return text === undefined ? otherwise : (parseDuration(text) ?? otherwise);
}
