/** `hawser who-serves NS/SERVICE`: who would answer a client of each cluster, in order, now, without a region, or with one drained. */
import { AppError } from '@hawser/runtime/app-error.ts';
import type { WhoServesAnswer } from '@hawser/wire/hub-api.ts';
import { connectHub } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { print, printJson } from '../output/print.ts';
import { type Column, tableLines } from '../output/table.ts';
import type { ViewFlags } from './status-command.ts';

/** Flags of `who-serves`. */
export interface WhoServesFlags extends ViewFlags {
  readonly from?: string;
  readonly without?: string;
  readonly drained?: string;
}

type Row = WhoServesAnswer['answers'][number]['localities'][number] & { readonly from: string };

/** Runs the command. */
export async function whoServesCommand(service: string, flags: WhoServesFlags): Promise<ExitCode> {
  const [namespace, name, ...rest] = service.split('/');
  if (namespace === undefined || name === undefined || name === '' || rest.length > 0) {
    throw new AppError('usage', `${service}: name the service as NAMESPACE/SERVICE, for example bookinfo/reviews`);
  }
  const query = new URLSearchParams();
  if (flags.from !== undefined) query.set('from', flags.from);
  if (flags.without !== undefined) query.set('without', flags.without);
  if (flags.drained !== undefined) query.set('drained', flags.drained);
  const path = `/hawser/v1/services/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/answers`;
  const answer = (await connectHub(flags).send({ path: query.size === 0 ? path : `${path}?${query}` })) as WhoServesAnswer;
  if (flags.output === 'json') printJson(answer);
  else for (const line of whoServesLines(answer)) print(line);
  return EXIT.done;
}

/** PURE: the answers as text, a line for each locality in the order in which they are used. */
export function whoServesLines({ service, answers }: WhoServesAnswer): string[] {
  const rows = answers.flatMap(({ from, localities }) =>
    localities.toSorted((a, b) => a.priority - b.priority || b.weight - a.weight).map((locality): Row => ({ from, ...locality })),
  );
  return rows.length === 0 ? [`nobody serves ${service}`] : [...tableLines(COLUMNS, rows), ...shareLines(answers)];
}

/** What a shift has in force, once for all callers of whom it is true alike. */
function shareLines(answers: WhoServesAnswer['answers']): string[] {
  const texts = answers.flatMap(({ from, shares = [] }) =>
    shares.map(({ parts, total }) => {
      const text = Object.entries(parts).map(([name, part]) => `${name} ${part}`);
      return { from, text: `${text.join(', ')} of ${total}` };
    }),
  );
  return [...Map.groupBy(texts, ({ text }) => text)].map(
    ([text, of]) => `TrafficShift in force from ${of.map(({ from }) => from).join(', ')}: ${text}`,
  );
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'FROM', cell: ({ from }) => from },
  { title: 'PRIORITY', cell: ({ priority }) => String(priority) },
  { title: 'CLUSTER', cell: ({ cluster }) => cluster },
  { title: 'REGION', cell: ({ region }) => region },
  { title: 'WEIGHT', cell: ({ weight }) => String(weight) },
  { title: 'HEALTHY', cell: ({ healthy, endpoints }) => `${healthy}/${endpoints}` },
  { title: 'STATE', cell: ({ state }) => state },
];
