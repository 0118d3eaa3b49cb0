/** PURE: a report as Markdown (CommonMark with the tables of GitHub), for tickets and wikis. */
import { type DrillReport, digestOf } from '@hawser/model/drill-report.ts';
import {
  checkTable,
  peopleTables,
  scenarioOf,
  serviceTables,
  type Table,
  tilesOf,
  timelineTable,
  timeTables,
  versionTable,
} from './report-facts.ts';
import { instant } from './words.ts';

/** The text, with a newline at its end. */
export function reportMarkdown({ evidence, statement, signature }: DrillReport): string {
  const { drill, run, outcome, why, trigger, by, reason, createdAt, endedAt, specHash, spec } = evidence;
  const asked = trigger === 'schedule' ? 'by its schedule' : `by ${by}`;
  const figures: Table = {
    ...{ caption: 'Figures', head: ['Figure', 'Value', ''], numbers: [1] },
    rows: tilesOf(evidence).map(({ name, value, note }) => [name, value, note]),
  };
  const sections: readonly (readonly [string, readonly Table[]])[] = [
    ['Objectives and times', timeTables(evidence)],
    ['Traffic', serviceTables(evidence)],
    ['Checks', [checkTable(evidence)]],
    ['People', peopleTables(evidence)],
    ['Timeline', [timelineTable(evidence)]],
    ['Versions', [versionTable(evidence)]],
  ];
  const lines = [
    ...[`# ${inline(outcome)}: ${inline(drill)}`, '', `${inline(why)}`, ''],
    `- ${inline(scenarioOf(evidence))}`,
    `- run ${inline(run)}, asked for ${inline(asked)} ${instant(createdAt)}${reason === '' ? '' : `: ${inline(reason)}`}`,
    ...[`- ended ${instant(endedAt)}`, '', ...tableLines(figures)],
    ...sections.flatMap(([title, tables]) => ['', `## ${title}`, ...tables.flatMap((table) => titled(table, tables.length > 1))]),
    ...['', '## Plan', '', ...fenced(JSON.stringify(spec, null, 2)), '', `Hash of the spec: \`${inline(specHash)}\``],
    ...['', '## Signature', '', `- digest of the report: \`${digestOf(statement)}\``],
    `- signed with: \`${inline(signature.algorithm)} ${inline(signature.keyId)}\``,
    '- `hawser drill verify FILE` verifies the JSON form of this report, without a hub.',
  ];
  return `${lines.join('\n')}\n`;
}

function titled(table: Table, isOneOfMany: boolean): readonly string[] {
  return [...(isOneOfMany ? ['', `### ${table.caption}`] : []), '', ...tableLines(table)];
}

function tableLines({ head, numbers = [], rows, none }: Table): readonly string[] {
  if (rows.length === 0) return [none ?? 'None.'];
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    line(head.map(inline)),
    line(head.map((_, index) => (numbers.includes(index) ? '---:' : '---'))),
    ...rows.map((row) => line(row.map(inline))),
  ];
}

/** Text that is no markup, on one line. */
function inline(text: string): string {
  const line = text.toWellFormed().replace(/\s+/g, ' ').trim();
  return line.replace(/[\\`*_{}[\]<>#|~!&$]/g, '\\$&').replace(/\b(https?|ftp|mailto|www)([:.])/gi, '$1\\$2');
}

/** As it is; its fence is longer than any within. */
function fenced(text: string): readonly string[] {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return [`${fence}json`, text, fence];
}
