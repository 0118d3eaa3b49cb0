/** Drills that do not go to their end: a guardrail ends one, its hub dies for good, or dies and comes back. */
import { setTimeout as wait } from 'node:timers/promises';
import type { FigureBook } from '../../deploy/demo/figures.ts';
import { type LoadRun, startLoad } from '../../deploy/demo/load-run.ts';
import { waitFor } from '../../deploy/demo/wait.ts';
import { beginDrill, evidenceOf, isSilenced, LOST, runComesTo } from './drill-runs.ts';
import type { Federation } from './federation.ts';

const LEASE_MS = 15_000;
const ROUNDS = 20;
/** A round is over in about so long when nothing disturbs it. */
const ROUND_MS = 8_000;
/** The load that would move has to be known, of a hub that has just come too; and callers try again where they met a fault. */
const KNOWN_MS = 12_000;

/** What is promised of them. */
export const ENDED_BARS = {
  abort_ms: { max: 2_000, samples: 1 },
  orphan_s: { max: 1, samples: 1 },
  left_broken: { max: 0, samples: ROUNDS },
};

/** All of it, under load. */
export async function measureEnds(federation: Federation, book: FigureBook): Promise<void> {
  const load = startLoad(federation.fleet, { name: 'ends', from: LOST, service: 'details', path: '/ping', rate: 50, postEvery: 0 });
  await wait(KNOWN_MS);
  await aborted(federation, book);
  await leftBroken(federation, book);
  await orphaned(federation, book, load);
}

/** Its guardrail wants requests to go there: it fails as soon as they do not. */
async function aborted(federation: Federation, book: FigureBook): Promise<void> {
  const guardrail = {
    source: { hub: { metric: 'share', destination: { region: LOST } } },
    condition: 'result > 0.5',
    ...{ window: '1s', interval: '1s', failureLimit: 0 },
  };
  const run = await beginDrill(federation, 'guarded', { scenario: { fault: 'refuse' }, guardrail });
  const { outcome, message } = await runComesTo(federation, run, 'Done');
  federation.say.done(`guarded: ${outcome}: ${message}`);
  const { checks, phases, timings } = await evidenceOf(federation, run);
  const first = checks.flatMap(({ samples }) => samples).find((sample) => sample.outcome === 'failed')?.at ?? '';
  const restoring = phases.find(({ phase }) => phase === 'Restoring')?.from ?? '';
  const value = Date.parse(restoring) + (timings.restoreMs ?? Number.NaN) - Date.parse(first);
  book.note('abort_ms', { value, unit: 'ms', samples: 1 });
}

/** The hub is killed at a random moment of a run, and comes back. */
async function leftBroken(federation: Federation, book: FigureBook): Promise<void> {
  const { fleet, say } = federation;
  let broken = 0;
  const verdicts = new Map<string, number>();
  for (let round = 1; round <= ROUNDS; round += 1) {
    const run = await beginDrill(federation, `killed-${round}`, { scenario: { fault: 'drop' }, hold: '3s' });
    const at = Math.random() * ROUND_MS;
    await wait(at);
    await fleet.processes.kill(...fleet.named('hub'));
    await wait(1_000);
    await fleet.startHub();
    const { outcome, message } = await runComesTo(federation, run, 'Done');
    await wait(KNOWN_MS);
    const isBroken = outcome === undefined || (await isSilenced(federation));
    if (isBroken) broken += 1;
    verdicts.set(outcome ?? 'none', (verdicts.get(outcome ?? 'none') ?? 0) + 1);
    say.done(`killed ${Math.round(at)} ms after it began: ${outcome}: ${message}${isBroken ? ', and NOT restored' : ''}`);
  }
  // A run whose agents heard of no hub for as long as its lease is rightly Aborted: a slow machine's hub is away for so long.
  say.done(`verdicts of ${ROUNDS}: ${[...verdicts].map(([outcome, runs]) => `${outcome} ${runs}`).join(', ')}`);
  book.note('left_broken', { value: broken, unit: 'runs', samples: ROUNDS });
}

/** The hub dies for good while a fault is in force. */
async function orphaned(federation: Federation, book: FigureBook, load: LoadRun): Promise<void> {
  const { fleet, say } = federation;
  const run = await beginDrill(federation, 'orphaned', { scenario: { fault: 'drop' }, hold: '1m' });
  await runComesTo(federation, run, 'Holding');
  if (!(await isSilenced(federation))) throw new Error('the fault is not in force');
  await fleet.processes.kill(...fleet.named('hub'));
  const killed = performance.now();
  await waitFor('the fault is not lifted', async () => ((await isSilenced(federation)) ? undefined : true), {
    timeoutMs: 2 * LEASE_MS,
    everyMs: 50,
  });
  const seconds = (performance.now() - killed) / 1_000;
  say.done(`lifted ${seconds.toFixed(1)} s after the hub died`);
  book.note('orphan_s', { value: Math.max(0, seconds - LEASE_MS / 1_000), unit: 's', samples: 1 });
  await load.stop();
}
