/** 200 clients connect at once → the last has its full configuration: clusters, endpoints, listeners, routes. */
import { setTimeout as wait } from 'node:timers/promises';
import { type FigureBook, percentile } from '../../deploy/demo/figures.ts';
import type { Bench } from './bench.ts';
import { inTurn, type Side, withRig, type XdsRig } from './xds-rig.ts';

const ROUNDS = 5;
const CLIENTS = 200;
/** Between two fleets: both servers have put the one before away. */
const PAUSE_MS = 1_500;

/** The benchmark. */
export const connect: Bench = {
  name: 'connect',
  title: `${CLIENTS} clients connect at once → the last has its full configuration, against go-control-plane`,
  bars: { ratio: { max: 1.2, samples: ROUNDS } },
  run: (book) => withRig({ services: 1_000, clients: CLIENTS }, ({ rig }) => measure(rig, book)),
};

async function measure(rig: XdsRig, book: FigureBook): Promise<void> {
  const samples: { side: Side; round: number; ms: number }[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const side of inTurn(round)) {
      const fleet = await rig.connect(side);
      await fleet.process.stop();
      samples.push({ side, round, ms: fleet.fullMs });
      await wait(PAUSE_MS);
    }
  }
  const of = (side: Side): number[] => samples.filter((one) => one.side === side && one.round > 0).map(({ ms }) => ms); // round 0 warms up
  const peer = of('peer');
  const ratios = of('ours').map((ms, index) => ms / (peer[index] ?? Number.NaN));
  book.note('full_ms', { value: percentile(of('ours'), 50), unit: 'ms', samples: ROUNDS }, samples);
  book.note('peer_full_ms', { value: percentile(peer, 50), unit: 'ms', samples: ROUNDS });
  book.note(
    'ratio',
    { value: percentile(ratios, 50), unit: '', samples: ROUNDS },
    ratios.map((ratio, index) => ({ round: index + 1, ratio })),
  );
}
