/** `hawser top [NS/SERVICE]`: measured traffic, now or live. */
import { AppError } from '@hawser/runtime/app-error.ts';
import type { TrafficAnswer, TrafficRow } from '@hawser/wire/traffic-api.ts';
import { connectHub } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { print, printJson } from '../output/print.ts';
import { type Column, tableLines } from '../output/table.ts';
import { terminal } from '../output/terminal.ts';
import type { ViewFlags } from './status-command.ts';

/** Flags of `top`. */
export interface TopFlags extends ViewFlags {
  readonly from?: string;
  readonly by?: string;
  readonly window?: string;
  readonly watch?: boolean;
}

const PATH = '/hawser/v1/traffic';

/** Runs the command; with `--watch` until it is interrupted. */
export async function topCommand(service: string | undefined, flags: TopFlags): Promise<ExitCode> {
  if (service !== undefined && !/^[^/]+\/[^/]+$/.test(service))
    throw new AppError('usage', `${service}: name the service as NAMESPACE/SERVICE, for example bookinfo/reviews`);
  const by = flags.by ?? (service === undefined ? 'service' : 'source,cluster,version');
  const query = new URLSearchParams({ by, window: flags.window ?? '10s' });
  if (service !== undefined) query.set('service', service);
  if (flags.from !== undefined) query.set('source', flags.from);
  const hub = connectHub(flags);
  if (flags.watch === true) {
    const show = shownBy(flags, by);
    const interrupted = new AbortController();
    process.once('SIGINT', () => interrupted.abort());
    try {
      for await (const answer of hub.lines(`${PATH}/stream?${query}`, interrupted.signal)) show(answer as TrafficAnswer);
    } catch (error) {
      if (!interrupted.signal.aborted) throw error;
    }
    return EXIT.done;
  }
  const answer = (await hub.send({ path: `${PATH}?${query}` })) as TrafficAnswer;
  if (flags.output === 'json') printJson(answer);
  else for (const line of topLines(answer, by)) print(line);
  return EXIT.done;
}

/** In a terminal each answer takes the place of the one before; elsewhere it is a line for each row, or one of JSON. */
function shownBy({ output }: TopFlags, by: string): (answer: TrafficAnswer) => void {
  if (output === 'json') return (answer) => print(JSON.stringify(answer));
  const { stdout } = terminal();
  if (stdout.isTTY !== true) return (answer) => plainLines(answer, by).forEach(print);
  let shown = 0;
  return (answer) => {
    const lines = topLines(answer, by);
    stdout.write(`${shown > 0 ? `\u001b[${shown}A\u001b[J` : ''}${lines.join('\n')}\n`);
    shown = lines.length;
  };
}

/** PURE: the answer as a table, under what is not known. */
export function topLines(answer: TrafficAnswer, by: string): string[] {
  const head = `${answer.to.slice(11, 19)} UTC, the last ${answer.seconds} s`;
  const rows = answer.rows.length === 0 ? [gapsOf(answer).length > 0 ? 'nothing is known to have been called' : 'nothing was called'] : [];
  return [head, ...gapsOf(answer), ...rows, ...(answer.rows.length === 0 ? [] : tableLines(columnsOf(by), answer.rows))];
}

/** PURE: the answer as lines that stand alone. */
export function plainLines(answer: TrafficAnswer, by: string): string[] {
  const columns = columnsOf(by);
  const rows = answer.rows.map((row) => columns.map(({ title, cell }) => `${title.toLowerCase()}=${cell(row) || '-'}`).join(' '));
  return [...gapsOf(answer), ...rows].map((line) => `${answer.to} ${line}`);
}

/** Silence is no zero: who did not account for the time is named. */
function gapsOf({ coverage, seconds }: TrafficAnswer): string[] {
  if (coverage.length === 0) return ['no cluster has joined: nothing is known'];
  return coverage.flatMap(({ cluster, seconds: known, newestAt, unreadProxies }) => [
    ...(known >= seconds
      ? []
      : [`${cluster}: ${known} of ${seconds} s are known${newestAt === undefined ? '' : `, the newest at ${newestAt}`}`]),
    ...(unreadProxies === 0
      ? []
      : [`${cluster}: ${unreadProxies} ${unreadProxies === 1 ? 'proxy does' : 'proxies do'} not tell what was counted`]),
  ]);
}

const DIMENSIONS: Readonly<Record<string, Column<TrafficRow>>> = {
  source: { title: 'FROM', cell: ({ source }) => source },
  service: { title: 'SERVICE', cell: ({ service }) => service },
  cluster: { title: 'CLUSTER', cell: ({ destination }) => destination.cluster },
  region: { title: 'REGION', cell: ({ destination }) => destination.region },
  zone: { title: 'ZONE', cell: ({ destination }) => destination.zone },
  version: { title: 'VERSION', cell: ({ destination }) => destination.version },
};

function columnsOf(by: string): Column<TrafficRow>[] {
  const ms = (value: number | null): string => (value === null ? '' : String(value));
  return [
    ...by.split(',').flatMap((dimension) => DIMENSIONS[dimension] ?? []),
    { title: 'REQ/S', cell: ({ perSecond }) => perSecond.toFixed(1) },
    { title: 'SHARE', cell: ({ share }) => `${(share * 100).toFixed(1)}%` },
    { title: 'FAILED', cell: ({ requests, failures }) => (requests === 0 ? '' : `${((failures / requests) * 100).toFixed(2)}%`) },
    { title: 'RETRIES', cell: ({ retries }) => String(retries) },
    { title: 'ACTIVE', cell: ({ inFlight }) => String(inFlight) },
    { title: 'P50MS', cell: ({ latency }) => ms(latency.p50) },
    { title: 'P99MS', cell: ({ latency }) => ms(latency.p99) },
  ];
}
