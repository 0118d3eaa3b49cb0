/** Commands of trust: roots, status, verify, export, rotate, import, reencrypt. */
import { type Command, Option } from 'commander';
import type { ExportFlags } from '../trust/export-command.ts';
import type { ImportFlags } from '../trust/import-command.ts';
import type { ReencryptFlags } from '../trust/reencrypt-command.ts';
import type { RotateFlags } from '../trust/rotate-command.ts';
import type { ViewFlags } from '../views/status-command.ts';
import type { Run } from './program.ts';

/** Adds them. */
export function addTrustCommands(program: Command, run: Run): void {
  const trust = program.command('trust').description('whom the clusters trust, and by which roots');
  addViews(trust, run);
  addRotate(trust, run);
  addImport(trust, run);
  addReencrypt(trust, run);
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

function addReencrypt(trust: Command, run: Run): void {
  trust
    .command('reencrypt')
    .description("on the agent's machine: replace the key that a cluster's signing keys are encrypted with at rest")
    .requiredOption('--cluster <name>', 'whose authority it is')
    .option('--new-ca-key-file <file>', 'holds the new key (default: one is made, where the old one lies in the identity folder)')
    .option('--ca-key-file <file>', 'holds the old key, as given to its agent')
    .option('--identity-dir <dir>', "folder of the cluster's keys, where its agents share one (default: in the state folder)")
    .addHelpText('after', REENCRYPT_HELP)
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../trust/reencrypt-command.ts')).reencryptCommand(command.optsWithGlobals<ReencryptFlags>())),
    );
}

const REENCRYPT_HELP = `
Nothing that is signed changes, and no proxy notices. Stopped half way, it is run again: what lies there opens with the old key or the new one.
A file may hold both, the new one first: agents that are given such a file start before and after.

Examples:
  hawser trust reencrypt --cluster us-east
  openssl rand -base64 32 > new.key && chmod 600 new.key
  hawser trust reencrypt --cluster us-east --ca-key-file old.key --new-ca-key-file new.key`;

const IMPORT_HELP = `
It is checked, and its root is given to every cluster that trusts this one; nothing is signed with it until a rotation takes it.
A cluster whose agent has not started yet begins with it.

Examples:
  hawser trust import --cluster us-east --cert root.pem --key root.key
  hawser trust import --cluster us-east --cert intermediate.pem --key intermediate.key --chain chain.pem
  hawser trust import --cluster us-east --p12 ca.p12 --password-file password
  hawser trust rotate us-east --kind intermediate --watch`;

function addViews(trust: Command, run: Run): void {
  const form = (): Option => new Option('-o, --output <format>', 'form').choices(['table', 'json']).default('table');
  trust
    .command('roots')
    .description('every root that is believed: of which trust domain, its state, and until when')
    .argument('[trust-domain]', 'this one alone')
    .addOption(form())
    .addHelpText('after', '\nExamples:\n  hawser trust roots\n  hawser trust roots us-east.hawser -o json      # with the certificates')
    .action((name: string | undefined, _flags: unknown, command: Command) =>
      run(async () => (await import('../trust/trust-domains.ts')).rootsCommand(name, command.optsWithGlobals<ViewFlags>())),
    );
  trust
    .command('status')
    .description('the trust domains: whom each believes, when its first root ends, and which proxies have not its newest bundle')
    .addOption(form())
    .addHelpText('after', STATUS_HELP)
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../trust/trust-domains.ts')).trustStatusCommand(command.optsWithGlobals<ViewFlags>())),
    );
  trust
    .command('verify')
    .description('which bundle a certificate verifies against, and everything that keeps it from being the SVID of a workload')
    .argument('<file>', 'PEM: the leaf, then what is between it and a root; - for standard input')
    .addOption(form())
    .addHelpText('after', '\nExits 0 when it is good, 1 when it is not.\n\nExample:\n  hawser trust verify svid.pem')
    .action((file: string, _flags: unknown, command: Command) =>
      run(async () => (await import('../trust/verify-svid.ts')).verifyCommand(file, command.optsWithGlobals<ViewFlags>())),
    );
  trust
    .command('export')
    .description('write the bundle of a trust domain to a file; certificates alone, there is no key to be had')
    .argument('<trust-domain>')
    .requiredOption('--out <file>', 'where to')
    .addOption(
      new Option('-o, --output <format>', 'p12: a trust store, as for Java; spiffe: as bundle endpoints give it')
        .choices(['pem', 'p12', 'spiffe'])
        .default('pem'),
    )
    .option('--password <text>', 'of a p12, which it keeps from being changed (default: changeit, as Java has it)')
    .addHelpText('after', EXPORT_HELP)
    .action((name: string, _flags: unknown, command: Command) =>
      run(async () => (await import('../trust/export-command.ts')).exportCommand(name, command.optsWithGlobals<ExportFlags>())),
    );
}

const STATUS_HELP = `
Who trusts whom is written in TrustDomain resources, by both sides: a server believes callers of the trust domains that its own one
federates with, a client believes servers of those. Without any, all clusters trust each other.

Examples:
  hawser trust status
  hawser explain trustdomain.spec.federatesWith`;

const EXPORT_HELP = `
Examples:
  hawser trust export us-east.hawser --out us-east.pem
  hawser trust export us-east.hawser -o p12 --out truststore.p12
  hawser trust export us-east.hawser -o spiffe --out bundle.json    # the same as GET /spiffe/v1/bundles/us-east.hawser of the hub`;

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
