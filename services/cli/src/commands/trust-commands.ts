/** Commands of trust: rotate, import. */
import { type Command, Option } from 'commander';
import type { ImportFlags } from '../trust/import-command.ts';
import type { RotateFlags } from '../trust/rotate-command.ts';
import type { Run } from './program.ts';

/** Adds them. */
export function addTrustCommands(program: Command, run: Run): void {
  const trust = program.command('trust').description('whom the clusters trust, and by which roots');
  addRotate(trust, run);
  addImport(trust, run);
}

function addImport(trust: Command, run: Run): void {
  trust
    .command('import')
    .description("on the agent's machine: bring a root, or an intermediate with its chain, for a cluster's authority")
    .requiredOption('--cluster <name>', 'whose authority it will be')
    .option('--cert <file>', 'the CA certificate, PEM')
    .option('--key <file>', 'its private key, PEM; it stays on this machine, encrypted')
    .option('--chain <file>', 'the certificates above an intermediate, up to the root, PEM')
    .option('--p12 <file>', 'all of these in a PKCS#12 container')
    .option('--password-file <file>', 'holds the password of the container, or of an encrypted key')
    .option('--identity-dir <dir>', "folder of the cluster's keys, where its agents share one (default: in the state folder)")
    .option('--ca-key-file <file>', "what the cluster's signing keys are encrypted with, as given to its agent")
    .option('--discard', 'forget what was imported and no rotation took yet')
    .addHelpText('after', IMPORT_HELP)
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../trust/import-command.ts')).importCommand(command.optsWithGlobals<ImportFlags>())),
    );
}

const IMPORT_HELP = `
It is checked, and its root is given to every cluster that trusts this one; nothing is signed with it until a rotation takes it.
A cluster whose agent has not started yet begins with it.

Examples:
  hawser trust import --cluster us-east --cert root.pem --key root.key
  hawser trust import --cluster us-east --cert intermediate.pem --key intermediate.key --chain chain.pem
  hawser trust import --cluster us-east --p12 ca.p12 --password-file password
  hawser trust rotate us-east --kind intermediate --watch`;

function addRotate(trust: Command, run: Run): void {
  trust
    .command('rotate')
    .description("replace a cluster's root, or the intermediate below it, without losing a request")
    .argument('<cluster>')
    .addOption(new Option('--kind <kind>', 'what is replaced (default: root)').choices(['root', 'intermediate']))
    .option('--at <time>', 'when to begin, such as 2026-12-01T03:00:00Z (default: now)')
    .option('--away-after <duration>', 'how long a silent cluster is waited for before the new root is used without it (default: 10m)')
    .option('--watch', 'stay until it is done, and show who is waited for')
    .option('--timeout <duration>', 'how long --watch stays (default: until the end)')
    .option('--status', 'show the newest rotation, and begin none')
    .option('--pause', 'go no further than the present phase')
    .option('--resume', 'go on')
    .option('--rollback', 'sign with the one before again; possible until it retires')
    .option('--retire-now', 'do not wait for proxies and clusters that are away: they are refused until they are back')
    .option('--emergency', 'the root was stolen: refuse it at once, whoever loses connections by that')
    .option('--yes', 'what --emergency breaks is known')
    .addOption(new Option('-o, --output <format>', 'form').choices(['table', 'json']).default('table'))
    .addHelpText('after', ROTATE_HELP)
    .action((cluster: string, _flags: unknown, command: Command) =>
      run(async () => (await import('../trust/rotate-command.ts')).rotateCommand(cluster, command.optsWithGlobals<RotateFlags>())),
    );
}

const ROTATE_HELP = `
Phases: Preparing (everybody gets the new root), Activating (everything is signed with it), Tainting (the last old certificate goes),
Retiring (the old root goes), Done. A cluster that was away comes back by itself; one whose credentials have expired joins again:
hawser cluster join NAME --region REGION, and its agent with that token.

Examples:
  hawser trust rotate us-east --watch
  hawser trust rotate us-east --kind intermediate --at 2026-12-01T03:00:00Z
  hawser trust rotate us-east --pause
  hawser trust rotate us-east --emergency               # says what it would break; --yes does it`;
