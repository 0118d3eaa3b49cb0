/** PURE: columns without borders, as kubectl prints them. */

/** A column's heading and its cell of a row. */
export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string;
  /** Shown with `-o wide` alone. */
  readonly wide?: boolean;
}

const GAP = '   ';

/** Lines of a table, the heading first; columns are as wide as their widest cell and lines end without spaces. */
export function tableLines<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ cell }) => oneLine(cell(row))))];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => [...(line[index] ?? '')].length)));
  return cells.map((line) =>
    line
      .map((text, index) => text + ' '.repeat(Math.max(0, (widths[index] ?? 0) - [...text].length)))
      .join(GAP)
      .trimEnd(),
  );
}

/** What stands in a cell for nothing, and for what may not break the line. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what comes from resources must not drive the terminal
  return text === '' ? '-' : text.replace(/[\u0000-\u001f\u007f]+/g, ' ');
}
