/** One simulation: chaos while safety is watched, then peace until everything has come together. */
import { addTotals, noTotals, type Totals } from '../kit/totals.ts';
import { Breach } from './checks.ts';
import { Faults } from './faults.ts';
import { SimFederation } from './federation.ts';
import { drainMicrotasks, enter } from './platform.ts';
import { Random } from './random.ts';
import { VirtualTime } from './virtual-time.ts';

/** What came of one seed. */
export interface Outcome {
  readonly seed: number;
  /** Undefined when nothing was wrong. */
  readonly problem: string | undefined;
  /** Virtual seconds from the end of all faults until everything had come together. */
  readonly settledAfterS: number;
  readonly events: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly checks: { readonly moments: number; readonly removals: number; readonly words: number };
  /** What `npm test` sums. */
  readonly totals: Totals;
}

const START = Date.UTC(2026, 0, 1);
const CALM_MS = 3_000;
const CHAOS_MS = 45_000;
/** A spoilt message is found when its owner reads its stream again, every ten minutes. */
const SETTLE_MS = 25 * 60_000;

/** Runs a seed; `trace` is told what happens. */
export function runSeed(seed: number, trace: (line: string) => void = () => undefined): Outcome {
  const random = new Random(seed);
  const time = new VirtualTime(START, drainMicrotasks);
  enter(time, random);
  const tell = (line: string): void => trace(`${((time.now - START) / 1000).toFixed(3).padStart(9)} s  ${line}`);
  const federation = new SimFederation(time, random);
  const faults = new Faults(federation, tell);
  let problem: string | undefined;
  const totals = noTotals();
  let peaceAt = time.now;
  try {
    federation.start();
    time.run(time.now + CALM_MS);
    for (const end = time.now + CHAOS_MS; time.now < end; ) {
      faults.strike();
      time.run(time.now + random.between(0, random.chance(0.3) ? 10 : 3_000));
    }
    faults.heal();
    peaceAt = time.now;
    tell('everything is healed');
    problem = settle(federation);
    if (problem !== undefined) totals.lost += 1;
  } catch (error) {
    if (error instanceof Breach && error.wrong !== undefined) totals[error.wrong] += 1;
    problem =
      error instanceof Breach ? error.message : `failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  }
  return {
    ...{ seed, problem, events: time.events, settledAfterS: (time.now - peaceAt) / 1000 },
    faults: Object.fromEntries(faults.happened),
    checks: federation.checks.made,
    totals: addTotals(totals, looksOf(federation)),
  };
}

function looksOf({ checks: { made }, log }: SimFederation): Partial<Totals> {
  return { writes: log.writes, removals: made.gone, pushes: made.pushes, documents: made.moments + made.removals };
}

/** Liveness: undefined once nothing is apart. */
function settle(federation: SimFederation): string | undefined {
  const { time } = federation;
  for (const end = time.now + SETTLE_MS; time.now < end; ) {
    time.run(time.now + 1_000);
    if (federation.apart().length === 0) return undefined;
  }
  return `does not come together: ${federation.apart().slice(0, 3).join('; ')}`;
}
