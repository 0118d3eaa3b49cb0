/** Commands of the reports of drills: report, verify, trend, keys. */
import { type Command, Option } from 'commander';
import type { ReportFlags, TrendFlags } from '../drill/report-command.ts';
import type { VerifyFlags } from '../drill/verify-command.ts';
import type { GlobalFlags } from './connect-hub.ts';
import type { Run } from './program.ts';

const form = (): Option => new Option('-o, --output <format>', 'form').choices(['table', 'json']).default('table');

/** Adds them to `drill`. */
export function addDrillReportCommands(drill: Command, run: Run): void {
  addReport(drill, run);
  addVerify(drill, run);
  drill
    .command('trend')
    .description('the runs of a drill beside each other, the newest first')
    .argument('<drill>')
    .option('--limit <count>', 'how many (default: 50)')
    .addOption(form())
    .action((name: string, _flags: unknown, command: Command) =>
      run(async () => (await import('../drill/report-command.ts')).trendCommand(name, command.optsWithGlobals<TrendFlags>())),
    );
  drill
    .command('keys')
    .description('the keys that reports are signed with, for drill verify --key')
    .option('-o, --out <file>', 'write them there')
    .action((_flags: unknown, command: Command) =>
      run(async () => (await import('../drill/report-command.ts')).keysCommand(command.optsWithGlobals<GlobalFlags & { out?: string }>())),
    );
}

function addReport(drill: Command, run: Run): void {
  drill
    .command('report')
    .description('the signed report of a run that is over')
    .argument('<run>', 'the run, or its drill: of that the newest')
    .addOption(
      new Option(
        '--format <format>',
        'json, html (one file, to be printed or sent), or md (default: by the name of FILE, else md)',
      ).choices([...['json', 'html', 'md']]),
    )
    .option('-o, --out <file>', 'write it there')
    .addHelpText('after', REPORT_HELP)
    .action((name: string, _flags: unknown, command: Command) =>
      run(async () => (await import('../drill/report-command.ts')).reportCommand(name, command.optsWithGlobals<ReportFlags>())),
    );
}

const REPORT_HELP = `
Examples:
  hawser drill report us-east-loss-20260310-0900
  hawser drill report us-east-loss-20260310-0900 -o report.html
  hawser drill report us-east-loss-20260310-0900 -o report.json`;

function addVerify(drill: Command, run: Run): void {
  drill
    .command('verify')
    .description('whether a report (its JSON form) is as it was signed, and by whom; asks no hub')
    .argument('<file>')
    .option('--key <file>', 'key that is believed: a JWK, a set of them, or PEM')
    .option('--key-id <thumbprint>', 'the same by its thumbprint: the key within the report is believed if it has this one')
    .addOption(form())
    .addHelpText('after', VERIFY_HELP)
    .action((file: string, _flags: unknown, command: Command) =>
      run(async () => (await import('../drill/verify-command.ts')).verifyCommand(file, command.optsWithGlobals<VerifyFlags>())),
    );
}

const VERIFY_HELP = `
Exits 0 when it is, 1 when it is not; each reason has a name: truncated, unreadable, wrong-version,
unknown-key, bad-signature, or edited with the part that was.

Example:
  hawser drill keys -o keys.json                  # once, from a hub that you trust
  hawser drill verify report.json --key keys.json`;
