/** One endpoint of 1,000 services changes → the slowest of 200 clients has it, against go-control-plane in the same run. */
import { type FigureBook, percentile } from '../../deploy/demo/figures.ts';
import type { Bench } from './bench.ts';
import { type ClientFleet, type FederatedRig, inTurn, SIDES, type Side, withRig, type XdsRig } from './xds-rig.ts';

const ROUNDS = 5;
const CHANGES = 4;
const SERVICES = 1_000;

/** The benchmark. */
export const xds: Bench = {
  name: 'xds',
  title: 'one endpoint of 1,000 services changes → the slowest of 200 clients has it; median over rounds, against go-control-plane',
  bars: { ratio: { max: 0.3, samples: ROUNDS }, sotw_ratio: { max: 0.4, samples: ROUNDS } },
  run: (book) =>
    withRig({ services: SERVICES, clients: 200 }, async (parts) => {
      await compare(parts, book, { sotw: false, prefix: '' });
      await compare(parts, book, { sotw: true, prefix: 'sotw_' });
    }),
};

interface Sample {
  readonly side: Side;
  readonly round: number;
  readonly change: number;
  readonly slowestMs: number;
  readonly medianMs: number;
}

async function compare(
  { rig, federation }: FederatedRig,
  book: FigureBook,
  { sotw, prefix }: { sotw: boolean; prefix: string },
): Promise<void> {
  const fleets: Record<Side, ClientFleet> = { ours: await rig.connect('ours', { sotw }), peer: await rig.connect('peer', { sotw }) };
  const samples: Sample[] = [];
  try {
    for (let round = 0; round <= ROUNDS; round += 1) {
      for (const side of inTurn(round)) samples.push(...(await changes(rig, { side, round, fleet: fleets[side] })));
    }
  } finally {
    for (const side of SIDES) await fleets[side].process.stop();
  }
  const counted = samples.filter(({ round }) => round > 0); // the first round warms both up
  const slowest = (side: Side, round?: number): number[] =>
    counted.filter((one) => one.side === side && (round === undefined || one.round === round)).map(({ slowestMs }) => slowestMs);
  const ratios = Array.from(
    { length: ROUNDS },
    (_, index) => percentile(slowest('ours', index + 1), 50) / percentile(slowest('peer', index + 1), 50),
  );
  const ms = (side: Side) => ({ value: percentile(slowest(side), 50), unit: 'ms', samples: slowest(side).length });
  book.note(`${prefix}slowest_ms`, ms('ours'), samples);
  book.note(`${prefix}peer_slowest_ms`, ms('peer'));
  book.note(
    `${prefix}ratio`,
    { value: percentile(ratios, 50), unit: '', samples: ROUNDS },
    ratios.map((ratio, index) => ({ round: index + 1, ratio })),
  );
  federation.say.done(
    `${sotw ? 'SotW' : 'delta'}: ours ${slowest('ours')
      .map((one) => one.toFixed(0))
      .join(' ')} ms, peer ${slowest('peer')
      .map((one) => one.toFixed(0))
      .join(' ')} ms`,
  );
}

async function changes(rig: XdsRig, { side, round, fleet }: { side: Side; round: number; fleet: ClientFleet }): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let change = 0; change < CHANGES; change += 1) {
    const service = ((round * CHANGES + change) * 37) % SERVICES;
    const times = await rig.delivered(fleet, rig.change(side, fleet, service));
    samples.push({ side, round, change, slowestMs: Math.max(...times), medianMs: percentile(times, 50) });
    await settled();
  }
  return samples;
}

/** Changes come one after another, not into the work that the one before left behind. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 300));
}
