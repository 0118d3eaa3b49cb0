/** DrillRun as an operation (decisions 27 and 31): its course as steps, its form for agents, and what is left of it. */
import { digestOf } from '@hawser/model/drill-report.ts';
import type { DrillRunSpec } from '@hawser/model/drill-run.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { SaveReport } from '../drill-report/report-store.ts';
import type { FleetContext } from '../fleet/fleet-context.ts';
import type { OperationKind, UnderWay } from '../operations/operation-kind.ts';
import type { TracedTraffic } from '../traffic/traffic-trace.ts';
import { commanded, DRILL_COMMANDS, type DrillCommand } from './drill-commands.ts';
import { DrillGuardrails, type StartDrillChecks } from './drill-guardrails.ts';
import { type DrillPlanParts, drillPlanOf } from './drill-plan.ts';
import { databaseVersion } from './drill-run-store.ts';
import { advance, type DrillState, isOver, started } from './drill-state.ts';
import { drillOf, JudgedRun, planOfRun, recordOf } from './judged-run.ts';
import type { LeaseRenewal } from './lease-renewal.ts';
import { carriedOut, findFollowed } from './run-effects.ts';
import { formOf } from './run-form.ts';
import { isInForce } from './run-progress.ts';
import { RunRecord } from './run-record.ts';
import { reportOf, timingsOf } from './run-report.ts';
import { measured, statusOf } from './run-status.ts';

/** What runs are made with. */
export interface DrillRunParts {
  readonly context: FleetContext;
  /** Undefined while traffic is not measured. */
  readonly traffic: () => TracedTraffic | undefined;
  readonly startChecks: StartDrillChecks;
  /** Signs and stores the evidence of a run; answers with the digest of the report. */
  readonly saveReport?: SaveReport | undefined;
  /** Tells agents that runs are attended to. */
  readonly leases?: Pick<LeaseRenewal, 'attend'> | undefined;
}

/** The kind. */
export function drillRunKind({ context, traffic, startChecks, saveReport, leases }: DrillRunParts): OperationKind<DrillState, JudgedRun> {
  const guardrails = new DrillGuardrails(startChecks);
  const record = new RunRecord(traffic);
  let underWay: readonly UnderWay<DrillState>[] = [];
  const parts = { traffic, guardrails, record, busy: (uid: string) => busyRun(underWay, uid) };
  return {
    kind: 'DrillRun',
    commands: DRILL_COMMANDS,
    keepsResource: ({ phase }, { metadata: { name } }) => `it is ${phase}: hawser drill abort ${name} first`,
    read: (tx, state) => findFollowed(tx, state),
    carriedOut: (tx, change) => carriedOut(tx, change, context),
    evidence: (context, run, state) => new JudgedRun(context, run, { state, parts }),
    start: (run, evidence, { actor }) => started(planOfRun(run), evidence, actor),
    advance: (state, run, evidence) => advance(state, planOfRun(run), evidence),
    command: (state, command, by, evidence) => commanded(state, command as DrillCommand, { by, plan: planOfRun(by.resource), evidence }),
    inForce: (run, state) => formOf(run.metadata.name, (run.spec as DrillRunSpec).plan, state),
    statusOf: (state, run, evidence) => ({
      ...statusOf(state, planOfRun(run), evidence),
      specHash: digestOf((run.spec as DrillRunSpec).plan),
    }),
    isEnded: isOver,
    ending: async (tx, state, { evidence }) => {
      const account = evidence.account(state);
      const { recovery } = account;
      const results = { ...(recovery === undefined ? {} : measured(state, account.plan, recovery)), timings: timingsOf(account) };
      const servers = [...(account.versions.servers ?? []), { name: 'PostgreSQL', version: await databaseVersion(tx) }];
      const reportDigest = await saveReport?.(tx, reportOf({ ...account, versions: { ...account.versions, servers } }));
      const { record: _record, checked: _checked, ...over } = state;
      return { ...over, results: { ...results, ...(reportDigest === undefined ? {} : { reportDigest }) } };
    },
    kept: ({ metadata: { uid = '' } }) => keptOf(record.kept(uid), guardrails.kept(uid)),
    attend: (now) => {
      underWay = now;
      leases?.attend(now.map(({ resource }) => resource));
      guardrails.attend(now, ({ resource, state }) => servicesOf(resource, state, { context, traffic }));
      record.attend(now.flatMap(({ resource, state }) => recordOf(resource, state) ?? []));
    },
  };
}

function keptOf(seconds: DrillState['record'], checks: DrillState['checked']): Partial<DrillState> {
  return { ...(seconds === undefined ? {} : { record: seconds }), ...(checks === undefined ? {} : { checked: checks }) };
}

/** One run at a time: of two that would begin, the one that was asked for first. */
function busyRun(underWay: readonly UnderWay<DrillState>[], uid: string): string | undefined {
  const own = underWay.findIndex(({ resource }) => resource.metadata.uid === uid);
  const other = underWay.find(
    ({ resource, state }, index) => resource.metadata.uid !== uid && (isInForce(state) || (state.phase === 'Preflight' && index < own)),
  );
  return other?.resource.metadata.name;
}

/** Whom its checks are about: as it was resolved, and before that as it is now. */
function servicesOf(run: Resource, { services }: DrillState, parts: DrillPlanParts): readonly string[] {
  if (services.length > 0 || parts.context.distribution.desired === undefined) return services;
  return drillPlanOf(drillOf(run), parts).selection.services;
}
