/** Commands of drains: start, plan, status, renew, restore, redrain, promote, approve. */
import { type Command, Option } from 'commander';
import type { DrainFlags } from '../drain/drain-request.ts';
import type { StartFlags } from '../drain/start-command.ts';
import type { StatusFlags, SteerFlags } from '../drain/steer-command.ts';
import type { Run } from './program.ts';

/** Adds them. */
export function addDrainCommands(program: Command, run: Run): void {
  const drain = program.command('drain').description('take the traffic of a region, cluster, zone or gateway elsewhere, and back');
  addStart(drain, run);
  addPlan(drain, run);
  addStatus(drain, run);
  addSteering(drain, run);
}

const form = (): Option => new Option('-o, --output <format>', 'form').choices(['table', 'json']).default('table');

function scoped(command: Command): Command {
  return command
    .argument('[region]')
    .option('--cluster <name>', 'a cluster in place of a region')
    .option('--zone <region/zone>', 'a zone')
    .option('--gateway <cluster>', 'what reaches this cluster through its gateway')
    .option('--service <ns/name...>', 'these services alone (default: all)')
    .option('--namespace <ns...>', 'the services of these namespaces alone')
    .option('--emergency', 'at once, whatever the load: only that somebody is left for everything is looked at')
    .option('--steps <percents>', 'how it goes, such as 10,25:5m,100 (default: 10,25,50,100)')
    .option('--hold <duration>', 'how long each step stays (default: 60s)')
    .option('--wave <services...>', 'services that leave one wave after another: NAMESPACE/SERVICE or NAMESPACE/*, with commas between')
    .option('--restore-steps <percents>', 'how it comes back (default: 10,50,100)')
    .option('--restore-approvals <number>', 'how many others must approve before it comes back (default: 0)')
    .option('--to <place...>', 'who takes it: REGION, cluster:NAME, with =WEIGHT (default: the order of each service)')
    .option('--override <rule...>', 'rules that do not hold for it, by name; the audit shows them')
    .option('--force', 'go without known headroom, and without traffic that was seen to move')
    .addOption(form());
}

function addStart(drain: Command, run: Run): void {
  scoped(drain.command('start'))
    .description('start a drain, and show how it goes')
    .requiredOption('--reason <text>', 'why, for whoever sees it later')
    .option('--ticket <url>', 'what it belongs to')
    .option('--expires-in <duration>', 'when it comes back by itself, at most 72h (default: 4h)')
    .addOption(new Option('--on-expire <what>', 'what happens then').choices(['restoreIfReady', 'hold']))
    .option('--name <name>', 'of the Drain (default: from what is drained)')
    .option('--yes', 'what it moves is known')
    .option('--no-wait', 'return when it has begun')
    .option('--timeout <duration>', 'how long it is followed (default: until it is drained)')
    .addHelpText('after', START_HELP)
    .action((region: string | undefined, _flags: unknown, command: Command) =>
      run(async () => (await import('../drain/start-command.ts')).startCommand(region, command.optsWithGlobals<StartFlags>())),
    );
}

const START_HELP = `
Exits 0 when it is drained, 1 when it was refused or ended otherwise, 4 when the time was over.

Examples:
  hawser drain start us-east --reason "upgrade of the core switches" --ticket https://tickets.example/4711
  hawser drain start --cluster us-east-2 --emergency --reason "it answers with errors" --yes
  hawser drain start us-west --reason "new racks" --wave bookinfo/productpage --wave bookinfo/reviews,bookinfo/details
  hawser drain start eu-west --steps 25:5m,100 --expires-in 8h --reason "a drill" --yes`;

function addPlan(drain: Command, run: Run): void {
  scoped(drain.command('plan'))
    .description('what a drain would move, what its destinations would bear, and which rule stands against it (exit code 1)')
    .addHelpText('after', '\nExample:\n  hawser drain plan us-east')
    .action((region: string | undefined, _flags: unknown, command: Command) =>
      run(async () => (await import('../drain/start-command.ts')).planCommand(region, command.optsWithGlobals<DrainFlags>())),
    );
}

function addStatus(drain: Command, run: Run): void {
  drain
    .command('status')
    .description('the drains under way, those of agents alone among them; or one, by its name or its place')
    .argument('[name]')
    .option('--all', 'those that have ended too')
    .option('-w, --watch', 'follow the one that is named')
    .addOption(form())
    .action((name: string | undefined, _flags: unknown, command: Command) =>
      run(async () => (await import('../drain/steer-command.ts')).drainStatusCommand(name, command.optsWithGlobals<StatusFlags>())),
    );
}

const SAID = {
  renew: 'let its time begin anew',
  restore: 'bring the traffic back, in the steps of its restore',
  redrain: 'turn a restore around: what has come back goes away again',
  promote: 'take the next step now, without holding the present one',
  approve: 'approve that the traffic comes back, which another asked for',
} as const;

function addSteering(drain: Command, run: Run): void {
  for (const said of Object.keys(SAID) as (keyof typeof SAID)[]) {
    const command = drain
      .command(said)
      .description(SAID[said])
      .argument('<name>', 'of the drain, or of its place')
      .option('--reason <text>', 'why, for the audit')
      .option('--no-wait', 'do not follow it')
      .option('--timeout <duration>', 'how long it is followed')
      .addOption(form());
    if (said === 'restore') command.option('--force', 'come back without readiness');
    command.action((name: string, _flags: unknown, given: Command) =>
      run(async () => (await import('../drain/steer-command.ts')).steerCommand(name, said, given.optsWithGlobals<SteerFlags>())),
    );
  }
}
