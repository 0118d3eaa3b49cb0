/** Every command, its flags and its help. What a command does is loaded when it runs. */
import { Command, CommanderError } from 'commander';
import { EXIT } from '../exit-code.ts';
import { terminal } from '../output/terminal.ts';
import { addAccessCommands } from './access-commands.ts';
import { addAnalysisCommands } from './analysis-commands.ts';
import { addDrainCommands } from './drain-commands.ts';
import { addDrillCommands } from './drill-commands.ts';
import { addFreezeCommands } from './freeze-commands.ts';
import { addInjectCommands } from './inject-commands.ts';
import { addPastCommands } from './past-commands.ts';
import { addProcessCommands } from './process-commands.ts';
import { addProxyCommands } from './proxy-commands.ts';
import { addResourceCommands } from './resource-commands.ts';
import { addShiftCommands } from './shift-commands.ts';
import { addTrustCommands } from './trust-commands.ts';
import { addViewCommands } from './view-commands.ts';

/** Runs a command's action and keeps its exit code. */
export type Run = (action: () => Promise<number> | number) => Promise<void>;

const EXAMPLES = `
Examples:
  hawser hub run                                        # a hub with its own PostgreSQL and NATS
  hawser cluster join us-east --region us-east          # prints a token for that cluster's agent
  hawser agent run --token TOKEN --registry-dir DIR     # on the cluster's machine
  hawser apply -f policy.yaml --wait                    # returns when every proxy has acknowledged
  hawser who-serves bookinfo/reviews --without us-west  # who answers when a region is gone

Exit codes: 0 done, 1 refused or failed, 2 usage, 3 a proxy refused its configuration, 4 timed out.
The hub is found by --server or HAWSER_SERVER with HAWSER_TOKEN, else by the state folder (.hawser).`;

/** Parses the arguments, runs one command and resolves with its exit code. Failures of the command are thrown. */
export async function runProgram(argv: readonly string[]): Promise<number> {
  let exit: number = EXIT.done;
  const program = createProgram(async (action) => {
    exit = await action();
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  }
  return exit;
}

/** The whole command line; `run` gets the action of the command that was given, to run it or not. */
export function createProgram(run: Run): Command {
  const program = new Command('hawser')
    .description('Federates Envoy meshes across clusters, regions and clouds.')
    .option('--server <url>', 'the hub (default: HAWSER_SERVER, else the one of the state folder)')
    .option('--ca-file <file>', "the hub's CA (default: HAWSER_CA_FILE, else ca.pem of the state folder, beside the roots of the system)")
    .option('--verbose', 'say on stderr what the hub was asked, and under which trace')
    .option('--state-dir <dir>', 'where state lives (default: HAWSER_STATE_DIR, else .hawser)')
    .addHelpText('after', EXAMPLES)
    .showHelpAfterError('(add --help for what there is)')
    .configureOutput({
      writeOut: (text) => void terminal().stdout.write(text),
      writeErr: (text) => void terminal().stderr.write(text),
    })
    .exitOverride();
  addResourceCommands(program, run);
  addAnalysisCommands(program, run);
  addPastCommands(program, run);
  addViewCommands(program, run);
  addAccessCommands(program, run);
  addShiftCommands(program, run);
  addFreezeCommands(program, run);
  addTrustCommands(program, run);
  addDrainCommands(program, run);
  addDrillCommands(program, run);
  addProcessCommands(program, run);
  addProxyCommands(program, run);
  addInjectCommands(program, run);
  inheritSettings(program);
  return program;
}

/** Commander copies settings at creation only for `command()`; set them for all, at any depth. */
function inheritSettings(command: Command): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command);
    inheritSettings(child);
  }
}
