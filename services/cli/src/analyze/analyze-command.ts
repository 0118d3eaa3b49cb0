/** `hawser analyze`: what is probably not meant, in files, in what the hub holds, or in both together. */
import { analyze } from '@hawser/model/analysis/analyze.ts';
import { SEVERITY_RANK } from '@hawser/model/analysis/finding.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import type { AnalysisFinding, AnalyzeAnswer } from '@hawser/wire/hub-api.ts';
import { connectHub, type GlobalFlags } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import type { Place, Problem } from '../manifest/manifest.ts';
import { note, print, printJson } from '../output/print.ts';
import { findingLines, summaryLine } from './finding-lines.ts';
import { readWrittenFiles, type WrittenFiles } from './written-files.ts';

/** Flags of `analyze`. */
export interface AnalyzeFlags extends GlobalFlags {
  readonly filename?: string[];
  readonly namespace: string;
  /** Undefined: with files, if one answers. */
  readonly hub?: boolean;
  readonly output: 'table' | 'json';
  readonly severity: SeverityWord;
  readonly failOn: SeverityWord | 'never';
}

/** Severities as flags name them, the worst first. */
export const SEVERITY_WORDS = ['error', 'warning', 'info'] as const;
export type SeverityWord = (typeof SEVERITY_WORDS)[number];

/** A finding with its place in a file, if it is in one. */
export type PlacedFinding = AnalysisFinding & Partial<Place>;

/** What was looked at. */
export interface Looked {
  readonly files: number;
  readonly resources: number;
  /** Resources of the hub; undefined when no hub was asked. */
  readonly stored: number | undefined;
}

/** Runs the command; exit code 1 when there is a finding as bad as `--fail-on`. */
export async function analyzeCommand(flags: AnalyzeFlags): Promise<ExitCode> {
  const written = await readWrittenFiles(flags.filename ?? [], flags.namespace);
  const answer = await answerOf(written, flags);
  const all = [...written.problems.map(brokenFile), ...answer.findings.map((finding) => placed(finding, written))];
  const shown = all.filter(({ severity }) => SEVERITY_RANK[severity] >= rankOf(flags.severity));
  const looked: Looked = { files: written.files, resources: written.resources.length, stored: answer.stored };
  if (flags.output === 'json') printJson({ findings: shown, omitted: answer.omitted, ...looked });
  else {
    for (const finding of shown) for (const line of findingLines(finding)) print(line);
    print(summaryLine(all, looked));
  }
  if (answer.omitted > 0) note(`${answer.omitted} findings more are not listed`);
  if (answer.complete === false) note('not all clusters have been heard yet: hosts and ports were not looked up');
  const fails = flags.failOn === 'never' ? Number.POSITIVE_INFINITY : rankOf(flags.failOn);
  return all.some(({ severity }) => SEVERITY_RANK[severity] >= fails) ? EXIT.failed : EXIT.done;
}

interface Answer {
  readonly findings: readonly AnalysisFinding[];
  readonly omitted: number;
  readonly stored: number | undefined;
  readonly complete: boolean | undefined;
}

async function answerOf(written: WrittenFiles, flags: AnalyzeFlags): Promise<Answer> {
  const offline = (): Answer => ({ findings: analyze({ written: written.resources }), omitted: 0, stored: undefined, complete: undefined });
  if (flags.filename === undefined) {
    if (flags.hub === false) throw new AppError('usage', 'there is nothing to analyse: name files with -f, or leave --no-hub out');
    return askHub([], flags);
  }
  if (flags.hub === false) return offline();
  try {
    return await askHub(written.resources, flags);
  } catch (error) {
    const isAway = error instanceof AppError && ['hub-unknown', 'hub-unreachable', 'hub-timeout'].includes(error.code);
    if (flags.hub === true || !isAway) throw error;
    note('no hub is asked: services and clusters are not known, and what it holds is not looked at (see --hub)');
    return offline();
  }
}

async function askHub(resources: readonly unknown[], flags: GlobalFlags): Promise<Answer> {
  const body = resources.length === 0 ? {} : { resources };
  return (await connectHub(flags).send({ method: 'POST', path: '/hawser/v1/analyze', body })) as AnalyzeAnswer;
}

function placed(finding: AnalysisFinding, written: WrittenFiles): PlacedFinding {
  const isKey = finding.code === 'HW0002' || finding.code === 'HW0003' || finding.message.startsWith('is not a field');
  return { ...finding, ...written.place(finding, finding.field, isKey ? 'key' : 'value') };
}

function brokenFile({ place, message }: Problem): PlacedFinding {
  const nobody = { kind: '', namespace: '', name: '', field: '' };
  return { code: 'HW0001', severity: 'Error', ...nobody, message, fix: 'correct the file', ...place };
}

function rankOf(word: SeverityWord): number {
  return SEVERITY_WORDS.length - 1 - SEVERITY_WORDS.indexOf(word);
}
