/**
 * What a seed draws before it begins: how large the federation is, how long its chaos lasts, and what may go wrong. Every seed
 * is another kind of bad day (swarm testing, Groce et al., ISSTA 2012): faults that are never absent hide what others would show.
 */
import type { Random } from './random.ts';

/** How often each thing happens, against the others, where everything may happen. */
export const WEIGHTS = {
  endpoint: 30,
  policy: 20,
  scale: 4,
  relabel: 2,
  crashAgent: 5,
  crashHub: 3,
  pause: 6,
  link: 8,
  server: 3,
  wipe: 1,
  recreate: 1,
  full: 1,
  flip: 2,
  replay: 2,
  forge: 2,
  database: 3,
  restore: 1,
  weather: 4,
  shortRead: 3,
  proxy: 5,
} as const;

export type Fault = keyof typeof WEIGHTS;

/** `safety`: chaos to the end. `liveness`: then everything is healed, and all must come together in time. */
export type Mode = 'safety' | 'liveness';

/** What is simulated. */
export interface Scenario {
  readonly mode: Mode;
  readonly hubs: number;
  readonly clusters: number;
  /** Agents of the first cluster; the others have one. */
  readonly replicas: number;
  readonly services: number;
  /** Whether chaos waits until all is up. */
  readonly calm: boolean;
  readonly chaosMs: number;
  /** The longest time between two faults. */
  readonly paceMs: number;
  /** What may go wrong, and how often against the others. */
  readonly weights: Readonly<Partial<Record<Fault, number>>>;
}

/** One in this many has everything at its largest, and lasts. */
const LONG_EVERY = 25;

/** Draws it; a mode that is asked for changes nothing else. */
export function drawScenario(random: Random, asked?: Mode): Scenario {
  const drawn: Mode = random.chance(0.4) ? 'safety' : 'liveness';
  const mode = asked ?? drawn;
  return random.between(1, LONG_EVERY) === 1 ? long(mode, random) : short(mode, random);
}

function long(mode: Mode, random: Random): Scenario {
  const clusters = random.between(2, 3);
  const chaosMs = random.between(10_000, 30_000);
  return { mode, hubs: 2, clusters, replicas: 2, services: 2, calm: true, chaosMs, paceMs: 3_000, weights: WEIGHTS };
}

/** Few things are needed for most bugs, and few faults. */
function short(mode: Mode, random: Random): Scenario {
  const paceMs = random.pick([300, 1_000, 3_000]);
  return {
    mode,
    hubs: random.pick([1, 2]),
    clusters: random.pick([1, 2, 2, 2, 2, 3]),
    replicas: random.pick([1, 1, 2]),
    services: random.pick([1, 1, 1, 2]),
    calm: random.chance(0.6),
    chaosMs: random.between(2, 4) * paceMs,
    paceMs,
    weights: drawWeights(random),
  };
}

/** A few faults, each as frequent as writes; those always happen, for without them there is nothing to lose. */
function drawWeights(random: Random): Scenario['weights'] {
  const share = random.pick([0.1, 0.2, 0.4]);
  const faults = Object.keys(WEIGHTS).flatMap((fault): [string, number][] => {
    const isWrite = fault === 'endpoint' || fault === 'policy';
    const weight = random.pick(isWrite ? [10, 30] : [5, 15, 30]);
    return isWrite || random.chance(share) ? [[fault, weight]] : [];
  });
  return Object.fromEntries(faults);
}
