/** A guide of `docs/`: its commands in their order, each with what it shows of their output. Pure. */

/** A block of commands. */
export interface GuideStep {
  /** Line of the document on which it begins. */
  readonly line: number;
  /** For a shell. */
  readonly script: string;
  /** Exit code of the last command: `# exits N` behind it, else 0. */
  readonly exits: number;
  /** What the guide shows of the output, line by line; empty when it shows nothing. */
  readonly shown: readonly string[];
}

interface Block {
  readonly line: number;
  readonly language: string;
  readonly lines: readonly string[];
}

/** Its steps. Throws for a block that is neither commands (`sh`) nor their output (`text`, right after them). */
export function guideSteps(document: string): readonly GuideStep[] {
  const blocks = blocksOf(document);
  return blocks.flatMap((block, index): GuideStep[] => {
    const { line, language, lines } = block;
    const before = blocks[index - 1];
    if (language === 'text' && before?.language === 'sh') return [];
    if (language !== 'sh') throw new Error(`line ${line}: a block of ${language || 'nothing'}, which nobody would run or compare`);
    const next = blocks[index + 1];
    const script = lines.join('\n');
    const exits = Number(/# exits (\d+)\s*$/.exec(script)?.[1] ?? 0);
    return [{ line, script, exits, shown: next?.language === 'text' ? next.lines : [] }];
  });
}

function blocksOf(document: string): readonly Block[] {
  const lines = document.split('\n');
  const blocks: Block[] = [];
  let open: number | undefined;
  for (const [index, text] of lines.entries()) {
    if (!text.startsWith('```')) continue;
    if (open === undefined) open = index;
    else {
      blocks.push({ line: open + 1, language: (lines[open] ?? '').slice(3), lines: lines.slice(open + 1, index) });
      open = undefined;
    }
  }
  if (open !== undefined) throw new Error(`line ${open + 1}: a block without an end`);
  return blocks;
}

/** Commands that the text between the blocks names (`hawser drill deny`) and no block runs. */
export function unrunCommands(document: string, steps: readonly GuideStep[]): readonly string[] {
  const text = document.replaceAll(/^```[\s\S]*?^```$/gm, '');
  const named = [...text.matchAll(/`(?:npx )?(hawser [a-z][^`]*)`/g)].map(([, command = '']) => command);
  const run = steps.map(({ script }) => script).join('\n');
  return named.filter((command) => !run.includes(command));
}

/**
 * The first line of what is shown that the output has not, in the order of the lines; undefined when it has all of them.
 * `…` stands for anything, a number for any number but that 0 is 0, and blanks for blanks.
 */
export function missingLine(shown: readonly string[], output: string): string | undefined {
  const left = output.split('\n').map((line) => line.trim());
  return shown.find((line) => {
    if (line.trim() === '' || line.trim() === '…') return false;
    const pattern = patternOf(line.trim());
    const at = left.findIndex((one) => pattern.test(one));
    if (at !== -1) left.splice(0, at + 1);
    return at === -1;
  });
}

function patternOf(line: string): RegExp {
  const parts = line.split(/(…|\d+(?:[.,]\d+)*|\s+)/).map((part) => {
    if (part === '…') return '.*';
    if (part === '0') return '0(?![.,]?\\d)';
    if (/^\d/.test(part)) return '\\d+(?:[.,]\\d+)*';
    return /^\s+$/.test(part) ? '\\s+' : part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${parts.join('')}$`);
}
