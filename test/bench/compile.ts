/** `bench compile`: what it takes one agent to compile much policy, and one changed route of it, to the bytes of a proxy's response. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { percentile } from '../../deploy/demo/figures.ts';
import { ROOT } from '../../deploy/demo/processes.ts';
import type { Bench } from './bench.ts';

const SERVICES = 2_000;
const ROUNDS = 5;
const CHANGES = 300;
/** The first changes of a process, which the compiler of the language has still to warm up for; they are noted apart. */
const WARM_UP = 50;

interface Round {
  readonly cold: number;
  readonly coldBytes: number;
  readonly changes: readonly number[];
  readonly changedBytes: number;
}

/** The benchmark: each round is a process of its own, so that cold is cold. */
export const compile: Bench = {
  name: 'compile',
  title: `${SERVICES} services, VirtualServices and DestinationRules: cold, and one changed route, to the bytes of a response`,
  bars: { cold_ms: { max: 2_000, samples: ROUNDS }, change_p99_ms: { max: 10, samples: ROUNDS * (CHANGES - WARM_UP) } },
  run: async (book) => {
    const rounds: Round[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const program = join(ROOT, 'test/bench/compile-program.ts');
      const { stdout } = await promisify(execFile)(process.execPath, [program, String(SERVICES), String(CHANGES)]);
      rounds.push(JSON.parse(stdout) as Round);
    }
    const cold = rounds.map((round) => round.cold);
    const warm = rounds.flatMap(({ changes }) => changes.slice(WARM_UP));
    const first = rounds.flatMap(({ changes }) => changes.slice(0, WARM_UP));
    const raw = (values: readonly number[]): object[] => values.map((ms) => ({ ms }));
    book.note('cold_ms', { value: percentile(cold, 50), unit: 'ms', samples: cold.length }, raw(cold));
    book.note('cold_mib', { value: (rounds[0]?.coldBytes ?? 0) / 2 ** 20, unit: 'MiB', samples: 1 });
    book.note('change_p50_ms', { value: percentile(warm, 50), unit: 'ms', samples: warm.length });
    book.note('change_p99_ms', { value: percentile(warm, 99), unit: 'ms', samples: warm.length }, raw(warm));
    book.note('first_changes_p99_ms', { value: percentile(first, 99), unit: 'ms', samples: first.length });
    book.note('change_kib', { value: (rounds[0]?.changedBytes ?? 0) / 2 ** 10, unit: 'KiB', samples: 1 });
  },
};
