/** PURE: the evidence of a run that is over. What was not seen is null, and never zero. */
import { checkOf } from '@hawser/model/check.ts';
import { scenarioPlace } from '@hawser/model/drill-course.ts';
import type { DrillEvidence } from '@hawser/model/drill-evidence.ts';
import { EVIDENCE_VERSION } from '@hawser/model/drill-evidence.ts';
import { digestOf } from '@hawser/model/drill-report.ts';
import type { DrillRunSpec } from '@hawser/model/drill-run.ts';
import type { RosterMember } from '@hawser/model/fleet.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { TraceRow } from '../traffic/traffic-trace.ts';
import { givenOf } from './drill-guardrails.ts';
import type { DrillState, RunPlan } from './drill-state.ts';
import type { FollowedPoint } from './followed.ts';
import { longestGap } from './longest-gap.ts';
import type { Recovery, RunCheck } from './run-evidence.ts';
import { faultText } from './run-form.ts';
import { type RunCell, type RunSecond, sum } from './run-recovery.ts';
import { begunAt, objectivesOf, rtoOf } from './run-verdict.ts';
import { weightsOf } from './run-weights.ts';

/** What there is to tell of it. */
export interface RunAccount {
  readonly run: Resource;
  readonly plan: RunPlan;
  /** With its outcome. */
  readonly state: DrillState;
  readonly recovery: Recovery | undefined;
  /** From shortly before it on. */
  readonly seconds: readonly RunSecond[];
  /** The same in finer steps, as far as they were noted. */
  readonly rows: readonly TraceRow[];
  readonly checks: readonly RunCheck[];
  readonly members: readonly RosterMember[];
  readonly versions: DrillEvidence['versions'];
  /** Of a shift, the destination that requests went to; undefined: none of its own. */
  readonly destinationOf?: (cell: RunCell) => string | undefined;
}

const STEP_MS = 1_000;

/** The document. */
export function reportOf(account: RunAccount): DrillEvidence {
  const { run, plan, state, recovery } = account;
  const { drill, trigger, mode, reason = '', overrides = [], plan: spec } = run.spec as DrillRunSpec;
  const { outcome = 'Inconclusive', message = '', startedBy, startedAt, approvals, notes, timeline } = state;
  const endedAt = state.phases.at(-1)?.at ?? startedAt;
  return {
    ...{ version: EVIDENCE_VERSION, run: run.metadata.name, drill, trigger, by: startedBy, reason, mode },
    ...{ createdAt: startedAt, endedAt, outcome, why: message },
    scenario: { type: spec.scenario.type, from: scenarioPlace(spec.scenario), fault: faultText(spec.scenario), services: state.services },
    ...{ spec, specHash: digestOf(spec) },
    clusters: account.members.map(({ name, region, zone }) => ({ name, region, zone, inScope: state.clusters.includes(name) })),
    objectives: mode === 'live' ? objectivesOf(state, plan, { recovery }) : [],
    phases: phasesOf(state),
    timings: timingsOf(account),
    services: servicesOf(account),
    traffic: trafficOf(account.seconds, startedAt),
    weights: weightsOf(account),
    checks: checksOf(account),
    ...{ approvals, notes, timeline },
    overrides: overrides.map((rule) => ({ rule, by: startedBy, at: startedAt })),
    versions: account.versions,
  };
}

function phasesOf({ phases, followed }: DrillState): DrillEvidence['phases'] {
  return phases.slice(0, -1).flatMap(({ phase, at }, index) => {
    const whole = { phase, from: at, to: phases[index + 1]?.at ?? at };
    return phase === 'Shifting' || phase === 'Rotating' ? partsOf(whole, followed?.points ?? []) : [whole];
  });
}

/** A phase by the parts of what was followed in it. */
function partsOf(whole: DrillEvidence['phases'][number], points: readonly FollowedPoint[]): DrillEvidence['phases'][number][] {
  const [from, to] = [Date.parse(whole.from), Date.parse(whole.to)];
  const starts = points.filter(({ part }, index) => part !== points[index - 1]?.part && part !== 'Pending' && part !== 'Done');
  const inside = starts.filter(({ at }) => Date.parse(at) < to);
  if (inside.length === 0) return [whole];
  // What began with it began there.
  const begins = inside.map(({ at }, index) => (index === 0 ? whole.from : new Date(Math.max(from, Date.parse(at))).toISOString()));
  return inside.map(({ part }, index) => ({
    phase: `${whole.phase}: ${part}`,
    from: begins[index] ?? whole.from,
    to: begins[index + 1] ?? whole.to,
  }));
}

/** How long its phases took. */
export function timingsOf({ state, recovery }: RunAccount): DrillEvidence['timings'] {
  const { decidedAt, publishedAt, firstAckAt, halfAckAt, ackedAt, restoringAt, restoredAt } = state.marks;
  const rtoMs = rtoOf(state, recovery);
  const begun = begunAt(state.marks, recovery);
  return {
    decideMs: between(Date.parse(state.startedAt), decidedAt),
    propagateP50Ms: between(publishedAt, halfAckAt),
    propagateP99Ms: between(publishedAt, ackedAt),
    injectMs: between(publishedAt, firstAckAt),
    detectMs: between(begun, recovery?.detectedAt),
    recoverMs: between(recovery?.detectedAt ?? begun, recovery?.recoveredAt),
    restoreMs: between(restoringAt, restoredAt),
    rtoMs,
    rtoResolutionMs: rtoMs === null ? null : (recovery?.resolutionMs ?? null),
  };
}

function between(from: number | undefined, to: number | undefined): number | null {
  return from === undefined || to === undefined ? null : Math.max(0, to - from);
}

/** By service and cluster of the callers, of what lies after the beginning. */
function servicesOf({ seconds, rows, state }: RunAccount): DrillEvidence['services'] {
  const from = state.marks.publishedAt ?? Number.POSITIVE_INFINITY;
  const during = seconds.filter(({ at }) => at + STEP_MS > from);
  const cells = during.flatMap((second) => second.cells);
  const keys = [...new Set(cells.map(({ service, source }) => `${service} ${source}`))].sort();
  return keys.map((key) => {
    const [service = '', sourceCluster = ''] = key.split(' ');
    const own = cells.filter((cell) => cell.service === service && cell.source === sourceCluster);
    return {
      ...{ service, sourceCluster, requests: sum(own, 'requests'), failed: sum(own, 'failed') },
      ...longestGap({ seconds: during, rows, from: state.marks.firstAckAt ?? from }, { service, source: sourceCluster }),
      unknownSeconds: during.filter(({ unknown }) => unknown.includes(sourceCluster)).length,
    };
  });
}

/** Long runs are told in longer steps: a document has so many of them at most. */
const MOST_STEPS = 3_600;

function trafficOf(seconds: readonly RunSecond[], startedAt: string): DrillEvidence['traffic'] {
  const first = seconds[0]?.at ?? Date.parse(startedAt);
  const span = (seconds.at(-1)?.at ?? first) - first + STEP_MS;
  const stepMs = Math.max(1, Math.ceil(span / STEP_MS / MOST_STEPS)) * STEP_MS;
  const steps = seconds.length === 0 ? 0 : Math.ceil(span / stepMs);
  const series = new Map<string, { requests: (number | null)[]; failed: (number | null)[] }>();
  const stepOf = (at: number): number => Math.floor((at - first) / stepMs);
  const known = new Array<boolean>(steps).fill(false);
  const untold = new Set<string>();
  for (const { at, cells, unknown } of seconds) {
    known[stepOf(at)] = true;
    for (const source of unknown) untold.add(`${source} ${stepOf(at)}`);
    for (const { service, source, destination, requests, failed } of cells) {
      const key = `${service} ${source} ${destination}`;
      const line = series.get(key) ?? { requests: new Array<number>(steps).fill(0), failed: new Array<number>(steps).fill(0) };
      series.set(key, line);
      line.requests[stepOf(at)] = (line.requests[stepOf(at)] ?? 0) + requests;
      line.failed[stepOf(at)] = (line.failed[stepOf(at)] ?? 0) + failed;
    }
  }
  const orNull = (values: readonly (number | null)[], source: string): (number | null)[] =>
    values.map((value, step) => (known[step] === true && !untold.has(`${source} ${step}`) ? value : null));
  return {
    ...{ from: new Date(first).toISOString(), stepMs },
    series: [...series].sort(byKey).map(([key, { requests, failed }]) => {
      const [service = '', source = '', destination = ''] = key.split(' ');
      return { service, source, destination, requests: orNull(requests, source), failed: orNull(failed, source) };
    }),
  };
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function checksOf({ run, checks }: RunAccount): DrillEvidence['checks'] {
  const specs = new Map(givenOf(run.spec as DrillRunSpec).map(({ spec }) => [spec.name, spec]));
  return checks.flatMap(({ role, when, state: { name, verdict, message, samples, taken, failures } }) => {
    const spec = specs.get(name);
    if (spec === undefined) return [];
    return [
      {
        ...{ name, when, role, verdict, message, taken, failures },
        ...{ condition: spec.condition ?? '', action: checkOf(spec).action },
        samples: samples.map((sample) => ({ ...sample, value: sample.value ?? null })),
      },
    ];
  });
}
