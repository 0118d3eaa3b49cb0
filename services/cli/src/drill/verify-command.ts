/** `hawser drill verify`: whether a report is as it was signed. It asks nobody: no hub, no network. */
import { readFile } from 'node:fs/promises';
import { type ReportKey, type ReportProblem, reportKeyOf, verifyReport } from '@hawser/model/drill-report.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { note, print, printJson } from '../output/print.ts';
import { parseReportKeys } from './report-keys.ts';

/** Its flags. */
export interface VerifyFlags {
  readonly key?: string;
  readonly keyId?: string;
  readonly output: 'table' | 'json';
}

/** Exits 0 when the report is whole and one of the given keys signed it, 1 otherwise. */
export async function verifyCommand(file: string, flags: VerifyFlags): Promise<ExitCode> {
  const text = await contentOf(file);
  const { keys, isVouchedFor } = await keysFor(text, flags);
  const verified = verifyReport(text, keys);
  const unknown: readonly ReportProblem[] = isVouchedFor ? [] : [unpinned(keys)];
  const problems = 'problems' in verified ? verified.problems : unknown;
  if (flags.output === 'json') printJson({ file, verified: problems.length === 0, ...about(verified), problems });
  else if (problems.length > 0 || 'problems' in verified)
    for (const { rule, part, message } of problems) note(`${file}: ${rule}: ${part === '' ? '' : `${part} `}${message}`);
  else {
    const { run, drill, mode, outcome, endedAt } = verified.report.evidence;
    print(`${file} is as it was signed: ${run} of ${drill} (${mode}) ${outcome}, ended ${endedAt}`);
    print(`digest ${verified.digest}`);
    print(`signed with ${verified.report.signature.keyId}`);
  }
  return problems.length === 0 ? EXIT.done : EXIT.failed;
}

function about(verified: ReturnType<typeof verifyReport>): object {
  if ('problems' in verified) return {};
  const { evidence, signature } = verified.report;
  return { run: evidence.run, drill: evidence.drill, outcome: evidence.outcome, digest: verified.digest, keyId: signature.keyId };
}

/** Keys that were given; else the one within the report, which nobody vouches for unless its thumbprint was. */
async function keysFor(text: string, { key, keyId }: VerifyFlags): Promise<{ keys: readonly ReportKey[]; isVouchedFor: boolean }> {
  if (key !== undefined) {
    const given = parseReportKeys(await contentOf(key), key);
    return { keys: keyId === undefined ? given : given.filter(({ kid }) => kid === keyId), isVouchedFor: true };
  }
  const embedded = embeddedKey(text);
  if (keyId !== undefined) return { keys: embedded.filter(({ kid }) => kid === keyId), isVouchedFor: true };
  return { keys: embedded, isVouchedFor: false };
}

/** Without a key nothing is unknown but whose it is: a report that is damaged is told by its own. */
function embeddedKey(text: string): readonly ReportKey[] {
  try {
    const { publicKey } = (JSON.parse(text) as { readonly signature: { readonly publicKey: unknown } }).signature;
    return typeof publicKey === 'string' && Buffer.from(publicKey, 'base64url').length === 32 ? [reportKeyOf(publicKey)] : [];
  } catch {
    return [];
  }
}

function unpinned(keys: readonly ReportKey[]): ReportProblem {
  const id = keys.map(({ kid }) => kid).join(', ');
  const wayOut = 'give --key FILE (hawser drill keys -o FILE), or --key-id with the thumbprint that you were told';
  return {
    rule: 'unknown-key',
    part: 'signature.keyId',
    message: `is ${id}: nothing was edited since, but whoever made it may be anybody; ${wayOut}`,
  };
}

async function contentOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new AppError('file-unreadable', `${file} cannot be read: ${messageOf(error)}`);
  }
}
