/** What a connected client costs a server, with nothing going on: resident memory with 50 and with 200 of them. */
import { setTimeout as wait } from 'node:timers/promises';
import { type FigureBook, percentile } from '../../deploy/demo/figures.ts';
import type { Bench } from './bench.ts';
import { SIDES, type Side, withRig, type XdsRig } from './xds-rig.ts';

const FEW = 50;
const MANY = 200;
const IDLE_MS = 15_000;
const LOOKS = 5;

/** The benchmark. Its figures have no bar of their own: `burst` holds the memory under load. */
export const memory: Bench = {
  name: 'memory',
  title: `resident memory with ${FEW} and ${MANY} idle clients of 1,000 services, beside go-control-plane`,
  bars: {},
  run: (book) => withRig({ services: 1_000, clients: MANY }, ({ rig }) => measure(rig, book)),
};

async function measure(rig: XdsRig, book: FigureBook): Promise<void> {
  for (const side of SIDES) {
    const prefix = side === 'ours' ? '' : 'peer_';
    const alone = await idleMiB(rig, side);
    const few = await withClients(rig, { side, count: FEW });
    const many = await withClients(rig, { side, count: MANY });
    const note = (key: string, value: number, raw: readonly object[] = []): void =>
      book.note(`${prefix}${key}`, { value, unit: 'MiB', samples: LOOKS }, raw);
    note('idle_mib', median(alone), [{ side, alone, few, many }]);
    note(`rss_${FEW}_mib`, median(few));
    note(`rss_${MANY}_mib`, median(many));
    note('per_client_mib', (median(many) - median(few)) / (MANY - FEW));
  }
}

async function withClients(rig: XdsRig, { side, count }: { side: Side; count: number }): Promise<number[]> {
  const fleet = await rig.connect(side, { count });
  try {
    return await idleMiB(rig, side);
  } finally {
    await fleet.process.stop();
  }
}

async function idleMiB(rig: XdsRig, side: Side): Promise<number[]> {
  const looks: number[] = [];
  for (let look = 0; look < LOOKS; look += 1) {
    await wait(IDLE_MS / LOOKS);
    looks.push(rig.rssMiB(side));
  }
  return looks;
}

function median(values: readonly number[]): number {
  return percentile(values, 50);
}
