/** What the command line itself says of commands that files name: compose files, charts. */
import { createProgram } from '@hawser/cli/commands/program.ts';
import type { Command } from 'commander';

/** Parses without running; the flags of the command that was found. Rejects as the command line would. */
export async function flagsOf(argv: readonly string[]): Promise<Record<string, string>> {
  const program = createProgram(async () => undefined);
  silence(program);
  await program.parseAsync([...argv], { from: 'user' });
  let command: Command = program;
  for (const word of argv) command = command.commands.find((one) => one.name() === word) ?? command;
  const { server: _server, ...flags } = command.optsWithGlobals<Record<string, string>>();
  return flags;
}

function silence(command: Command): void {
  command.configureOutput({ writeErr: () => undefined });
  command.commands.forEach(silence);
}
