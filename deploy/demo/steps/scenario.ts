/** The scripted scenario: its steps in order, its bars, and what is counted over all of it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Resource } from '@hawser/model/resource.ts';
import { mustRun } from '../cli.ts';
import { type Bar, FigureBook } from '../figures.ts';
import { duplicates } from '../load-log.ts';
import { clusterFiles } from '../specs.ts';
import type { RunningDemo } from '../start.ts';
import { NAMESPACE } from '../topology.ts';
import { discovery } from './discovery.ts';
import { appOnlyFailover, localFailover } from './local-failover.ts';
import { outage } from './outage.ts';
import { regionDrill } from './region-drill.ts';
import { regionFailover } from './region-failover.ts';
import { regionSplit, versionSplit } from './splits.ts';
import type { Step, StepContext } from './step.ts';

/** All steps, in their order. */
export const STEPS: readonly Step[] = [
  discovery,
  localFailover,
  appOnlyFailover,
  regionFailover,
  versionSplit,
  regionSplit,
  outage,
  regionDrill,
];

const BARS: Readonly<Record<string, Bar>> = {
  first_request_s: { max: 30, samples: 1 },
  local_failover_failed: { max: 0, samples: 8_000 },
  app_only_failover_failed: { max: 0, samples: 8_000 },
  region_failover_failed: { max: 0, samples: 8_000 },
  region_restore_failed: { max: 0, samples: 8_000 },
  version_split_error: { max: 0.7, samples: 20_000 },
  region_split_error: { max: 1.5, samples: 20_000 },
  outage_failed: { max: 0, samples: 4_000 },
  drill_failed: { max: 0, samples: 2_000 },
  drill_rto_s: { max: 5, samples: 1 },
  drill_count_error: { max: 0, samples: 2_000 },
  drill_rto_error_s: { max: 0.5, samples: 1 },
  duplicate_posts: { max: 0, samples: 1 },
  failed_posts_per_kill: { max: 4, samples: 1 },
};

/** Runs the steps (all, or those of `only`); true when every figure holds. */
export async function runScenario(demo: RunningDemo, report: string | undefined, only: readonly string[]): Promise<boolean> {
  await clearPolicies(demo);
  return runSteps(demo, only.length === 0 ? STEPS : STEPS.filter(({ name }) => only.includes(name)), report);
}

/** The drill alone, whatever policies there are; true when every figure holds. */
export async function runDrill(demo: RunningDemo): Promise<boolean> {
  return runSteps(demo, [regionDrill], undefined);
}

async function runSteps(demo: RunningDemo, chosen: readonly Step[], report: string | undefined): Promise<boolean> {
  const context: StepContext = { demo, book: new FigureBook('demo', BARS), kills: [], seen: [] };
  const broken: string[] = [];
  for (const [index, step] of chosen.entries()) {
    demo.say.part(`${index + 1}/${chosen.length}  ${step.title}`);
    try {
      await step.run(context);
    } catch (error) {
      broken.push(step.name);
      demo.say.warn(`${step.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  notePosts(context);
  const keys = chosen.flatMap((step) => step.keys);
  const expected = context.kills.length === 0 ? keys : [...keys, 'duplicate_posts', 'failed_posts_per_kill'];
  demo.say.part('Figures');
  demo.say.plain(context.book.table(expected));
  if (report !== undefined) await context.book.write(report);
  if (broken.length > 0) demo.say.warn(`steps that did not end well: ${broken.join(', ')}`);
  return broken.length === 0 && context.book.missed(expected).size === 0;
}

/** Routes and shifts that somebody tried in an earlier demo on this state folder would bend the figures. */
async function clearPolicies({ cli, say }: RunningDemo): Promise<void> {
  for (const kind of ['virtualservices', 'trafficshifts']) {
    const { items } = JSON.parse(await mustRun(cli, ['get', kind, '-n', NAMESPACE, '-o', 'json'])) as { items: Resource[] };
    const names = items.map(({ metadata }) => metadata.name);
    if (names.length === 0) continue;
    await mustRun(cli, ['delete', kind, ...names, '-n', NAMESPACE]);
    say.done(`removed ${kind} of an earlier demo: ${names.join(', ')}`);
  }
}

/** POSTs delivered twice, by what every workload wrote down; POSTs that failed, by kill. */
function notePosts({ demo, book, kills, seen }: StepContext): void {
  if (kills.length === 0) return;
  const delivered = demo.fleet.clusters.flatMap((cluster) =>
    deliveredPosts(join(clusterFiles(demo.options.stateDir, cluster.name).postsOf('x'), '..')),
  );
  const twice = [...duplicates(delivered)].map(([id, count]) => ({ id, count }));
  const sent = seen.flat().filter(({ method }) => method === 'POST').length;
  book.note('duplicate_posts', { value: twice.length, unit: 'requests', samples: sent }, [...twice, { delivered: delivered.length, sent }]);
  book.note(
    'failed_posts_per_kill',
    { value: Math.max(...kills.map(({ failedPosts }) => failedPosts)), unit: 'requests', samples: kills.length },
    kills,
  );
}

function deliveredPosts(folder: string): string[] {
  return readdirSync(folder).flatMap((file) =>
    readFileSync(join(folder, file), 'utf8')
      .split('\n')
      .filter((id) => id !== ''),
  );
}
