/** `hawser drill report`, `drill trend` and `drill keys`: what runs of drills left behind. */
import { extname } from 'node:path';
import { kindNamed } from '@hawser/model/kinds.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import { writeDurably } from '@hawser/runtime/durable-file.ts';
import { type DrillTrend, REPORT_FORMATS, type ReportFormat, type ReportKeySet, type TrendEntry } from '@hawser/wire/drill-report.ts';
import type { HubClient } from '../client/hub-client.ts';
import { HubRefusal } from '../client/hub-refusal.ts';
import { resourcePath } from '../client/resource-path.ts';
import { connectHub, type GlobalFlags } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { note, print, printJson } from '../output/print.ts';
import { type Column, tableLines } from '../output/table.ts';
import { terminal } from '../output/terminal.ts';

/** Flags of `drill report`. */
export interface ReportFlags extends GlobalFlags {
  readonly format?: ReportFormat;
  readonly out?: string;
}

/** Prints the report of a run, or of the newest run of a drill that is over, or writes it to a file. */
export async function reportCommand(name: string, flags: ReportFlags): Promise<ExitCode> {
  const { out } = flags;
  const format = flags.format ?? formatOf(out);
  const { run, text } = await reportOf(connectHub(flags), name, format);
  // As a file it is to be read by people too; its signature holds however the JSON is laid out.
  const content = format === 'json' ? `${JSON.stringify(JSON.parse(text), null, 2)}\n` : text;
  if (out === undefined) {
    terminal().stdout.write(content);
    return EXIT.done;
  }
  await writeDurably(out, content, 0o644);
  note(`${out}: the report of ${run}`);
  return EXIT.done;
}

/** Reports outlive runs and drills, so they are asked for by name, whatever else there is of that. */
async function reportOf(hub: HubClient, name: string, format: ReportFormat): Promise<{ readonly run: string; readonly text: string }> {
  const textOf = (run: string): Promise<string> => hub.text(`${pathOf('DrillRun', run)}/report?format=${format}`);
  try {
    return { run: name, text: await textOf(name) };
  } catch (error) {
    if (!(error instanceof HubRefusal) || error.status !== 404) throw error;
    const { runs } = (await hub.send({ path: `${pathOf('Drill', name)}/trend?limit=1` })) as DrillTrend;
    const [newest] = runs;
    if (newest === undefined) throw error;
    return { run: newest.run, text: await textOf(newest.run) };
  }
}

/** PURE: what a file is to be by its name; on a terminal, what can be read there. */
export function formatOf(out: string | undefined): ReportFormat {
  if (out === undefined) return 'md';
  const found = REPORT_FORMATS.find((format) => extname(out).toLowerCase() === `.${format}`);
  if (found !== undefined) return found;
  throw new AppError('usage', `what ${out} is to be does not go by its name: give --format json, html or md`);
}

/** Flags of `drill trend`. */
export interface TrendFlags extends GlobalFlags {
  readonly output: 'table' | 'json';
  readonly limit?: string;
}

/** Shows the runs of a drill beside each other. */
export async function trendCommand(drill: string, flags: TrendFlags): Promise<ExitCode> {
  const limit = flags.limit === undefined ? '' : `?limit=${encodeURIComponent(flags.limit)}`;
  const trend = (await connectHub(flags).send({ path: `${pathOf('Drill', drill)}/trend${limit}` })) as DrillTrend;
  if (flags.output === 'json') printJson(trend);
  else if (trend.runs.length === 0) note(`no run of ${drill} is over yet`);
  else for (const line of tableLines(TREND, trend.runs)) print(line);
  return EXIT.done;
}

const ms = (value: number | null): string => (value === null ? '' : `${Math.round(value)}ms`);

const TREND: readonly Column<TrendEntry>[] = [
  { title: 'RUN', cell: ({ run }) => run },
  { title: 'ENDED', cell: ({ endedAt }) => endedAt },
  { title: 'MODE', cell: ({ mode }) => mode },
  { title: 'OUTCOME', cell: ({ outcome }) => outcome },
  { title: 'RTO', cell: ({ rtoMs }) => ms(rtoMs) },
  { title: 'OBJECTIVE', cell: ({ rtoTargetMs }) => ms(rtoTargetMs) },
  { title: 'FAILED', cell: ({ failed, requests }) => `${failed} of ${requests}` },
  { title: 'LONGEST GAP', cell: ({ longestGapMs }) => ms(longestGapMs) },
];

/** Prints the keys that the hub's reports are signed with, or writes them to a file that `drill verify --key` takes. */
export async function keysCommand(flags: GlobalFlags & { readonly out?: string }): Promise<ExitCode> {
  const set = (await connectHub(flags).send({ path: '/hawser/v1/drill-report-keys' })) as ReportKeySet;
  if (flags.out === undefined) {
    printJson(set);
    return EXIT.done;
  }
  await writeDurably(flags.out, `${JSON.stringify(set, null, 2)}\n`, 0o644);
  note(`${flags.out}: ${set.keys.map(({ kid }) => kid).join(', ') || 'no key: the first is made with the first report'}`);
  return EXIT.done;
}

function pathOf(name: string, resource: string): string {
  const kind = kindNamed(name);
  if (kind === undefined) throw new Error(`there is no kind ${name}`);
  return resourcePath({ kind, name: resource });
}
