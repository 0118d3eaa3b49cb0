/** Progress of something that goes on elsewhere: in a terminal it is rewritten in its place, elsewhere every change is a line. */
import { note } from './print.ts';
import { type TextOutput, terminal } from './terminal.ts';

/** What is shown of one look. */
export interface Look {
  /** For a terminal. */
  readonly lines: readonly string[];
  /** For a log that nobody rewrites: the same line is not repeated. */
  readonly plain: string;
}

/** Shows looks on stderr; nothing where the output is JSON and there is no terminal. */
export function liveLines({ output }: { readonly output?: string | undefined }): { show(look: Look): void; end(): void } {
  const { stderr } = terminal();
  let shown = 0;
  let last = '';
  const clear = (): void => {
    if (shown > 0) stderr.write(`\u001b[${shown}A\u001b[J`);
    shown = 0;
  };
  if (stderr.isTTY === true)
    return {
      show: ({ lines }) => {
        clear();
        const fitting = fitted(lines, stderr);
        stderr.write(`${fitting.join('\n')}\n`);
        shown = fitting.length;
      },
      end: clear,
    };
  return {
    show: ({ plain }) => {
      if (plain === last || output === 'json') return;
      last = plain;
      note(plain);
    },
    end: () => undefined,
  };
}

/** Lines that take one row each, all of them on the screen: what is wrapped, or has left at the top, cannot be rewritten. */
function fitted(
  lines: readonly string[],
  { columns = Number.POSITIVE_INFINITY, rows = Number.POSITIVE_INFINITY }: TextOutput,
): readonly string[] {
  const oneRow = (line: string): string => {
    const characters = [...line.replaceAll(/\p{Cc}/gu, ' ')];
    return (characters.length < columns ? characters : [...characters.slice(0, Math.max(0, columns - 2)), '…']).join('');
  };
  return lines.slice(0, Math.max(1, rows - 1)).map(oneRow);
}
