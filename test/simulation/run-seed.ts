/** One simulation: chaos while safety is watched; in liveness mode then peace, until everything has come together. */
import { addTotals, noTotals, type Totals } from '../kit/totals.ts';
import { Breach } from './checks.ts';
import { Faults } from './faults.ts';
import { SimFederation } from './federation.ts';
import { drainMicrotasks, enter } from './platform.ts';
import { Random } from './random.ts';
import { drawScenario, type Mode } from './scenario.ts';
import { VirtualTime } from './virtual-time.ts';

/** How a seed is run. */
export interface RunOptions {
  /** Instead of the one the seed draws. */
  readonly mode?: Mode | undefined;
  /** Is told what happens. */
  readonly trace?: ((line: string) => void) | undefined;
}

/** What came of one seed. */
export interface Outcome {
  readonly seed: number;
  readonly mode: Mode;
  /** Undefined when nothing was wrong. */
  readonly problem: string | undefined;
  /** Virtual seconds from the end of all faults until everything had come together; 0 in safety mode. */
  readonly settledAfterS: number;
  readonly events: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly checks: { readonly moments: number; readonly removals: number; readonly words: number };
  /** What `npm test` sums. */
  readonly totals: Totals;
}

const START = Date.UTC(2026, 0, 1);
const CALM_MS = 3_000;
/** A spoilt message is found when its owner reads its stream again, every ten minutes. */
const SETTLE_MS = 25 * 60_000;
/** How often it is looked whether all has come together. */
const LOOK_MS = 100;

/** Runs a seed. */
export function runSeed(seed: number, { mode: asked, trace = () => undefined }: RunOptions = {}): Outcome {
  const random = new Random(seed);
  const scenario = drawScenario(random, asked);
  const time = new VirtualTime(START, drainMicrotasks);
  enter(time, random);
  const tell = (line: string): void => trace(`${((time.now - START) / 1000).toFixed(3).padStart(9)} s  ${line}`);
  tell(JSON.stringify(scenario));
  const federation = new SimFederation(time, random, scenario);
  const faults = new Faults(federation, tell);
  let problem: string | undefined;
  const totals = noTotals();
  let settledAfterS = 0;
  try {
    federation.start();
    if (scenario.calm) together(federation, CALM_MS);
    rage(federation, faults);
    if (scenario.mode === 'liveness') {
      faults.heal();
      tell('everything is healed');
      const peaceAt = time.now;
      if (!together(federation, SETTLE_MS)) problem = `does not come together: ${[...federation.apart()].slice(0, 3).join('; ')}`;
      settledAfterS = (time.now - peaceAt) / 1000;
      if (problem !== undefined) totals.lost += 1;
    }
  } catch (error) {
    if (error instanceof Breach && error.wrong !== undefined) totals[error.wrong] += 1;
    problem =
      error instanceof Breach ? error.message : `failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  }
  time.end();
  return {
    ...{ seed, mode: scenario.mode, problem, events: time.events, settledAfterS },
    faults: Object.fromEntries(faults.happened),
    checks: federation.checks.made,
    totals: addTotals(totals, looksOf(federation)),
  };
}

function looksOf({ checks: { made }, log }: SimFederation): Partial<Totals> {
  return { writes: log.writes, removals: made.gone, pushes: made.pushes, documents: made.moments + made.removals };
}

function rage({ time, random, scenario }: SimFederation, faults: Faults): void {
  for (const end = time.now + scenario.chaosMs; time.now < end; ) {
    faults.strike();
    time.run(time.now + random.between(0, random.chance(0.3) ? 10 : scenario.paceMs));
  }
}

/** Runs until nothing is apart any more; false when that takes longer. */
function together(federation: SimFederation, atMostMs: number): boolean {
  const { time } = federation;
  for (const end = time.now + atMostMs; time.now < end; ) {
    time.run(time.now + LOOK_MS);
    if (federation.apart().next().done === true) return true;
  }
  return false;
}
