/** Commands about when traffic may be moved, and who is told: freeze, notifications. */
import { type Command, Option } from 'commander';
import type { FreezeOnFlags } from '../steering/freeze-command.ts';
import type { ViewFlags } from '../views/status-command.ts';
import type { GlobalFlags } from './connect-hub.ts';
import type { Run } from './program.ts';
import { repeated } from './repeated.ts';

/** Adds them. */
export function addFreezeCommands(program: Command, run: Run): void {
  const freeze = program.command('freeze').description('times in which traffic is not moved');
  addOn(freeze, run);
  freeze
    .command('off')
    .description('end a freeze at once, for good')
    .argument('<name>')
    .action((name: string, _flags: unknown, command: Command) =>
      run(async () => (await import('../steering/freeze-command.ts')).freezeOffCommand(name, command.optsWithGlobals<GlobalFlags>())),
    );
  freeze
    .command('list')
    .description('the freezes, and which of them hold now')
    .addOption(outputOption())
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../steering/freeze-command.ts')).freezeListCommand(command.optsWithGlobals<ViewFlags>())),
    );
  program
    .command('notifications')
    .description('how the webhooks that are notified do')
    .addOption(outputOption())
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../steering/notifications-command.ts')).notificationsCommand(command.optsWithGlobals<ViewFlags>())),
    );
}

function addOn(freeze: Command, run: Run): void {
  freeze
    .command('on')
    .description('make a freeze, or change it: no traffic is moved while it holds, but in an emergency')
    .argument('<name>')
    .requiredOption('--reason <text>', 'why: whoever is refused reads it')
    .option('--for <duration>', 'how long it holds, such as 8h or 3d (default: until it is taken off)')
    .option('--until <time>', 'when it ends, such as 2027-01-02T08:00:00Z')
    .option('--blocked <window>', 'hold at these times of the week alone, such as Fri:18:00-Mon:08:00; may be repeated', repeated)
    .option('--allowed <window>', 'hold at all times but these; may be repeated', repeated)
    .option('--date <day>', 'hold on this day, such as 2026-12-24; may be repeated', repeated)
    .option('--time-zone <zone>', 'of windows and days, such as Europe/Berlin (default: UTC)')
    .option('--region <region>', 'only for moves out of this region; may be repeated', repeated)
    .option('--cluster <cluster>', 'only for moves out of this cluster; may be repeated', repeated)
    .option('--service <service>', 'only for moves of this service, NAMESPACE/NAME; may be repeated', repeated)
    .option('-n, --namespace <namespace>', 'only for moves of services of this namespace; may be repeated', repeated)
    .option('--no-emergency', 'emergencies are not let through either')
    .addHelpText('after', HELP)
    .action((name: string, _flags: unknown, command: Command) =>
      run(async () => (await import('../steering/freeze-command.ts')).freezeOnCommand(name, command.optsWithGlobals<FreezeOnFlags>())),
    );
}

const HELP = `
It needs the role approver. What must go on all the same names freeze/NAME in overrideSafetyRules, which is audited, or is an emergency.

Examples:
  hawser freeze on incident-42 --reason "we look into lost orders" --for 4h
  hawser freeze on weekends --reason "nobody is there" --blocked Fri:18:00-Mon:08:00 --time-zone Europe/Berlin`;

function outputOption(): Option {
  return new Option('-o, --output <format>', 'form').choices(['table', 'json']).default('table');
}
