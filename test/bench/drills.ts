/** Regions are lost on purpose, under traffic, and what the drill says of it is compared with what clients saw. */
import { setTimeout as wait } from 'node:timers/promises';
import type { DrillEvidence } from '@hawser/model/drill-evidence.ts';
import type { FigureBook } from '../../deploy/demo/figures.ts';
import { failed, type LoadEntry } from '../../deploy/demo/load-log.ts';
import { type LoadRun, startLoad } from '../../deploy/demo/load-run.ts';
import type { Bench } from './bench.ts';
import { ENDED_BARS, measureEnds } from './drill-ends.ts';
import { beginDrill, evidenceOf, LOST, OTHER, runComesTo, withPolicies } from './drill-runs.ts';
import { type Federation, inFederation } from './federation.ts';
import { type HeldEnd, holdConnections } from './held-connections.ts';

const CALLERS = [LOST, OTHER] as const;
/** Of both callers together. */
const PER_SECOND = 200;

/** The benchmark. */
export const drills: Bench = {
  name: 'drills',
  title: `a region is lost on purpose at ${PER_SECOND} requests/s, and its drill is compared with the clients' own logs`,
  bars: {
    refused_failed: { max: 0, samples: 2_000 },
    refused_rto_ms: { max: 1_000, samples: 1 },
    dropped_failed_per_connection: { max: 1, samples: 2_000 },
    dropped_rto_ms: { max: 5_000, samples: 1 },
    rto_error_ms: { max: 100, samples: 2 },
    count_error: { max: 0, samples: 2 },
    bystander_failed: { max: 0, samples: 2_000 },
    bystander_broken: { max: 0, samples: 80 },
    ...ENDED_BARS,
  },
  run: async (book) => {
    const workloads = ['client-v1', 'details-v1', 'ratings-v1'];
    await inFederation({ plan: { [LOST]: workloads, [OTHER]: workloads } }, (federation) => measure(federation, book));
  },
};

async function measure(federation: Federation, book: FigureBook): Promise<void> {
  await withPolicies(federation);
  const refused = await drilled(federation, 'refused', { fault: 'refuse' });
  const dropped = await drilled(federation, 'dropped', { fault: 'drop' });
  const note = (key: string, value: number, samples: number, unit = 'requests'): void => book.note(key, { value, unit, samples });
  note('refused_failed', refused.entries.filter(failed).length, refused.entries.length);
  note('refused_rto_ms', refused.report.timings.rtoMs ?? Number.NaN, 1, 'ms');
  note('dropped_failed_per_connection', dropped.entries.filter(failed).length / CALLERS.length, dropped.entries.length);
  note('dropped_rto_ms', dropped.report.timings.rtoMs ?? Number.NaN, 1, 'ms');
  const bystanders = [...refused.bystanders, ...dropped.bystanders];
  note('bystander_failed', bystanders.filter(failed).length, bystanders.length);
  const held = [...refused.held, ...dropped.held];
  const total = (of: 'connections' | 'broken'): number => held.reduce((sum, one) => sum + one[of], 0);
  note('bystander_broken', total('broken'), total('connections'), 'connections');
  const runs = [refused, dropped].map(compared);
  for (const { rtoMs, logMs } of runs)
    federation.say.done(`recovery time by the report ${rtoMs} ms, by the clients' logs ${logMs.toFixed(0)} ms`);
  const off = runs.map(({ rtoMs, logMs }) => Math.abs(rtoMs - logMs));
  book.note('rto_error_ms', { value: Math.max(...off), unit: 'ms', samples: runs.length }, runs);
  const miscounted = runs.map((run) => Math.abs(run.failed - run.logFailed));
  book.note('count_error', { value: Math.max(...miscounted), unit: 'requests', samples: runs.length }, runs);
  await measureEnds(federation, book);
}

interface Drilled {
  readonly report: DrillEvidence;
  readonly entries: readonly LoadEntry[];
  readonly bystanders: readonly LoadEntry[];
  /** Connections of bystanders, by caller. */
  readonly held: readonly HeldEnd[];
}

interface Compared {
  /** Recovery time by the drill, and by the clients' logs from the same moment on. */
  readonly rtoMs: number;
  readonly logMs: number;
  readonly failed: number;
  readonly logFailed: number;
}

/** What the drill says beside what the clients saw of the same run. */
function compared({ report, entries }: Drilled): Compared {
  const injected = Date.parse(report.phases.find(({ phase }) => phase === 'Injecting')?.from ?? '');
  const until = Date.parse(report.phases.find(({ phase }) => phase === 'Restoring')?.from ?? '');
  const begun = injected + (report.timings.injectMs ?? 0);
  const during = entries.filter(({ t, ms }) => t + ms >= begun && t + ms < until);
  const bad = during.filter((one) => failed(one) || one.cluster === LOST);
  return {
    rtoMs: report.timings.rtoMs ?? Number.NaN,
    logMs: Math.max(begun, ...bad.map(({ t, ms }) => t + ms)) - begun,
    failed: report.services.reduce((sum, one) => sum + one.failed, 0),
    logFailed: during.filter(failed).length,
  };
}

async function drilled(federation: Federation, name: string, scenario: object): Promise<Drilled> {
  const { say } = federation;
  const loads = startLoads(federation, name, 'details');
  const bystanders = startLoads(federation, `${name}-bystander`, 'ratings');
  await wait(12_000);
  const holding = await Promise.all(CALLERS.map((from) => holdConnections(federation, { from, service: 'ratings' })));
  const run = await beginDrill(federation, name, { scenario });
  const { outcome, message } = await runComesTo(federation, run, 'Done');
  say.done(`${name}: ${outcome}: ${message}`);
  await wait(2_000);
  const held = await Promise.all(holding.map((one) => one.stop()));
  const entries = (await Promise.all(loads.map((load) => load.stop()))).flat();
  const others = (await Promise.all(bystanders.map((load) => load.stop()))).flat();
  for (const entry of entries.filter(failed).slice(0, 5)) say.warn(`failed: ${JSON.stringify(entry)}`);
  const report = await evidenceOf(federation, run);
  return { report, entries, bystanders: others, held };
}

function startLoads({ fleet }: Federation, name: string, service: string): LoadRun[] {
  const rate = PER_SECOND / CALLERS.length;
  return CALLERS.map((from) => startLoad(fleet, { name: `${name}-${from}`, from, service, path: '/ping', rate, postEvery: 0 }));
}
