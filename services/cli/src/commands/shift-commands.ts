/** Commands of shifts in steps: start, status, promote, pause, resume, abort, retry, approve. */
import { type Command, Option } from 'commander';
import type { ShiftFlags, ShiftWord } from '../shift/shift-command.ts';
import type { StartFlags } from '../shift/start-command.ts';
import type { Run } from './program.ts';

const WORDS: readonly (readonly [word: ShiftWord, description: string])[] = [
  ['status', 'where it is, its weights as asked, acknowledged and measured, and what it waits for'],
  ['promote', 'go on to the next step, past a pause or what could not be measured; never past an acknowledgement, a guard or an approval'],
  ['pause', 'stay where it is; guardrails and deadline hold all the same'],
  ['resume', 'go on after a pause'],
  ['abort', 'back to the start weights, at once'],
  ['retry', 'begin anew after it went back'],
  ['approve', 'let an approval step pass, as another than who asked for the shift'],
];

/** Adds them. */
export function addShiftCommands(program: Command, run: Run): void {
  const shift = program.command('shift').description('move traffic in steps: TrafficShifts that have them');
  common(shift.command('start'))
    .description('apply a TrafficShift with steps, and show how it goes on')
    .requiredOption('-f, --filename <file>', 'the TrafficShift; - for standard input')
    .addHelpText('after', START_HELP)
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../shift/start-command.ts')).startShift(command.optsWithGlobals<StartFlags>())),
    );
  for (const [word, description] of WORDS) {
    common(shift.command(word))
      .description(description)
      .argument('<name>', 'the TrafficShift')
      .option('--reason <text>', 'why, for the audit')
      .addHelpText('after', `\nExamples:\n  hawser shift ${word} reviews -n bookinfo\n  hawser shift ${word} reviews -n bookinfo --watch`)
      .action((name: string, _flags: unknown, command: Command) =>
        run(async () => (await import('../shift/shift-command.ts')).shiftCommand(word, name, command.optsWithGlobals<ShiftFlags>())),
      );
  }
}

function common(command: Command): Command {
  return command
    .option('-n, --namespace <name>', 'namespace (default: default)')
    .option('-w, --watch', 'show how it goes on until it ends: 0 when it is as it was asked for, 1 when not')
    .option('--timeout <duration>', 'longest time to watch, such as 10m; then 4')
    .addOption(new Option('-o, --output <format>', 'form').choices(['table', 'json']).default('table'));
}

const START_HELP = `
It begins at once, or when its schedule says; each step waits until the proxies have acknowledged it and the traffic is seen where it was sent.
What is against it is said with the name of the rule. Without --watch the command ends when the hub has taken the shift.

Examples:
  hawser shift start -f reviews-v2.yaml --watch
  hawser shift status reviews-v2 -n bookinfo
  hawser shift abort reviews-v2 -n bookinfo --reason "errors in checkout"`;
