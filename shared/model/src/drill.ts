/** Drill: the plan of a failover drill. What is made to fail, for whom, when, within which limits, and what must come out of it. */
import Type, { type Static } from 'typebox';
import { CheckSpec, PrometheusSource } from './check.ts';
import { DrillShift } from './drill-shift.ts';
import { WEEK_WINDOW } from './freeze-window.ts';
import { DnsLabel } from './kind-specs.ts';
import { MoveTargets } from './move-target.ts';
import { oneOf } from './one-of.ts';
import { DURATION_PATTERN, LABEL_PATTERN, SERVICE_KEY_PATTERN } from './patterns.ts';

const strict = { additionalProperties: false } as const;
const list = { minItems: 1, uniqueItems: true } as const;
const duration = (description: string) => Type.Optional(Type.String({ pattern: DURATION_PATTERN, description }));
const percent = (minimum: number, description: string) => Type.Number({ minimum, maximum: 100, description });
const windows = (description: string) =>
  Type.Optional(Type.Array(Type.String({ pattern: WEEK_WINDOW }), { ...list, maxItems: 50, description }));

/** Something is made to fail where it serves. */
export const LOSSES = ['regionLoss', 'clusterLoss', 'zoneLoss', 'serviceLoss'] as const;
/** Clusters lose what steers them. */
export const PARTITIONS = ['hubLoss', 'busPartition'] as const;
/** What has a course of its own, which a run begins and follows. */
export const FOLLOWED = ['trafficShift', 'trustRotation'] as const;
/** Everything that a drill may do. */
export const SCENARIOS = [...LOSSES, 'drain', ...PARTITIONS, ...FOLLOWED] as const;
export type ScenarioType = (typeof SCENARIOS)[number];
/** How what is lost answers. */
export const FAULTS = ['refuse', 'drop', 'delay', 'error'] as const;
export type DrillFault = (typeof FAULTS)[number];

const From = Type.Object(
  {
    region: Type.Optional(Type.String({ pattern: LABEL_PATTERN, description: 'All clusters of a region.' })),
    cluster: Type.Optional(Type.String({ pattern: LABEL_PATTERN, description: 'One cluster.' })),
    zone: Type.Optional(
      Type.String({
        pattern: '^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/[^/\\s]{1,63}$',
        description: 'All clusters of a zone, as REGION/ZONE.',
      }),
    ),
  },
  {
    ...strict,
    description:
      'What is lost, drained or cut off: exactly one of region, cluster and zone. Of hubLoss and busPartition, default: all clusters. Not of trafficShift and trustRotation.',
  },
);

const Scenario = Type.Object(
  {
    type: oneOf(
      SCENARIOS,
      'regionLoss, clusterLoss, zoneLoss and serviceLoss: the Envoys of the services there fail as fault says; drain: the traffic is taken elsewhere in steps; hubLoss and busPartition: the agents refuse what hubs say, or the bus; trafficShift: the requests are divided anew in steps, and back; trustRotation: the authority of a cluster is replaced, for good.',
    ),
    from: Type.Optional(From),
    to: Type.Optional(MoveTargets),
    fault: Type.Optional(
      oneOf(
        FAULTS,
        'Of a loss. refuse: connections are closed at once; drop: they are accepted and never answered; delay: answers are late; error: requests are answered with a status. Default: refuse.',
      ),
    ),
    delay: duration('By how much answers are late. Default: 2s.'),
    status: Type.Optional(Type.Integer({ minimum: 500, maximum: 599, description: 'Status of the answers of fault error. Default: 503.' })),
    percent: Type.Optional(percent(1, 'Percentage of the requests that are late or in error. Default: 100.')),
    shift: Type.Optional(DrillShift),
    cluster: Type.Optional(
      Type.String({ pattern: LABEL_PATTERN, description: 'Of trustRotation: the cluster whose authority is replaced.' }),
    ),
    authority: Type.Optional(
      oneOf(['root', 'intermediate'], 'Of trustRotation: what is replaced, the root or what signs below it. Default: root.'),
    ),
  },
  { ...strict, description: 'What happens.' },
);

const Selection = (description: string) =>
  Type.Object(
    {
      namespaces: Type.Optional(Type.Array(DnsLabel, { ...list, description: 'All services of these namespaces.' })),
      names: Type.Optional(
        Type.Array(Type.String({ pattern: SERVICE_KEY_PATTERN }), { ...list, description: 'Services by NAMESPACE/NAME.' }),
      ),
    },
    { ...strict, description },
  );

const BlastRadius = Type.Object(
  {
    services: Selection('Services that the drill is for. A selection that selects nothing is refused.'),
    exclude: Type.Optional(Selection('Services that it spares all the same.')),
    maxTrafficPercent: Type.Optional(
      percent(1, 'It does not begin when more than this share of all requests that are measured goes to what it makes fail. Default: 50.'),
    ),
    minRemainingRegions: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100, description: 'Regions that serve each of its services all the same. Default: 1.' }),
    ),
  },
  { ...strict, description: 'Whom it may hurt.' },
);

const Schedule = Type.Object(
  {
    cron: Type.String({ minLength: 1, maxLength: 100, description: 'Five fields, as cron has them: when it begins.' }),
    timeZone: Type.Optional(Type.String({ minLength: 1, maxLength: 64, description: 'Such as Europe/Berlin. Default: UTC.' })),
    startingDeadline: duration(
      'A time that was missed by more than this is skipped, and so is a run that could not begin until then. Default: 10m.',
    ),
  },
  { ...strict, description: 'When it begins by itself. Default: never.' },
);

const Windows = Type.Object(
  {
    allowed: windows('Times of the week outside of which it does not begin, such as Tue:09:00-Thu:16:00.'),
    blocked: windows('Times of the week in which it does not begin; they win over allowed.'),
    blockedDates: Type.Optional(
      Type.Array(Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' }), {
        ...list,
        maxItems: 100,
        description: 'Days on which it does not begin, as YYYY-MM-DD.',
      }),
    ),
    timeZone: Type.Optional(
      Type.String({ minLength: 1, maxLength: 64, description: 'Time zone of the clocks that are meant. Default: UTC.' }),
    ),
  },
  { ...strict, description: 'When it may begin, whoever asks for it. Default: always. Freezes hold as well.' },
);

const Objectives = Type.Object(
  {
    rto: Type.String({ pattern: DURATION_PATTERN, description: 'Longest time from the first failure to the last: recovery time.' }),
    propagation: duration('Longest time from the decision until 99 % of the proxies have it. Default: 30s.'),
    rpoQuery: Type.Optional(
      Type.Object(PrometheusSource.properties, {
        ...strict,
        description:
          'A query for the seconds of data that a loss would cost, such as a replication lag: read from when something is in force until all is as it was. It is recorded, and no run fails by it.',
      }),
    ),
    maxErrorRatePercent: Type.Optional(percent(0, 'Most failed requests over the run, in percent of those to its services. Default: 0.1.')),
  },
  { ...strict, description: 'What must come out of it, or the run has failed.' },
);

const Approvals = Type.Object(
  {
    required: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 10, description: 'How many people with the role approver consent to each run. Default: 1.' }),
    ),
    groups: Type.Optional(
      Type.Array(DnsLabel, {
        ...list,
        maxItems: 20,
        description: 'Whose consent counts: approvers whose token is of one of these groups. Default: every approver.',
      }),
    ),
    expiresAfter: duration('A run that has not its approvals by then is skipped. Default: 4h.'),
    allowSelf: Type.Optional(Type.Boolean({ description: 'Whether who asked for a run may consent to it. Default: false.' })),
  },
  { ...strict, description: 'Who consents to a run that is live.' },
);

const Step = Type.Object(
  {
    percent: percent(1, 'Percentage of what would go there that goes elsewhere in this step; on the way back, that has come back.'),
    hold: duration('How long it stays, counted from when the proxies have it, before the next. Default: 30s.'),
  },
  strict,
);
const steps = (description: string) => Type.Optional(Type.Array(Step, { minItems: 1, maxItems: 20, description }));

const Plan = Type.Object(
  {
    steps: steps('How the traffic goes elsewhere; the last is 100. Of drain alone. Default: 10, 50, 100.'),
    hold: duration(
      'How long everything is as it is to be in the end, before it is restored. Default: 10m; of trustRotation 1m; of hubLoss and busPartition 1m, and at most 5m; of restore.mode manual nothing.',
    ),
    maxDuration: duration('After this time it is aborted, wherever it is; at most 24h. Default: 60m.'),
    restoreSteps: steps('How the traffic comes back; the last is 100. Of drain alone. Default: 50, 100.'),
  },
  { ...strict, description: 'How it goes.' },
);

const Readiness = Type.Object(
  {
    minHeadroomPercent: Type.Optional(percent(0, 'Capacity that stays free where the traffic goes. Default: 20.')),
    minHealthyEndpointsPercent: Type.Optional(percent(0, 'Endpoints that are healthy where the traffic goes. Default: 80.')),
    maxAgentLag: duration('Longest time since a cluster was heard of. Default: 30s.'),
    minSyncedProxiesPercent: Type.Optional(percent(0, 'Proxies that have everything they are to have. Default: 99.')),
  },
  { ...strict, description: 'What must be so before it begins.' },
);

const Restore = Type.Object(
  {
    mode: Type.Optional(
      oneOf(
        ['auto', 'manual'],
        'When everything goes back. auto: when plan.hold is over; manual: when somebody says so after that (hawser drill restore), or plan.maxDuration is over, by which the run is aborted. Default: auto.',
      ),
    ),
    requireReadiness: Type.Optional(
      Type.Boolean({
        description:
          'Of drain alone: whether each step of the way back waits until the clusters that get traffic again speak, are healthy and have the capacity. Default: true.',
      }),
    ),
  },
  { ...strict, description: 'How it is restored when all goes well. What is aborted goes back at once and asks nobody.' },
);

const checks = (description: string) => Type.Optional(Type.Array(CheckSpec, { minItems: 1, description }));

/** A Drill. Only `hawser drill run`, or its schedule, makes something of it. */
export const DrillSpec = Type.Object(
  {
    scenario: Scenario,
    mode: Type.Optional(oneOf(['dryRun', 'live'], 'dryRun: a run looks at everything and changes nothing. Default: dryRun.')),
    suspend: Type.Optional(Type.Boolean({ description: 'Whether the schedule makes no runs. Default: false.' })),
    schedule: Type.Optional(Schedule),
    windows: Type.Optional(Windows),
    freezeRefs: Type.Optional(
      Type.Array(Type.String({ pattern: LABEL_PATTERN }), {
        ...list,
        maxItems: 20,
        description: 'Freezes that hold for it whatever their scope is, by name; those that it is in the scope of hold all the same.',
      }),
    ),
    objectives: Objectives,
    steadyState: checks('What is so when all is well: before, while it holds, and after. Where it is not so before, nothing begins.'),
    guardrails: checks('What ends it at once, in every phase, when it fails. A live drill has one at least.'),
    blockers: checks('What keeps it from beginning while it is not so, such as that no alert is open: looked at before it alone.'),
    readiness: Type.Optional(Readiness),
    blastRadius: BlastRadius,
    approvals: Type.Optional(Approvals),
    plan: Type.Optional(Plan),
    restore: Type.Optional(Restore),
    overdueAfter: duration('Without a run that passed for so long it is overdue. Default: 2160h.'),
    report: Type.Optional(
      Type.Object(
        { retention: duration('How long reports of runs are kept. Default: 9600h.') },
        { ...strict, description: 'What becomes of the evidence.' },
      ),
    ),
  },
  { ...strict, description: 'A failover drill: what is made to fail, for whom, when, and what must come out of it.' },
);
export type DrillSpec = Static<typeof DrillSpec>;
/** Exactly one of the three is there. */
export type DrillScope = NonNullable<DrillSpec['scenario']['from']>;
