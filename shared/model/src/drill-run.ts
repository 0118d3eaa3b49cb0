/** DrillRun: one run of a Drill. The hub makes it, by `hawser drill run` or by a schedule. */
import Type, { type Static } from 'typebox';
import { DrillSpec } from './drill.ts';
import { oneOf } from './one-of.ts';
import { LABEL_PATTERN } from './patterns.ts';

/** Where a run is. */
export const DRILL_PHASES = [
  ...(['Pending', 'AwaitingApproval', 'Preflight'] as const),
  ...(['Injecting', 'Shifting', 'Rotating', 'Holding', 'Restoring', 'Done'] as const),
] as const;
export type DrillPhase = (typeof DRILL_PHASES)[number];
/** A run; the plan is that of its Drill when it was made. */
export const DrillRunSpec = Type.Object(
  {
    drill: Type.String({ pattern: LABEL_PATTERN, description: 'The Drill.' }),
    trigger: oneOf(['manual', 'schedule'], 'What made it: a person, or its schedule.'),
    mode: oneOf(['dryRun', 'live'], 'Whether anything is made to fail.'),
    reason: Type.Optional(Type.String({ minLength: 1, maxLength: 512, description: 'Why, for whoever sees it later.' })),
    overrides: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 253 }), {
        uniqueItems: true,
        maxItems: 20,
        description: 'SafetyRules, freeze/NAME, and rules of the hub that it goes on in spite of; audited.',
      }),
    ),
    scheduledAt: Type.Optional(Type.String({ description: 'The time of the schedule that it is for, RFC 3339.' })),
    plan: DrillSpec,
  },
  { additionalProperties: false, description: 'One run of a Drill, made by the hub.' },
);
export type DrillRunSpec = Static<typeof DrillRunSpec>;
