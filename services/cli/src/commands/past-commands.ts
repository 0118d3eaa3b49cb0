/** Commands over the life of resources: history, rollback, wait; and completion of all commands. */
import { type Command, Option } from 'commander';
import type { HistoryFlags, RollbackFlags } from '../resources/history-command.ts';
import type { WaitFlags } from '../resources/wait-command.ts';
import type { GlobalFlags } from './connect-hub.ts';
import type { Run } from './program.ts';

/** Adds them. */
export function addPastCommands(program: Command, run: Run): void {
  addHistory(program, run);
  addRollback(program, run);
  addWait(program, run);
  program
    .command('completion')
    .description('print a script that completes commands, kinds and names')
    .argument('<shell>', 'bash, zsh or fish')
    .addHelpText('after', '\nExamples:\n  hawser completion bash > /etc/bash_completion.d/hawser\n  hawser completion fish | source')
    .action((shell: string) => run(async () => (await import('../resources/completion-command.ts')).completionCommand(shell)));
  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .action((words: string[], _flags: unknown, command: Command) =>
      run(async () => {
        const { completeCommand } = await import('../resources/completion-command.ts');
        return await completeCommand(program, words, command.optsWithGlobals<GlobalFlags>());
      }),
    );
}

function outputOption(): Option {
  return new Option('-o, --output <format>', 'form').choices(['table', 'json', 'yaml']).default('table');
}

function addHistory(program: Command, run: Run): void {
  program
    .command('history')
    .description('what was written to a resource, newest first; also of one that was deleted')
    .argument('<kind>', 'kind, plural or short name; KIND/NAME works too')
    .argument('[name]')
    .option('-n, --namespace <name>', 'namespace (default: default)')
    .option('--limit <count>', 'the newest alone')
    .addOption(outputOption())
    .addHelpText('after', '\nExamples:\n  hawser history vs reviews -n bookinfo\n  hawser history vs/reviews -n bookinfo --limit 1 -o yaml')
    .action((kind: string, name: string | undefined, _flags: unknown, command: Command) =>
      run(async () =>
        (await import('../resources/history-command.ts')).historyCommand(kind, name, command.optsWithGlobals<HistoryFlags>()),
      ),
    );
}

function addRollback(program: Command, run: Run): void {
  program
    .command('rollback')
    .description('write again what a resource was; a deleted one comes back')
    .argument('<kind>', 'kind, plural or short name; KIND/NAME works too')
    .argument('[name]')
    .option('--to <revision>', 'one of its history (default: the one before the last write)')
    .option('-n, --namespace <name>', 'namespace (default: default)')
    .option('--dry-run', 'let the hub check everything and change nothing')
    .option('--allow-unresolved', 'also what refers to services, subsets or regions that are not there')
    .option('--wait', 'until every proxy it concerns has acknowledged')
    .option('--timeout <duration>', 'how long to wait', '30s')
    .addOption(outputOption())
    .addHelpText(
      'after',
      '\nExamples:\n  hawser rollback vs reviews -n bookinfo --wait\n  hawser rollback vs reviews -n bookinfo --to 41 --dry-run -o yaml',
    )
    .action((kind: string, name: string | undefined, _flags: unknown, command: Command) =>
      run(async () =>
        (await import('../resources/history-command.ts')).rollbackCommand(kind, name, command.optsWithGlobals<RollbackFlags>()),
      ),
    );
}

function addWait(program: Command, run: Run): void {
  program
    .command('wait')
    .description('until a condition of a resource holds, or it is gone')
    .argument('<kind>', 'kind, plural or short name; KIND/NAME works too')
    .argument('[name]')
    .requiredOption('--for <what>', 'condition=TYPE, condition=TYPE=False, or delete')
    .option('-n, --namespace <name>', 'namespace (default: default)')
    .option('--timeout <duration>', 'how long to wait', '30s')
    .addHelpText(
      'after',
      '\nExamples:\n  hawser wait vs/reviews -n bookinfo --for=condition=Programmed\n  hawser wait cluster us-east --for=condition=Ready --timeout 1m',
    )
    .action((kind: string, name: string | undefined, _flags: unknown, command: Command) =>
      run(async () => (await import('../resources/wait-command.ts')).waitCommand(kind, name, command.optsWithGlobals<WaitFlags>())),
    );
}
