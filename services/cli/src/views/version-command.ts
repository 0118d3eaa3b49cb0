import { readFileSync } from 'node:fs';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { print, printJson } from '../output/print.ts';
import type { ViewFlags } from './status-command.ts';

/** `hawser version`: of this command; the hub's is in `hawser status`. */
export function versionCommand(flags: ViewFlags): ExitCode {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  if (flags.output === 'json') printJson({ version, node: process.versions.node });
  else print(`hawser ${version} (Node ${process.versions.node})`);
  return EXIT.done;
}
