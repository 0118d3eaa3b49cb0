/** Commands of drills. */
import type { Command } from 'commander';
import { addDrillReportCommands } from './drill-report-commands.ts';
import { addDrillRunCommands } from './drill-run-commands.ts';
import type { Run } from './program.ts';

/** Adds them. */
export function addDrillCommands(program: Command, run: Run): void {
  const drill = program
    .command('drill')
    .description('failover drills: what they would do, how they go, what they came to, and the proof of it');
  addDrillRunCommands(drill, run);
  addDrillReportCommands(drill, run);
}
