/** `hawser proxy-status`: what every connected proxy was sent and has acknowledged. */
import type { ProxiesAnswer } from '@hawser/wire/hub-api.ts';
import { connectHub } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { ageOf } from '../output/age.ts';
import { print, printJson } from '../output/print.ts';
import { type Column, tableLines } from '../output/table.ts';
import type { ViewFlags } from './status-command.ts';

type ProxyView = ProxiesAnswer['proxies'][number];

const TYPES = ['CDS', 'EDS', 'LDS', 'RDS', 'SDS'] as const;

/** Runs the command; a proxy that refuses something is exit code 3. */
export async function proxyStatusCommand(flags: ViewFlags): Promise<ExitCode> {
  const answer = (await connectHub(flags).send({ path: '/hawser/v1/proxies' })) as ProxiesAnswer;
  if (flags.output === 'json') printJson(answer);
  else for (const line of proxyStatusLines(answer, Date.now())) print(line);
  const isRefused = answer.proxies.some(isRefusing) || issuesOf(answer).some(({ state }) => state === 'REFUSED');
  return isRefused ? EXIT.nacked : EXIT.done;
}

/** PURE: the proxies as text. */
export function proxyStatusLines(answer: ProxiesAnswer, now: number): string[] {
  const { proxies } = answer;
  if (proxies.length === 0) return ['no proxy is connected: hawser proxy run', ...issueLines(answer)];
  const sorted = proxies.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  return [...tableLines(columns(now), sorted), ...errorLines(sorted), ...issueLines(answer)];
}

function issuesOf({ policies = [] }: ProxiesAnswer): NonNullable<ProxiesAnswer['policies']> {
  return policies;
}

function issueLines(answer: ProxiesAnswer): string[] {
  const lines = issuesOf(answer).map(({ cluster, kind, namespace, name, field, message, proxy, type, resource }) => {
    const who = proxy === undefined ? cluster : `${cluster}/${proxy} refused ${type} ${resource}`;
    return `  ${kind} ${namespace}/${name}${field === undefined ? '' : ` ${field}`}: ${who}: ${message}`;
  });
  return lines.length === 0 ? [] : ['', 'Policies not served as written:', ...lines];
}

function columns(now: number): Column<ProxyView>[] {
  return [
    { title: 'PROXY', cell: nameOf },
    { title: 'ROLE', cell: ({ role }) => role },
    ...TYPES.map((type) => ({ title: type, cell: ({ types }: ProxyView) => types[type]?.state ?? '' })),
    { title: 'REVISION', cell: ({ revision }) => String(revision) },
    { title: 'CONNECTED', cell: ({ connectedAt }) => ageOf(connectedAt, now) },
  ];
}

function errorLines(proxies: readonly ProxyView[]): string[] {
  const lines = proxies.flatMap((proxy) =>
    Object.entries(proxy.types).flatMap(([type, { error, resource = '' }]) =>
      error === undefined || error === '' ? [] : [`  ${nameOf(proxy)} ${[type, resource].join(' ').trim()}: ${error}`],
    ),
  );
  return lines.length === 0 ? [] : ['', 'Refused:', ...lines];
}

function isRefusing({ types }: ProxyView): boolean {
  return Object.values(types).some(({ state }) => state === 'NACKED');
}

function nameOf({ cluster, proxy }: ProxyView): string {
  return `${cluster}/${proxy}`;
}
