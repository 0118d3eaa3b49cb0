/** A region is lost on purpose, by a drill under traffic; what its signed report says is compared with what the client saw. */
import type { DrillEvidence } from '@hawser/model/drill-evidence.ts';
import type { Resource } from '@hawser/model/resource.ts';
import type { DrillRunStatusFields } from '@hawser/wire/drill-views.ts';
import { mustRun } from '../cli.ts';
import { compareWithLog } from '../drill-log.ts';
import { saveReport } from '../drill-report.ts';
import { countFailed, failed, type LoadEntry } from '../load-log.ts';
import { startLoad } from '../load-run.ts';
import { adminToken, type RunningDemo } from '../start.ts';
import { NAMESPACE } from '../topology.ts';
import { get, waitFor } from '../wait.ts';
import type { Step, StepContext } from './step.ts';
import { endLoad, goOn } from './under-load.ts';

const LOST = 'us-east';
/** Called through one sidecar in the region, by this step and by the demo's own client: its log sees what the drill counts. */
const SERVICE = 'productpage';
const NAME = `lose-${LOST}`;
/** Requests a second: those of the other regions' pages come on top. */
const RATE = 100;
/** Traffic before it, which its plan and its report compare with. */
const BEFORE_MS = 6_000;
const AFTER_MS = 1_000;
/** Generous: machines that are short of processors get ready late, and run to the same end. */
const READY_MS = 90_000;
const RUN_MS = 180_000;

const DRILL = {
  apiVersion: 'hawser.dev/v1alpha1',
  kind: 'Drill',
  metadata: { name: NAME },
  spec: {
    scenario: { type: 'regionLoss', from: { region: LOST }, fault: 'refuse' },
    mode: 'live',
    objectives: { rto: '5s', maxErrorRatePercent: 0.1 },
    guardrails: [
      { name: 'errors', source: { hub: { metric: 'errorRatio' } }, condition: 'result < 0.05', window: '5s', initialDelay: '0s' },
    ],
    // Nearly all of the demo's requests are those of this step.
    blastRadius: { services: { names: [`${NAMESPACE}/${SERVICE}`] }, maxTrafficPercent: 100 },
    // Nobody else is there to be asked.
    approvals: { required: 0 },
    plan: { hold: '12s', maxDuration: '3m' },
  },
};

/** The step. */
export const regionDrill: Step = {
  name: 'drill',
  title: `A drill: ${SERVICE} of ${LOST} refuses every connection, on purpose, and the proof of what came of it`,
  keys: ['drill_failed', 'drill_rto_s', 'drill_count_error', 'drill_rto_error_s'],
  run: async (context) => {
    const { cli, fleet, say } = context.demo;
    await mustRun(cli, ['apply', '-f', '-'], JSON.stringify(DRILL));
    const load = startLoad(fleet, { name: 'drill', from: LOST, service: SERVICE, path: '/ping', rate: RATE, postEvery: 0 });
    let status: DrillRunStatusFields;
    let run: string;
    let entries: LoadEntry[];
    try {
      await goOn(context, BEFORE_MS, `${RATE} requests/s from ${LOST} to ${SERVICE}`);
      await becomesReady(context.demo);
      run = await begin(context.demo);
      status = await followed(context.demo, run);
      await goOn(context, AFTER_MS, 'traffic goes on');
    } finally {
      entries = await endLoad(context, load);
    }
    const { evidence, page } = await saveReport(context.demo, run);
    note(context, evidence, entries);
    say.done(`its report, as one page: ${page}`);
    if (status.outcome !== 'Passed') throw new Error(`the drill came to ${status.outcome}: ${status.message}; see ${page}`);
  },
};

/** What it would do, and that everything it needs is there. */
async function becomesReady({ cli, say }: RunningDemo): Promise<void> {
  let missing = '';
  const ask = async (): Promise<true | undefined> => {
    const { code, stdout } = await cli(['drill', 'readiness', NAME]);
    missing = stdout.trim();
    return code === 0 ? true : undefined;
  };
  await waitFor(`the drill ${NAME} is not ready`, ask, { timeoutMs: READY_MS, everyMs: 500 }).catch((error: Error) => {
    throw new Error(`${error.message}\n${missing}`);
  });
  const plan = await mustRun(cli, ['drill', 'plan', NAME]);
  say.plain(plan.replace(/^/gm, '         ').trimEnd());
}

/** Begins a run, when a demo before this one left none; its name. */
async function begin({ cli, say }: RunningDemo): Promise<string> {
  const { items } = JSON.parse(await mustRun(cli, ['drill', 'status', '-o', 'json'])) as { readonly items: readonly Resource[] };
  for (const { metadata } of items)
    await mustRun(cli, ['drill', 'abort', metadata.name, '--reason', 'its demo is gone', '--timeout', '1m']);
  const asked = await mustRun(cli, ['drill', 'run', NAME, '--reason', 'the demo', '--yes', '--no-wait', '-o', 'json']);
  const { name } = (JSON.parse(asked) as Resource).metadata;
  say.done(`run ${name} was asked for`);
  return name;
}

/** Says each event of a run when it comes; resolves when everything is as before. */
async function followed({ options, say }: RunningDemo, run: string): Promise<DrillRunStatusFields> {
  const url = `http://127.0.0.1:${options.hubPort}/apis/hawser.dev/v1alpha1/drillruns/${run}`;
  const token = adminToken(options.stateDir);
  let told = 0;
  const look = async (): Promise<DrillRunStatusFields | undefined> => {
    const { status } = JSON.parse((await get(url, { token })).body) as Resource<unknown, DrillRunStatusFields>;
    if (status === undefined) return undefined;
    for (const { event, detail } of status.timeline.slice(told)) say.done(detail === '' ? event : `${event}: ${detail}`);
    told = status.timeline.length;
    const seen = status.requests === undefined ? '' : `: ${status.requestsFailed} of ${status.requests} requests failed`;
    say.progress(`${status.phase}${seen}`);
    return status.phase === 'Done' ? status : undefined;
  };
  return waitFor(`run ${run} does not end`, look, { timeoutMs: RUN_MS, everyMs: 250 });
}

function note({ book, demo: { say } }: StepContext, evidence: DrillEvidence, entries: readonly LoadEntry[]): void {
  const gets = countFailed(entries, 'GET');
  const compared = compareWithLog(evidence, entries, LOST);
  const { rtoMs, logRtoMs, rtoErrorMs, failed: reported, logFailed } = compared;
  book.note('drill_failed', { value: gets.failed, unit: 'requests', samples: gets.total }, entries);
  book.note('drill_rto_s', { value: rtoMs / 1_000, unit: 's', samples: 1 }, [evidence.timings]);
  book.note('drill_count_error', { value: Math.abs(reported - logFailed), unit: 'requests', samples: gets.total }, [compared]);
  book.note('drill_rto_error_s', { value: rtoErrorMs / 1_000, unit: 's', samples: 1 }, [compared]);
  say.done(
    `recovery took ${rtoMs} ms by its report, ${Math.round(logRtoMs)} ms by the client's log; ${reported} requests failed, ${gets.failed} of ${gets.total} by that log`,
  );
  for (const entry of entries.filter(failed).slice(0, 5)) say.warn(`failed: ${JSON.stringify(entry)}`);
}
