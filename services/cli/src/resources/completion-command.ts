/** `hawser completion SHELL`: a script that asks `hawser complete` for each word; that one never fails, and never waits for long. */
import { KINDS, kindNamed } from '@hawser/model/kinds.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import type { Command } from 'commander';
import { resourcePath } from '../client/resource-path.ts';
import { connectHub, type GlobalFlags } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { print } from '../output/print.ts';

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_hawser() {
  local IFS=$'\\n'
  COMPREPLY=($(hawser complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _hawser hawser`,
  zsh: `#compdef hawser
_hawser() {
  local -a found
  found=("\${(@f)$(hawser complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -- $found
}
compdef _hawser hawser`,
  fish: `function __hawser_complete
  set -l words (commandline -opc) (commandline -ct)
  hawser complete -- $words[2..-1] 2>/dev/null
end
complete -c hawser -f -a '(__hawser_complete)'`,
};

/** Prints the script of a shell. */
export function completionCommand(shell: string): ExitCode {
  const script = SCRIPTS[shell];
  if (script === undefined)
    throw new AppError('usage', `there is no completion for ${shell}; there is for ${Object.keys(SCRIPTS).join(', ')}`);
  print(script);
  return EXIT.done;
}

/** Verbs whose first argument is a kind, and whose second names one. */
const ABOUT_RESOURCES: ReadonlySet<string> = new Set(['get', 'describe', 'delete', 'history', 'rollback', 'wait', 'explain']);
const ASK_MS = 1500;

/** Prints what the last of the words may become, a line each. */
export async function completeCommand(program: Command, words: readonly string[], flags: GlobalFlags): Promise<ExitCode> {
  const last = words.at(-1) ?? '';
  const found = await candidates(program, words, flags).catch(() => []);
  for (const word of found) if (word.startsWith(last)) print(word);
  return EXIT.done;
}

async function candidates(program: Command, words: readonly string[], flags: GlobalFlags): Promise<readonly string[]> {
  const before = words.slice(0, -1);
  let command = program;
  let depth = 0;
  for (const word of before) {
    const inner = command.commands.find((one) => one.name() === word);
    if (inner === undefined) break;
    command = inner;
    depth += 1;
  }
  if ((words.at(-1) ?? '').startsWith('-')) return command.options.flatMap(({ long }) => long ?? []);
  if (command.commands.length > 0) return command.commands.map((one) => one.name()).filter((name) => name !== 'complete');
  const given = before.slice(depth).filter((word) => !word.startsWith('-'));
  if (command.name() === 'completion') return Object.keys(SCRIPTS);
  if (!ABOUT_RESOURCES.has(command.name())) return [];
  const kind = kindNamed(given[0] ?? '');
  if (given.length === 0) return KINDS.map(({ plural }) => plural);
  if (kind === undefined || command.name() === 'explain') return [];
  const namespace = flagValue(before, ['-n', '--namespace']) ?? 'default';
  const path = `${resourcePath({ kind, namespace })}?limit=500`;
  const { items } = (await connectHub(flags).send({ path, timeoutMs: ASK_MS })) as { items: readonly Resource[] };
  return items.map(({ metadata }) => metadata.name);
}

function flagValue(words: readonly string[], flags: readonly string[]): string | undefined {
  const at = words.findIndex((word) => flags.includes(word));
  return at === -1 ? undefined : words[at + 1];
}
