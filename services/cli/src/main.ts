/** The command line: arguments in, exit code out. Every failure ends as one sentence on stderr. */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { AppError } from '@hawser/runtime/app-error.ts';
import { EXIT } from './exit-code.ts';
import { terminal } from './output/terminal.ts';

/** Runs one command as this process; resolves with the exit code and never rejects. */
export async function main(argv: readonly string[]): Promise<number> {
  process.stdout.on('error', endQuietly);
  return runCommand(argv);
}

/** Runs one command on the terminal of its caller; resolves with the exit code and never rejects. */
export async function runCommand(argv: readonly string[]): Promise<number> {
  try {
    const { runProgram } = await import('./commands/program.ts');
    return await runProgram(argv);
  } catch (error) {
    return report(error);
  }
}

/** `hawser get … | head`: the reader has gone, which is no failure of ours. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT.done);
}

function report(error: unknown): number {
  const usage = error instanceof AppError && ['usage', 'config-invalid'].includes(error.code);
  const known = error instanceof AppError || (error instanceof Error && error.name === 'HubRefusal');
  const text = error instanceof Error ? error.message : String(error);
  // A fault of the program itself shows where it is; a refusal needs no stack.
  const detail = known || !(error instanceof Error) || terminal().env['HAWSER_DEBUG'] === undefined ? text : (error.stack ?? text);
  terminal().stderr.write(`hawser: ${detail}\n`);
  if (error instanceof AppError && error.code === 'hub-timeout') return EXIT.timedOut;
  return usage ? EXIT.usage : EXIT.failed;
}

if (import.meta.main) {
  // As bin/hawser.mjs does: types stripped once are kept, and later starts do without the stripper.
  if (process.env['NODE_COMPILE_CACHE'] === undefined) enableCompileCache(join(import.meta.dirname, '../../../node_modules/.cache/hawser'));
  process.exitCode = await main(process.argv.slice(2));
}
