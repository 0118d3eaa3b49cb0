/** An API server that faults in every way there is, by chance: endpoints that its agent then removes though they are there, and whether it knows everything afterwards. */
import { setTimeout as wait } from 'node:timers/promises';
import { messageOf } from '@hawser/runtime/app-error.ts';
import type { FigureBook } from '../../deploy/demo/figures.ts';
import type { Narrator } from '../../deploy/demo/narrator.ts';
import { API_FAULTS } from '../kit/api-fault-proxy.ts';
import { FaultedSource } from '../kit/faulted-source.ts';
import type { TestKubeApiserver } from '../kit/kube-apiserver.ts';
import { SEED } from '../kit/random-histories.ts';
import { Random } from '../simulation/random.ts';
import type { Bench } from './bench.ts';

const SEQUENCES = 8;
const STEPS = 25;
const SERVICES = 40;
/** A store counts as restored when it answers older lists for so long; the proxy never does. */
const RESTORED_MS = 10_000;

/** Bars of its figures. */
export const FAULTS_BARS: Bench['bars'] = {
  faults_falsely_removed: { max: 0, samples: SEQUENCES * STEPS },
  faults_converged: { min: SEQUENCES, samples: SEQUENCES },
};

/** Runs the sequences one after another on one source. */
export async function faults(kube: TestKubeApiserver, book: FigureBook, say: Pick<Narrator, 'done' | 'warn'>): Promise<void> {
  const random = new Random(SEED);
  const source = await FaultedSource.start(kube, { services: SERVICES, random });
  source.believeRestoredAfter(RESTORED_MS);
  const ends: { converged: boolean; seconds: number; why?: string }[] = [];
  try {
    for (let round = 0; round < SEQUENCES; round += 1) {
      const hard = HARD[round % HARD.length];
      for (let step = 0; step < STEPS; step += 1) await (step === STEPS >> 1 && hard !== undefined ? hard(source) : soft(source, random));
      ends.push(await end(source));
    }
  } finally {
    await source.stop();
  }
  for (const { why } of ends) if (why !== undefined) say.warn(why);
  const { falselyRemoved } = source;
  const slowest = Math.max(...ends.map(({ seconds }) => seconds));
  say.done(
    `${SEQUENCES * STEPS} faults (HAWSER_SEED=${SEED}): ${falselyRemoved.length} endpoints falsely removed, converged within ${slowest.toFixed(1)} s`,
  );
  const lost = falselyRemoved.map((endpoint) => ({ endpoint }));
  book.note('faults_falsely_removed', { value: falselyRemoved.length, unit: 'endpoints', samples: SEQUENCES * STEPS }, lost);
  const converged = ends.filter((one) => one.converged).length;
  book.note('faults_converged', { value: converged, unit: 'sequences', samples: ends.length }, ends);
}

/** The proxy faults for a moment, or does not, while endpoints come and go. */
async function soft(source: FaultedSource, random: Random): Promise<void> {
  source.proxy.set(random.chance(0.2) ? undefined : random.pick(API_FAULTS));
  if (random.chance(0.3)) source.proxy.cutWatches();
  for (let changes = random.between(0, 3); changes > 0; changes -= 1) await source.endpoints.change();
  await wait(random.between(50, 1_000));
}

/** What happens to the API server itself. */
const HARD: readonly ((source: FaultedSource) => Promise<void>)[] = [
  ({ kube }) => kube.restart(),
  ({ kube }) => kube.compact(),
  async (source) => {
    const giveBack = await source.withdrawRights();
    await source.endpoints.change();
    await wait(1_000);
    await giveBack();
  },
  async (source) => {
    const renew = await source.revokeToken();
    await source.kube.restart(); // which knows tokens that were good for some seconds
    await source.endpoints.change();
    await renew();
  },
  async (source) => {
    const restore = await source.kube.etcd.backup();
    const asItWas = source.endpoints.remembered();
    for (let changes = 0; changes < 5; changes += 1) await source.endpoints.change();
    // What was removed before is told before, and not when it is back.
    source.proxy.set(undefined);
    await source.converged();
    await source.kube.kill();
    await restore();
    asItWas();
    source.proxy.forgetLists();
    await source.kube.restart();
  },
];

async function end(source: FaultedSource): Promise<{ converged: boolean; seconds: number; why?: string }> {
  source.proxy.set(undefined);
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1_000;
  await source.endpoints.change();
  return source.converged().then(
    () => ({ converged: true, seconds: seconds() }),
    (error: unknown) => ({ converged: false, seconds: seconds(), why: messageOf(error) }),
  );
}
