/** `npm run bench -- NAME [--json FILE]`: one benchmark, its figures, and whether they hold. */
import { parseArgs } from 'node:util';
import { FigureBook } from '../../deploy/demo/figures.ts';
import { apply } from './apply.ts';
import { bare } from './bare.ts';
import type { Bench } from './bench.ts';
import { burst } from './burst.ts';
import { compile } from './compile.ts';
import { connect } from './connect.ts';
import { drain } from './drain.ts';
import { drills } from './drills.ts';
import { hub } from './hub.ts';
import { issue } from './issue.ts';
import { kubernetes } from './kubernetes.ts';
import { measuring } from './measuring.ts';
import { memory } from './memory.ts';
import { overflow } from './overflow.ts';
import { overhead } from './overhead.ts';
import { paused } from './paused.ts';
import { propagation } from './propagation.ts';
import { restart } from './restart.ts';
import { rotation } from './rotation.ts';
import { shift } from './shift.ts';
import { simulation } from './simulation.ts';
import { spread } from './spread.ts';
import { xds } from './xds.ts';

const BENCHES: readonly Bench[] = [
  propagation,
  spread,
  apply,
  restart,
  hub,
  compile,
  bare,
  xds,
  burst,
  connect,
  paused,
  memory,
  measuring,
  overhead,
  issue,
  rotation,
  simulation,
  shift,
  drills,
  drain,
  overflow,
  kubernetes,
];
const LIST = BENCHES.map(({ name, title }) => `  ${name.padEnd(12)} ${title}`).join('\n');

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'string' } } });
  const bench = BENCHES.find(({ name }) => name === positionals[0]);
  if (bench === undefined || positionals.length !== 1) {
    console.error(`npm run bench -- NAME [--json FILE]\n${LIST}`);
    return 2;
  }
  const book = new FigureBook(bench.name, bench.bars);
  await bench.run(book);
  console.log(`\n${bench.name}: ${bench.title}\n${book.table()}`);
  if (values.json !== undefined) await book.write(values.json);
  return book.missed().size === 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
process.exit();
