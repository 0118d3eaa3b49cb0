/** Commands of drills and their runs: plan, readiness, calendar, run, status, approve, deny, abort, restore, note. */
import { type Command, Option } from 'commander';
import type { CalendarFlags, DrillPlanFlags } from '../drill/outlook-command.ts';
import type { RunFlags, RunStatusFlags, SayFlags } from '../drill/run-command.ts';
import type { ViewFlags } from '../views/status-command.ts';
import type { Run } from './program.ts';

/** Adds them to `drill`. */
export function addDrillRunCommands(drill: Command, run: Run): void {
  addRun(drill, run);
  addStatus(drill, run);
  addSaid(drill, run);
  addPlan(drill, run);
  addReadiness(drill, run);
  addCalendar(drill, run);
}

const form = (): Option => new Option('-o, --output <format>', 'form').choices(['table', 'json']).default('table');
const OVERRIDE = 'rules that do not hold for it, by name; the audit shows them';

function addRun(drill: Command, run: Run): void {
  drill
    .command('run')
    .description('run a drill now, and show how it goes')
    .argument('<drill>')
    .requiredOption('--reason <text>', 'why, for whoever sees it later')
    .option('--live', 'make it fail for real, whatever its mode says')
    .option('--dry-run', 'look at everything and change nothing, whatever its mode says')
    .option('--override <rule...>', OVERRIDE)
    .option('--yes', 'what it moves is known')
    .option('--no-wait', 'return when it was asked for')
    .option('--timeout <duration>', 'how long it is followed (default: to its end)')
    .addOption(form())
    .addHelpText('after', RUN_HELP)
    .action((name: string, _flags: unknown, command: Command) =>
      run(async () => (await import('../drill/run-command.ts')).runDrillCommand(name, command.optsWithGlobals<RunFlags>())),
    );
}

const RUN_HELP = `
Exits 0 when it passed, 1 when it was refused or came to something else, 4 when the time was over.

Examples:
  hawser drill run lose-us-east --reason "does it hold?" --dry-run
  hawser drill run lose-us-east --reason "quarterly drill" --live --yes`;

function addStatus(drill: Command, run: Run): void {
  drill
    .command('status')
    .description('the runs under way, or one, by its name or that of its drill')
    .argument('[run]')
    .option('--all', 'those that are over too')
    .option('-w, --watch', 'follow the one that is named; exits as run does')
    .option('--timeout <duration>', 'how long it is followed (default: to its end)')
    .addOption(form())
    .action((name: string | undefined, _flags: unknown, command: Command) =>
      run(async () => (await import('../drill/run-command.ts')).runStatusCommand(name, command.optsWithGlobals<RunStatusFlags>())),
    );
}

const SAID = {
  approve: 'consent to a run that somebody else asked for',
  deny: 'refuse it: it is skipped',
  abort: 'end it now, and put everything back as it was',
  restore: 'put everything back in a run that is held until somebody says so (restore.mode manual)',
} as const;

function addSaid(drill: Command, run: Run): void {
  const say = async (
    name: string,
    said: Parameters<typeof import('../drill/run-command.ts').sayToRunCommand>[1],
    flags: SayFlags,
  ): Promise<number> => (await import('../drill/run-command.ts')).sayToRunCommand(name, said, flags);
  for (const said of Object.keys(SAID) as (keyof typeof SAID)[]) {
    const command = drill
      .command(said)
      .description(SAID[said])
      .argument('<run>', 'the run, or its drill')
      .option('--reason <text>', 'why, for the report')
      .addOption(form());
    if (said === 'abort' || said === 'restore')
      command.option('--no-wait', 'do not follow it').option('--timeout <duration>', 'how long it is followed');
    command.action((name: string, _flags: unknown, given: Command) => run(() => say(name, said, given.optsWithGlobals<SayFlags>())));
  }
  drill
    .command('note')
    .description('write something down in the report of a run that goes on')
    .argument('<run>', 'the run, or its drill')
    .argument('<text>')
    .addOption(form())
    .action((name: string, reason: string, _flags: unknown, given: Command) =>
      run(() => say(name, 'note', { ...given.optsWithGlobals<SayFlags>(), reason })),
    );
}

function addPlan(drill: Command, run: Run): void {
  drill
    .command('plan')
    .description('what a drill would move, what its destinations would bear, and which rule stands against it (exit code 1)')
    .argument('<drill>')
    .option('--override <rule...>', OVERRIDE)
    .addOption(form())
    .action((name: string, _flags: unknown, command: Command) =>
      run(async () => (await import('../drill/outlook-command.ts')).drillPlanCommand(name, command.optsWithGlobals<DrillPlanFlags>())),
    );
}

function addReadiness(drill: Command, run: Run): void {
  drill
    .command('readiness')
    .description('whether a drill, or each of them, could begin, and what is missing (exit code 1)')
    .argument('[drill]')
    .addOption(form())
    .action((name: string | undefined, _flags: unknown, command: Command) =>
      run(async () => (await import('../drill/outlook-command.ts')).readinessCommand(name, command.optsWithGlobals<ViewFlags>())),
    );
}

function addCalendar(drill: Command, run: Run): void {
  drill
    .command('calendar')
    .description('when drills start by their schedules, and what keeps them from it')
    .option('--days <count>', 'how far it looks ahead (default: 30)')
    .addOption(form())
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../drill/outlook-command.ts')).calendarCommand(command.optsWithGlobals<CalendarFlags>())),
    );
}
