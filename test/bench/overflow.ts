/** Load of one region grows to 150 % of what it can take: the excess goes to the other before anything fails, and comes back. */
import { setTimeout as wait } from 'node:timers/promises';
import { mustRun } from '../../deploy/demo/cli.ts';
import type { FigureBook } from '../../deploy/demo/figures.ts';
import { failed, type LoadEntry, sharesBy, within } from '../../deploy/demo/load-log.ts';
import { type LoadRun, startLoad } from '../../deploy/demo/load-run.ts';
import { NAMESPACE } from '../../deploy/demo/topology.ts';
import type { Bench } from './bench.ts';
import { type Federation, inFederation } from './federation.ts';

/** Requests a second that each application answers; what is more gets 503. */
const CAPACITY = 100;
const BASE = 60;
const STEP = 5;
const STEPS = 18;
const STEP_MS = 4_000;
const HELD_MS = 15_000;

const POLICY = {
  apiVersion: 'hawser.dev/v1alpha1',
  kind: 'FailoverPolicy',
  metadata: { namespace: NAMESPACE, name: 'details' },
  spec: {
    services: ['details'],
    order: ['us-east', 'us-west'],
    capacity: { regions: { 'us-east': CAPACITY, 'us-west': CAPACITY } },
    overflow: { at: 0.8 },
  },
};

/** The benchmark: requests that failed while the load grew from 60 to 150 % and fell again. */
export const overflow: Bench = {
  name: 'overflow',
  title: 'load of one region grows to 150 % of its capacity → failed requests, with overflow',
  bars: { overflow_failed: { max: 0, samples: 5_000 } },
  run: (book) => {
    process.env['HAWSER_APP_CAPACITY'] = String(CAPACITY);
    return inFederation({ plan: { 'us-east': ['client-v1', 'details-v1'], 'us-west': ['details-v1'] } }, (federation) =>
      measure(federation, book),
    );
  },
};

async function measure({ fleet, cli, say }: Federation, book: FigureBook): Promise<void> {
  await mustRun(cli, ['apply', '-f', '-', '--wait'], JSON.stringify(POLICY));
  const load = (name: string, rate: number): LoadRun =>
    startLoad(fleet, { name, from: 'us-east', service: 'details', path: '/ping', rate, postEvery: 0 });
  const base = load('base', BASE);
  await wait(8_000);
  const more: LoadRun[] = [];
  for (let step = 1; step <= STEPS; step += 1) {
    more.push(load(`more-${step}`, STEP));
    await wait(STEP_MS);
  }
  const full = Date.now();
  await wait(HELD_MS);
  const fell = Date.now();
  const entries: LoadEntry[] = [];
  for (const run of more) entries.push(...(await run.stop()));
  await wait(HELD_MS);
  const ended = Date.now();
  entries.push(...(await base.stop()));
  const held = sharesBy(within(entries, { from: full, to: fell }), 'cluster');
  const after = sharesBy(within(entries, { from: ended - 5_000, to: ended }), 'cluster');
  say.done(`at 150 %: us-east has ${percent(held.get('us-east'))}; at 60 % again: ${percent(after.get('us-east'))}`);
  const lost = entries.filter(failed).length;
  say.done(`${lost} of ${entries.length} requests failed`);
  book.note('overflow_failed', { value: lost, unit: 'requests', samples: entries.length }, entries);
}

function percent(share = 0): string {
  return `${(share * 100).toFixed(1)} %`;
}
