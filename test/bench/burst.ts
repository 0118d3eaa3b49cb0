/** 100 changes a second for 20 s → each of 200 clients has each of them, or a newer one of the same endpoint. */
import { setTimeout as wait } from 'node:timers/promises';
import { type FigureBook, percentile } from '../../deploy/demo/figures.ts';
import type { Bench } from './bench.ts';
import { atPace } from './pace.ts';
import { type Change, type ClientFleet, type FederatedRig, inTurn, SIDES, type Side, withRig, type XdsRig } from './xds-rig.ts';

const ROUNDS = 5;
const RATE = 100;
const SECONDS = 20;
const SERVICES = 1_000;
/** How many changes warm each side up, before the first round. */
const WARM_UP = 200;

/** The benchmark. */
export const burst: Bench = {
  name: 'burst',
  title: `${RATE} changes a second for ${SECONDS} s → each of 200 clients; median over rounds, against go-control-plane`,
  bars: { p99_ratio: { max: 0.4, samples: ROUNDS }, rss_mib: { max: 250, samples: ROUNDS } },
  run: (book) => withRig({ services: SERVICES, clients: 200 }, (parts) => measure(parts, book)),
};

/** What one round of one side came to. */
interface Round {
  readonly side: Side;
  readonly round: number;
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
  /** The most at any time of the round. */
  readonly rssMiB: number;
}

async function measure({ rig, federation }: FederatedRig, book: FigureBook): Promise<void> {
  const fleets: Record<Side, ClientFleet> = { ours: await rig.connect('ours'), peer: await rig.connect('peer') };
  const rounds: Round[] = [];
  try {
    for (const side of SIDES) await deliveries(rig, fleets[side], { side, changes: WARM_UP });
    for (let round = 1; round <= ROUNDS; round += 1) {
      for (const side of inTurn(round)) {
        const done = await one(rig, fleets[side], { side, round });
        rounds.push(done);
        federation.say.done(
          `round ${round}, ${side}: p50 ${done.p50.toFixed(0)} ms, p99 ${done.p99.toFixed(0)} ms, ${done.rssMiB.toFixed(0)} MiB`,
        );
      }
    }
  } finally {
    for (const side of SIDES) await fleets[side].process.stop();
  }
  const of = (side: Side, key: 'p50' | 'p99' | 'rssMiB'): number[] => rounds.filter((each) => each.side === side).map((each) => each[key]);
  for (const [side, prefix] of [
    ['ours', ''],
    ['peer', 'peer_'],
  ] as const) {
    for (const key of ['p50', 'p99'] as const)
      book.note(
        `${prefix}${key}_ms`,
        { value: percentile(of(side, key), 50), unit: 'ms', samples: ROUNDS * RATE * SECONDS * 200 },
        key === 'p50' ? rounds.filter((each) => each.side === side) : [],
      );
  }
  const peer = of('peer', 'p99');
  const ratios = of('ours', 'p99').map((p99, index) => p99 / (peer[index] ?? Number.NaN));
  book.note(
    'p99_ratio',
    { value: percentile(ratios, 50), unit: '', samples: ROUNDS },
    ratios.map((ratio, index) => ({ round: index + 1, ratio })),
  );
  for (const [side, prefix] of [
    ['ours', ''],
    ['peer', 'peer_'],
  ] as const)
    book.note(`${prefix}rss_mib`, { value: Math.max(...of(side, 'rssMiB')), unit: 'MiB', samples: ROUNDS });
}

async function one(rig: XdsRig, fleet: ClientFleet, { side, round }: { side: Side; round: number }): Promise<Round> {
  let rssMiB = 0;
  const watching = setInterval(() => {
    rssMiB = Math.max(rssMiB, rig.rssMiB(side));
  }, 250);
  const times = await deliveries(rig, fleet, { side, changes: RATE * SECONDS });
  clearInterval(watching);
  const result = { side, round, p50: rank(times, 50), p99: rank(times, 99), worst: rank(times, 100), rssMiB };
  await wait(500);
  return result;
}

/** Makes the changes on schedule, however late the clients are, and resolves with every delivery's milliseconds, sorted. */
async function deliveries(rig: XdsRig, fleet: ClientFleet, { side, changes }: { side: Side; changes: number }): Promise<Float64Array> {
  const made: Change[] = [];
  await atPace({ count: changes, perSecond: RATE }, (index) => made.push(rig.change(side, fleet, (index * 37) % SERVICES)));
  const times = await rig.allDelivered(fleet, made);
  return times.sort();
}

/** The p-th percentile of sorted values, by nearest rank. */
function rank(sorted: Float64Array, p: number): number {
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? Number.NaN;
}
