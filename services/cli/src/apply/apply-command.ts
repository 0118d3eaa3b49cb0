/** `hawser apply -f`: the command around `applyAll`. */
import { connectHub, type GlobalFlags } from '../commands/connect-hub.ts';
import { durationFlag } from '../commands/duration-flag.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { loadManifests } from '../manifest/load-manifests.ts';
import type { Problem } from '../manifest/manifest.ts';
import { note, print, printJson } from '../output/print.ts';
import { terminal } from '../output/terminal.ts';
import { type ApplyOutcome, applyAll } from './apply.ts';
import { type ApplyResult, problemText, refusalText, resultName, warningText } from './apply-result.ts';
import { progressLine } from './progress-line.ts';

/** Flags of `apply`. */
export interface ApplyFlags extends GlobalFlags {
  readonly filename: string[];
  readonly namespace?: string;
  readonly dryRun?: boolean;
  readonly allowUnresolved?: boolean;
  readonly wait?: boolean;
  readonly timeout: string;
  readonly output?: 'json';
}

/** Runs the command. Nothing is sent unless every file can be read and every document is one. */
export async function applyCommand(flags: ApplyFlags): Promise<ExitCode> {
  const timeoutMs = durationFlag('--timeout', flags.timeout);
  const { manifests, problems } = await loadManifests(flags.filename, flags.namespace ?? 'default');
  if (problems.length > 0) return refuseAll(problems, flags);
  if (manifests.length === 0) throw new Error(`${flags.filename.join(', ')}: there is no resource in it`);
  const hub = connectHub(flags);
  const progress = progressLine();
  const outcome = await applyAll(hub, manifests, {
    dryRun: flags.dryRun === true,
    allowUnresolved: flags.allowUnresolved === true,
    wait: flags.wait === true ? { timeoutMs, progress: progress.show, lively: progress.lively } : undefined,
    onResult: (result, found, manifest) => {
      terminal().stderr.write(problemText(found) + warningText(manifest, result.warnings));
      if (flags.output === undefined && result.action !== 'failed') print(resultLine(result, flags));
    },
  });
  progress.end();
  if (flags.output === 'json') printJson({ results: outcome.results });
  else if (flags.wait === true && flags.dryRun !== true) printRollouts(outcome);
  if (outcome.exit === EXIT.timedOut) note(timedOut(outcome, flags.timeout));
  return outcome.exit;
}

function refuseAll(problems: readonly Problem[], flags: ApplyFlags): ExitCode {
  terminal().stderr.write(problemText(problems));
  note('nothing was applied');
  if (flags.output === 'json')
    printJson({ results: [], errors: problems.map(({ place, subject, field, message }) => ({ ...place, subject, field, message })) });
  return EXIT.failed;
}

function resultLine(result: ApplyResult, flags: ApplyFlags): string {
  const where = result.namespace === '' ? '' : ` in ${result.namespace}`;
  const how = flags.dryRun === true ? ' (dry run)' : ` (revision ${result.revision})`;
  return `${resultName(result)} ${result.action}${where}${how}`;
}

function printRollouts({ results }: ApplyOutcome): void {
  const refusals = new Set<string>();
  for (const { proxies, nacks, durationMs, ...result } of results) {
    if (proxies === undefined || result.action === 'unchanged' || result.action === 'failed') continue;
    const refused = proxies.nacked > 0 ? `, ${proxies.nacked} refused` : '';
    print(
      `${resultName(result)}: ${proxies.acked} of ${proxies.expected} proxies acknowledged${refused} in ${Math.round(durationMs ?? 0)} ms`,
    );
    for (const nack of nacks ?? []) refusals.add(refusalText(nack));
  }
  for (const refusal of refusals) note(refusal);
}

function timedOut({ waitingFor }: ApplyOutcome, timeout: string): string {
  const who = waitingFor.length > 0 ? ` by ${waitingFor.join(', ')}` : '';
  return `not acknowledged within ${timeout}${who}; it stays applied: see "hawser proxy-status", or wait longer with --timeout`;
}
