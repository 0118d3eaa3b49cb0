/** A region is drained in steps and restored under traffic; then at once, in emergencies, again and again. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Resource } from '@hawser/model/resource.ts';
import type { DrainStatusFields } from '@hawser/wire/drain.ts';
import { mustRun } from '../../deploy/demo/cli.ts';
import type { FigureBook } from '../../deploy/demo/figures.ts';
import { failed, type LoadEntry } from '../../deploy/demo/load-log.ts';
import { type LoadRun, startLoad } from '../../deploy/demo/load-run.ts';
import { NAMESPACE } from '../../deploy/demo/topology.ts';
import { waitFor } from '../../deploy/demo/wait.ts';
import type { Bench } from './bench.ts';
import { type Federation, inFederation } from './federation.ts';
import { ask } from './kept-alive.ts';
import { overflow } from './overflow.ts';

const [DRAINED, OTHER] = ['us-east', 'us-west'] as const;
const CALLERS = [DRAINED, OTHER] as const;
/** Of both callers together. */
const PER_SECOND = 200;
const ROUNDS = 10;
/** A share is looked at over so many requests of one caller. */
const WINDOW = 100;
const PATH = '/apis/hawser.dev/v1alpha1/drains';

const ROOM = {
  apiVersion: 'hawser.dev/v1alpha1',
  kind: 'FailoverPolicy',
  metadata: { namespace: NAMESPACE, name: 'details' },
  spec: { services: ['details'], order: [DRAINED, OTHER], capacity: { regions: { [DRAINED]: 1_000, [OTHER]: 1_000 } } },
};

/** The benchmark. */
export const drain: Bench = {
  name: 'drain',
  title: `a region is drained and restored at ${PER_SECOND} requests/s, by evidence; emergencies`,
  bars: { drain_failed: { max: 0, samples: 4_000 }, emergency_p99_ms: { max: 1_000, samples: ROUNDS * CALLERS.length }, ...overflow.bars },
  run: async (book) => {
    const plan = { [DRAINED]: ['client-v1', 'details-v1'], [OTHER]: ['client-v1', 'details-v1'] };
    await inFederation({ plan }, (federation) => measure(federation, book));
    await overflow.run(book);
  },
};

async function measure(federation: Federation, book: FigureBook): Promise<void> {
  await mustRun(federation.cli, ['apply', '-f', '-', '--wait'], JSON.stringify(ROOM));
  await graceful(federation, book);
  await emergencies(federation, book);
}

function startLoads({ fleet }: Federation, name: string): LoadRun[] {
  const rate = PER_SECOND / CALLERS.length;
  return CALLERS.map((from) => startLoad(fleet, { name: `${name}-${from}`, from, service: 'details', path: '/ping', rate, postEvery: 0 }));
}

/** No rule is overridden: what moves, and whether there is room for it, is measured. */
async function graceful(federation: Federation, book: FigureBook): Promise<void> {
  const { say } = federation;
  const loads = startLoads(federation, 'graceful');
  // The forecast needs a load that is known.
  await wait(15_000);
  const course = { steps: [10, 50, 100].map((percent) => ({ percent, hold: '2s' })) };
  await create(federation, 'graceful', { ...course, restore: { steps: [50, 100].map((percent) => ({ percent, hold: '2s' })) } });
  await comesTo(federation, 'graceful', 'Drained');
  say.done(`${DRAINED} is drained`);
  await wait(3_000);
  await command(federation, 'graceful', 'restore');
  await comesTo(federation, 'graceful', 'Restored');
  say.done(`${DRAINED} is restored`);
  const entries = (await Promise.all(loads.map((load) => load.stop()))).flat();
  const lost = entries.filter(failed);
  for (const entry of lost.slice(0, 5)) say.warn(`failed: ${JSON.stringify(entry)}`);
  say.done(`${lost.length} of ${entries.length} requests failed`);
  book.note('drain_failed', { value: lost.length, unit: 'requests', samples: entries.length }, lost);
}

async function emergencies(federation: Federation, book: FigureBook): Promise<void> {
  const { say } = federation;
  const samples: { readonly round: number; readonly from: string; readonly ms: number }[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const name = `emergency-${round}`;
    const loads = startLoads(federation, name);
    await wait(2_000);
    const asked = Date.now();
    await create(federation, name, { urgency: 'emergency', restore: { steps: [{ percent: 100, hold: '0s' }], requireReadiness: false } });
    await wait(2_500);
    for (const [index, load] of loads.entries()) {
      const ms = residualAt(await load.stop()) - asked;
      samples.push({ round, from: CALLERS[index] ?? '', ms: Math.max(0, ms) });
    }
    await comesTo(federation, name, 'Drained', 'Draining');
    await command(federation, name, 'restore');
    await comesTo(federation, name, 'Restored');
    say.progress(
      `emergency ${round}: ${samples
        .slice(-2)
        .map(({ from, ms }) => `${from} ${ms.toFixed(0)} ms`)
        .join(', ')}`,
    );
  }
  const value = Math.max(...samples.map(({ ms }) => ms));
  book.note('emergency_p99_ms', { value, unit: 'ms', samples: samples.length }, samples);
}

/** When the share of what is drained fell to 1 % for good, by answers in their order; Unix milliseconds. */
function residualAt(entries: readonly LoadEntry[]): number {
  const inOrder = [...entries].sort((a, b) => a.t - b.t);
  const stays = inOrder.map(({ cluster }) => (cluster === DRAINED ? 1 : 0));
  for (let at = inOrder.length; at > 0; at -= 1) {
    const behind = stays.slice(at - 1, at - 1 + WINDOW).reduce<number>((sum, one) => sum + one, 0);
    const last = inOrder[at - 1];
    if (behind > WINDOW / 100 && last !== undefined) return last.t + last.ms;
  }
  return 0;
}

async function create({ hub }: Federation, name: string, course: object): Promise<void> {
  const spec = { scope: { region: DRAINED }, reason: 'a benchmark', ...course };
  const body = { apiVersion: 'hawser.dev/v1alpha1', kind: 'Drain', metadata: { name }, spec };
  await ask({ method: 'POST', url: `${hub.url}${PATH}`, token: hub.token, body });
}

async function command({ hub }: Federation, name: string, word: string): Promise<void> {
  await ask({ method: 'POST', url: `${hub.url}${PATH}/${name}/${word}`, token: hub.token, body: {} });
}

/** Waits until the drain is in one of these phases. */
async function comesTo({ hub }: Federation, name: string, ...phases: readonly string[]): Promise<void> {
  let last: DrainStatusFields | undefined;
  const look = async (): Promise<true | undefined> => {
    const answer = await ask({ url: `${hub.url}${PATH}/${name}`, token: hub.token });
    last = (JSON.parse(answer) as Resource<unknown, DrainStatusFields>).status;
    return last !== undefined && phases.includes(last.phase) ? true : undefined;
  };
  await waitFor(`drain ${name} does not come to ${phases.join(' or ')}`, look, {
    timeoutMs: 120_000,
    hopeless: () => (last !== undefined && ['Failed', 'Held'].includes(last.phase) ? JSON.stringify(last) : undefined),
  });
}
