/** Two texts as a unified diff, three lines of context around each change. Pure. */

const CONTEXT = 3;
/** Beyond this many cells of the comparison the differing middle is shown as replaced whole. */
const MAX_CELLS = 4_000_000;

interface Line {
  readonly mark: ' ' | '-' | '+';
  readonly text: string;
}

/** The diff of `before` and `after` under these names; empty when they are equal. */
export function unifiedDiff(before: string, after: string, names: { readonly before: string; readonly after: string }): string {
  if (before === after) return '';
  const lines = compare(linesOf(before), linesOf(after));
  const hunks = hunksOf(lines).map(([start, end]) => hunk(lines, start, end));
  return [`--- ${names.before}`, `+++ ${names.after}`, ...hunks.flat(), ''].join('\n');
}

function linesOf(text: string): readonly string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

function compare(before: readonly string[], after: readonly string[]): Line[] {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && before[head] === after[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && before.at(-1 - tail) === after.at(-1 - tail)) tail += 1;
  const same = (text: string): Line => ({ mark: ' ', text });
  return [
    ...before.slice(0, head).map(same),
    ...middle(before.slice(head, before.length - tail), after.slice(head, after.length - tail)),
    ...before.slice(before.length - tail).map(same),
  ];
}

/** By the longest common subsequence. */
function middle(before: readonly string[], after: readonly string[]): Line[] {
  const [rows, columns] = [before.length, after.length];
  const minus = (text: string): Line => ({ mark: '-', text });
  const plus = (text: string): Line => ({ mark: '+', text });
  if (rows * columns > MAX_CELLS) return [...before.map(minus), ...after.map(plus)];
  const width = columns + 1;
  const common = new Uint32Array((rows + 1) * width);
  const at = (row: number, column: number): number => common[row * width + column] ?? 0;
  for (let row = rows - 1; row >= 0; row -= 1) {
    for (let column = columns - 1; column >= 0; column -= 1) {
      const equal = before[row] === after[column];
      common[row * width + column] = equal ? at(row + 1, column + 1) + 1 : Math.max(at(row + 1, column), at(row, column + 1));
    }
  }
  const lines: Line[] = [];
  let [row, column] = [0, 0];
  while (row < rows || column < columns) {
    if (row < rows && column < columns && before[row] === after[column]) {
      lines.push({ mark: ' ', text: before[row] ?? '' });
      row += 1;
      column += 1;
    } else if (row < rows && (column === columns || at(row + 1, column) >= at(row, column + 1))) lines.push(minus(before[row++] ?? ''));
    else lines.push(plus(after[column++] ?? ''));
  }
  return lines;
}

/** Ranges of lines to show: each change with its context, neighbours joined. */
function hunksOf(lines: readonly Line[]): [number, number][] {
  const hunks: [number, number][] = [];
  for (const [index, { mark }] of lines.entries()) {
    if (mark === ' ') continue;
    const [start, end] = [Math.max(0, index - CONTEXT), Math.min(lines.length, index + CONTEXT + 1)];
    const last = hunks.at(-1);
    if (last !== undefined && start <= last[1]) last[1] = end;
    else hunks.push([start, end]);
  }
  return hunks;
}

function hunk(lines: readonly Line[], start: number, end: number): string[] {
  const count = (part: readonly Line[], mark: '-' | '+'): number => part.filter((line) => line.mark === ' ' || line.mark === mark).length;
  const shown = lines.slice(start, end);
  const range = (mark: '-' | '+'): string => {
    const size = count(shown, mark);
    return `${mark}${count(lines.slice(0, start), mark) + (size === 0 ? 0 : 1)},${size}`;
  };
  return [`@@ ${range('-')} ${range('+')} @@`, ...shown.map(({ mark, text }) => `${mark}${text}`)];
}
