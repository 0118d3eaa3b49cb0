/** Commands over resources: apply, diff, get, describe, delete, explain. */
import { type Command, Option } from 'commander';
import type { ApplyFlags } from '../apply/apply-command.ts';
import type { DiffFlags } from '../diff/diff-command.ts';
import type { DeleteFlags } from '../resources/delete-command.ts';
import type { DescribeFlags } from '../resources/describe-command.ts';
import type { GetFlags } from '../resources/get-command.ts';
import type { Run } from './program.ts';

/** Adds them. */
export function addResourceCommands(program: Command, run: Run): void {
  addApply(program, run);
  addDiff(program, run);
  addGet(program, run);
  addDescribe(program, run);
  addDelete(program, run);
  program
    .command('explain')
    .description('show the fields of a kind')
    .argument('<kind>', 'a kind, or a field of it: vs.http.route')
    .addHelpText('after', '\nExamples:\n  hawser explain failoverpolicy\n  hawser explain vs.http.route')
    .action((path: string) => run(async () => (await import('../resources/explain-command.ts')).explainCommand(path)));
}

function addApply(program: Command, run: Run): void {
  program
    .command('apply')
    .description('write resources: create what is new, configure what differs, leave the rest')
    .requiredOption('-f, --filename <path...>', 'file, folder, or - for standard input')
    .option('-n, --namespace <name>', 'for resources that name none', 'default')
    .option('--dry-run', 'let the hub check everything and change nothing')
    .option('--allow-unresolved', 'also what refers to services, subsets or regions that are not there yet')
    .option('--wait', 'until every proxy it concerns has acknowledged')
    .option('--timeout <duration>', 'how long to wait', '30s')
    .addOption(new Option('-o, --output <format>', 'print the results as JSON').choices(['json']))
    .addHelpText(
      'after',
      `
Everything is read and checked before the first write. A resource that the hub refuses does not keep the others from being applied.

Examples:
  hawser apply -f policy.yaml --wait
  hawser apply -f policies/ --dry-run
  kubectl get vs reviews -o yaml | hawser apply -f -`,
    )
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../apply/apply-command.ts')).applyCommand(command.optsWithGlobals<ApplyFlags>())),
    );
}

function addDiff(program: Command, run: Run): void {
  program
    .command('diff')
    .description('show what apply would change; exits 0 when nothing, 1 when something, 2 when that cannot be said')
    .requiredOption('-f, --filename <path...>', 'file, folder, or - for standard input')
    .option('-n, --namespace <name>', 'for resources that name none', 'default')
    .option('--delete', 'what deleting them would change')
    .option('--envoy', 'ask every cluster what it would change at its proxies')
    .option('--cluster <name...>', 'ask these clusters alone (implies --envoy)')
    .addOption(new Option('-o, --output <format>', 'form').choices(['json', 'table']).default('table'))
    .addHelpText('after', '\nExamples:\n  hawser diff -f policy.yaml\n  hawser diff -f policy.yaml --envoy --cluster us-east')
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../diff/diff-command.ts')).diffCommand(command.optsWithGlobals<DiffFlags>())),
    );
}

function addGet(program: Command, run: Run): void {
  program
    .command('get')
    .description('list resources of a kind, or one')
    .argument('<kind>', 'kind, plural or short name; KIND/NAME works too')
    .argument('[name]')
    .option('-n, --namespace <name>', 'namespace (default: default)')
    .option('-A, --all-namespaces', 'in every namespace')
    .option('-l, --selector <labels>', 'label selector: team=web,tier!=cache')
    .addOption(new Option('-o, --output <format>', 'form').choices(['table', 'wide', 'json', 'yaml', 'name']).default('table'))
    .option('-w, --watch', 'go on and print what changes')
    .addHelpText('after', '\nExamples:\n  hawser get clusters\n  hawser get vs -A -o wide\n  hawser get fp reviews -n bookinfo -o yaml')
    .action((kind: string, name: string | undefined, _flags: unknown, command: Command) =>
      run(async () => (await import('../resources/get-command.ts')).getCommand(kind, name, command.optsWithGlobals<GetFlags>())),
    );
}

function addDescribe(program: Command, run: Run): void {
  program
    .command('describe')
    .description('show one resource with its conditions and its rollout')
    .argument('<kind>', 'kind, plural or short name; KIND/NAME works too')
    .argument('[name]')
    .option('-n, --namespace <name>', 'namespace (default: default)')
    .addHelpText('after', '\nExample:\n  hawser describe vs reviews -n bookinfo')
    .action((kind: string, name: string | undefined, _flags: unknown, command: Command) =>
      run(async () =>
        (await import('../resources/describe-command.ts')).describeCommand(kind, name, command.optsWithGlobals<DescribeFlags>()),
      ),
    );
}

function addDelete(program: Command, run: Run): void {
  program
    .command('delete')
    .description('delete resources by kind and name, or those a file holds')
    .argument('[kind]', 'kind, plural or short name; KIND/NAME works too')
    .argument('[names...]')
    .option('-f, --filename <path...>', 'file, folder, or - for standard input')
    .option('-n, --namespace <name>', 'namespace (default: default)')
    .option('--ignore-not-found', 'what is not there is no error')
    .option('--wait', 'until every proxy it concerns has acknowledged')
    .option('--timeout <duration>', 'how long to wait', '30s')
    .addHelpText('after', '\nExamples:\n  hawser delete vs reviews -n bookinfo\n  hawser delete -f policy.yaml')
    .action((kind: string | undefined, names: string[], _flags: unknown, command: Command) =>
      run(async () => (await import('../resources/delete-command.ts')).deleteCommand(kind, names, command.optsWithGlobals<DeleteFlags>())),
    );
}
