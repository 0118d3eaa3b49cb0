/** The report of a drill as files, for people; shown by whatever shows pages here. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DrillEvidence } from '@hawser/model/drill-evidence.ts';
import type { DrillReport } from '@hawser/model/drill-report.ts';
import { mustRun } from './cli.ts';
import type { RunningDemo } from './start.ts';

/** A report that was written and verified. */
export interface SavedReport {
  readonly evidence: DrillEvidence;
  /** File of the page. */
  readonly page: string;
}

/** The page of the last drill in a state folder. */
export function reportPage(stateDir: string): string {
  return join(stateDir, 'drill-report.html');
}

/** Writes the report of a run beside the state, as a page and signed, and verifies it with the hub's key. */
export async function saveReport({ cli, options: { stateDir }, say }: RunningDemo, run: string): Promise<SavedReport> {
  const page = reportPage(stateDir);
  const [signed, keys] = [join(stateDir, 'drill-report.json'), join(stateDir, 'drill-report-keys.json')];
  await mustRun(cli, ['drill', 'report', run, '-o', page]);
  await mustRun(cli, ['drill', 'report', run, '-o', signed]);
  await mustRun(cli, ['drill', 'keys', '-o', keys]);
  const verified = await mustRun(cli, ['drill', 'verify', signed, '--key', keys]);
  say.done(`verified: ${verified.split('\n')[0] ?? ''}`);
  return { evidence: (JSON.parse(readFileSync(signed, 'utf8')) as DrillReport).evidence, page };
}

/** The program that shows a file to whoever sits here; undefined where nobody does. */
export function openerOf(platform: NodeJS.Platform, env: NodeJS.ProcessEnv): string | undefined {
  if (platform === 'darwin') return 'open';
  return env['DISPLAY'] || env['WAYLAND_DISPLAY'] ? 'xdg-open' : undefined;
}

/** Shows a file; resolves with whether a program for that was there. */
export function openFile(file: string, opener = openerOf(process.platform, process.env)): Promise<boolean> {
  if (opener === undefined) return Promise.resolve(false);
  const child = spawn(opener, [file], { stdio: 'ignore', detached: true });
  child.unref();
  return new Promise((resolve) => child.once('spawn', () => resolve(true)).once('error', () => resolve(false)));
}
