/** Commands of access: token, audit. */
import { ROLES } from '@hawser/wire/access.ts';
import { type Command, Option } from 'commander';
import type { AuditFlags } from '../access/audit-command.ts';
import type { TokenCreateFlags } from '../access/token-commands.ts';
import type { ViewFlags } from '../views/status-command.ts';
import type { GlobalFlags } from './connect-hub.ts';
import type { Run } from './program.ts';
import { repeated } from './repeated.ts';

/** Adds them. */
export function addAccessCommands(program: Command, run: Run): void {
  const token = program.command('token').description("tokens of the hub's API");
  token
    .command('create')
    .description('make a token; it is all that stdout gets, and is never shown again')
    .argument('<name>', 'whose it is; the audit shows it')
    .addOption(new Option('--role <role>', 'what it may do').choices(ROLES).makeOptionMandatory())
    .option('--namespace <namespace>', 'good for this one alone; may be repeated', repeated)
    .option('--group <group>', 'of which its bearer is: some consents are asked of them; may be repeated', repeated)
    .option('--expires <duration>', 'how long it is good, such as 30d or 12h (default: until it is revoked)')
    .addOption(outputOption())
    .addHelpText('after', ROLES_HELP)
    .action((name: string, _flags: unknown, command: Command) =>
      run(async () => (await import('../access/token-commands.ts')).tokenCreateCommand(name, command.optsWithGlobals<TokenCreateFlags>())),
    );
  token
    .command('list')
    .description('the tokens, without their secrets')
    .addOption(outputOption())
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../access/token-commands.ts')).tokenListCommand(command.optsWithGlobals<ViewFlags>())),
    );
  token
    .command('revoke')
    .description('end a token at once')
    .argument('<name>')
    .action((name: string, _flags: unknown, command: Command) =>
      run(async () => (await import('../access/token-commands.ts')).tokenRevokeCommand(name, command.optsWithGlobals<GlobalFlags>())),
    );
  addAudit(program, run);
}

const ROLES_HELP = `
Roles: viewer reads; operator also writes traffic policy; approver also reads the audit and approves; admin also admits clusters and makes tokens.

Example:
  hawser token create ci --role operator --namespace bookinfo --expires 30d > ci.token`;

function addAudit(program: Command, run: Run): void {
  program
    .command('audit')
    .description('who did what and who was refused what, newest first')
    .option('--actor <name>', "a token's name, or join:CLUSTER")
    .option('--kind <kind>', 'such as VirtualService or Token')
    .option('-n, --namespace <namespace>')
    .option('--name <name>')
    .addOption(new Option('--outcome <outcome>').choices(['allowed', 'denied', 'failed']))
    .option('--since <duration>', 'how far back, such as 7d or 2h')
    .option('--limit <count>', 'how many at most', '50')
    .addOption(outputOption())
    .addHelpText('after', '\nExample:\n  hawser audit --kind VirtualService -n bookinfo --since 7d')
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../access/audit-command.ts')).auditCommand(command.optsWithGlobals<AuditFlags>())),
    );
}

function outputOption(): Option {
  return new Option('-o, --output <format>', 'form').choices(['table', 'json']).default('table');
}
