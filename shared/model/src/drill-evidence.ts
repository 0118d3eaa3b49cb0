/**
 * What a run of a drill leaves behind: one document, signed when the run ends and never changed after. Instants are RFC 3339 in UTC with
 * milliseconds, durations whole milliseconds (`…Ms`), shares percentages from 0 to 100. `null` is "not known" or "not reached", and never zero.
 */
import Type, { type Static } from 'typebox';
import { oneOf } from './one-of.ts';
import { LABEL_PATTERN, SERVICE_KEY_PATTERN } from './patterns.ts';

/** Version of the document's shape. A reader refuses what it does not know. */
export const EVIDENCE_VERSION = 1;

/** How a run ended. `Inconclusive`: nothing went wrong, and what was to be shown was not seen. */
export const DRILL_OUTCOMES = ['Passed', 'Failed', 'Aborted', 'Inconclusive', 'Interrupted', 'Skipped', 'CapacityCheckFailed'] as const;
export type DrillOutcome = (typeof DRILL_OUTCOMES)[number];

const strict = { additionalProperties: false } as const;
/** Characters of any text in a document: what people and parts wrote is cut before. */
const LONGEST_TEXT = 4096;

const text = (description: string) => Type.String({ maxLength: LONGEST_TEXT, description });
const label = (description: string) => Type.String({ pattern: LABEL_PATTERN, description });
const at = (description: string) =>
  Type.String({ pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,3})?Z$', description: `${description} RFC 3339, UTC.` });
const count = (description: string) => Type.Integer({ minimum: 0, description });
const ms = (description: string) =>
  Type.Union([Type.Number({ minimum: 0 }), Type.Null()], { description: `${description} Milliseconds; null: not known or not reached.` });
const percent = (description: string) =>
  Type.Union([Type.Number({ minimum: 0, maximum: 100 }), Type.Null()], { description: `${description} 0 to 100; null: not known.` });
const service = (description: string) => Type.String({ pattern: SERVICE_KEY_PATTERN, description });

const Scenario = Type.Object(
  {
    type: text(
      'What was drilled: regionLoss, clusterLoss, zoneLoss, serviceLoss, drain, trafficShift, hubLoss, busPartition, trustRotation.',
    ),
    from: text(
      'Place that was lost or left, in words: `region us-east`, `cluster a`, `zone us-east/1`; of a shift from what to what: `v1 to v2`.',
    ),
    fault: Type.Union([text('What was done there, in words: `refuse`, `drop`, `delay 2s for 100 %`, `error 503`.'), Type.Null()], {
      description: 'null: nothing was injected.',
    }),
    services: Type.Array(service('Service in the blast radius, as it was resolved.')),
  },
  strict,
);

const Cluster = Type.Object(
  {
    name: label('Cluster.'),
    region: Type.String({ description: 'Its region.' }),
    zone: Type.String({ description: "Its zone; '' when it has none." }),
    inScope: Type.Boolean({ description: 'Whether the drill hit it.' }),
  },
  strict,
);

const Objective = Type.Object(
  {
    name: text('What was to be met: `rto`, `propagation`, `errorRate`.'),
    unit: oneOf(['ms', '%'], 'Of both numbers.'),
    target: Type.Number({ minimum: 0, description: 'At most this.' }),
    actual: Type.Union([Type.Number({ minimum: 0 }), Type.Null()], { description: 'What was measured; null: it could not be.' }),
    met: Type.Union([Type.Boolean(), Type.Null()], { description: 'null: not known, which is no success.' }),
  },
  strict,
);

const Phase = Type.Object(
  {
    phase: text('Name of the phase; of what has a course of its own, with the part of it: `Rotating: Preparing`.'),
    from: at('Begin.'),
    to: at('End.'),
  },
  strict,
);

const Timings = Type.Object(
  {
    decideMs: ms('From the request to the moment when nobody had to be asked any more.'),
    propagateP50Ms: ms('From the publication of the form to its acknowledgement by half of the proxies.'),
    propagateP99Ms: ms('The same for 99 of 100 proxies.'),
    injectMs: ms('From the publication to the first target proxy at which the fault was in force.'),
    detectMs: ms('From then to the first moment when callers sent less there.'),
    recoverMs: ms('From then on to the moment when the objective was met again and stayed so.'),
    restoreMs: ms('From the order to go back until all was as before.'),
    rtoMs: ms('Recovery time: from the fault in force at the first target proxy to the moment from which callers are served again.'),
    rtoResolutionMs: ms('How far off the recovery time may be, either way.'),
  },
  strict,
);

const ServiceResult = Type.Object(
  {
    service: service('Service that was called.'),
    sourceCluster: label('Cluster of the callers.'),
    requests: count('Client requests that ended during the run.'),
    failed: count('Those of them that failed as the client saw it.'),
    longestGapMs: ms('Longest time in which no request of theirs succeeded while some ended.'),
    gapResolutionMs: Type.Optional(ms('How far off the longest gap may be, either way.')),
    unknownSeconds: count('Seconds of the run of which nobody knows what was in them.'),
  },
  strict,
);

const perStep = (description: string) =>
  Type.Array(Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]), {
    description: `${description} One number a step; null: not known.`,
  });

const Series = Type.Object(
  {
    service: service('Service that was called.'),
    source: label('Cluster of the callers.'),
    destination: Type.String({ description: "Cluster of the last attempt; '' where no endpoint was found." }),
    requests: perStep('Client requests that ended.'),
    failed: perStep('Those of them that failed.'),
  },
  strict,
);

const Traffic = Type.Object(
  {
    from: at('Begin of the first step.'),
    stepMs: Type.Integer({ minimum: 1, description: 'Length of a step in milliseconds: 1000, or more for long runs.' }),
    series: Type.Array(Series),
  },
  strict,
);

const Weight = Type.Object(
  {
    at: at('When.'),
    cluster: label('Destination: a cluster, or of a trafficShift one of its destinations by the name that it has there.'),
    desired: percent('Part of the requests that was to go there.'),
    acked: percent('The same by what proxies had acknowledged.'),
    observed: percent('Part of the requests that was seen to go there.'),
  },
  strict,
);

const CheckRecord = Type.Object(
  {
    name: text('Name of the check.'),
    when: Type.Array(oneOf(['before', 'during', 'after'], 'When it was looked at.')),
    role: oneOf(['steadyState', 'guardrail', 'blocker', 'objective'], 'What it was for; objective: it was recorded, and judged by nobody.'),
    condition: text("Its condition; '' when it has none."),
    action: oneOf(['abort', 'pause', 'record'], 'What it does when it fails.'),
    verdict: oneOf(['pending', 'passed', 'failed', 'inconclusive', 'error'], 'The last one.'),
    message: text("Why; '' while it is good."),
    taken: Type.Optional(Type.Integer({ minimum: 0, description: 'Samples that it was judged by, those that are not kept included.' })),
    failures: Type.Optional(Type.Integer({ minimum: 0, description: 'Those of them that counted as failed.' })),
    samples: Type.Array(
      Type.Object(
        {
          at: at('When.'),
          outcome: oneOf(['passed', 'failed', 'noData', 'error'], 'What the condition said of it.'),
          value: Type.Union([Type.Number(), Type.Null()], { description: 'null: there was none.' }),
          message: Type.Optional(text('Why it did not pass.')),
        },
        strict,
      ),
    ),
  },
  strict,
);

const Approval = Type.Object(
  {
    by: text('Who.'),
    at: at('When.'),
    verdict: oneOf(['approved', 'denied'], 'What was said.'),
    comment: text("Why; '' when nothing was said."),
  },
  strict,
);
const Override = Type.Object({ rule: text('Rule that was set aside.'), by: text('Who.'), at: at('When.') }, strict);
const Note = Type.Object({ by: text('Who.'), at: at('When.'), text: text('What.') }, strict);
const Event = Type.Object(
  { at: at('When.'), event: text('What happened, in a word.'), detail: text("More of it; '' when there is none.") },
  strict,
);

const Versions = Type.Object(
  {
    hub: text('Of the hub that ended the run.'),
    agents: Type.Array(Type.Object({ cluster: label('Cluster.'), version: text('Of its agent.') }, strict)),
    servers: Type.Optional(
      Type.Array(Type.Object({ name: text('NATS or PostgreSQL.'), version: text('Of the server that the hub spoke to.') }, strict)),
    ),
    envoys: Type.Array(Type.Object({ cluster: label('Cluster.'), version: text('Of Envoy.'), proxies: count('How many.') }, strict)),
  },
  strict,
);

/** The evidence of one run. */
export const DrillEvidence = Type.Object(
  {
    version: Type.Literal(EVIDENCE_VERSION),
    run: Type.String({ minLength: 1, maxLength: 253, description: 'Name of the DrillRun.' }),
    drill: Type.String({ minLength: 1, maxLength: 253, description: 'Name of the Drill.' }),
    trigger: oneOf(['manual', 'schedule'], 'What began it.'),
    by: text("Who began it; '' for the schedule."),
    reason: text("Why; '' when nothing was said."),
    mode: oneOf(['dryRun', 'live'], 'Whether anything was moved.'),
    createdAt: at('When the run was asked for.'),
    endedAt: at('When it was over.'),
    outcome: oneOf(DRILL_OUTCOMES, 'How it ended.'),
    why: text('Why it ended like that, in a sentence.'),
    scenario: Scenario,
    spec: Type.Record(Type.String(), Type.Unknown(), { description: 'Spec of the Drill when the run began.' }),
    specHash: Type.String({ pattern: '^sha256:[0-9a-f]{64}$', description: 'SHA-256 of the canonical JSON of spec.' }),
    clusters: Type.Array(Cluster, { description: 'Members of the federation when the run began.' }),
    objectives: Type.Array(Objective),
    phases: Type.Array(Phase, { description: 'In order; one begins where the one before ended.' }),
    timings: Timings,
    services: Type.Array(ServiceResult, { description: 'By service and cluster of the callers.' }),
    traffic: Traffic,
    weights: Type.Array(Weight, { description: 'In order of time.' }),
    checks: Type.Array(CheckRecord),
    approvals: Type.Array(Approval),
    overrides: Type.Array(Override),
    notes: Type.Array(Note),
    timeline: Type.Array(Event, { description: 'In order of time.' }),
    versions: Versions,
  },
  { ...strict, description: 'What a run of a drill leaves behind.' },
);
export type DrillEvidence = Immutable<Static<typeof DrillEvidence>>;

/** A value that nobody changes, all the way down. */
type Immutable<T> = T extends readonly (infer Item)[]
  ? readonly Immutable<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Immutable<T[Key]> }
    : T;
