/** `hawser explain-route CLUSTER/PROXY URL`: which rule, upstream and endpoints a request takes, and why not the rules before it. */
import { AppError } from '@hawser/runtime/app-error.ts';
import type { RouteExplanation } from '@hawser/wire/messages.ts';
import { connectHub } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { print, printJson } from '../output/print.ts';
import { explanationLines } from './explanation-lines.ts';
import { proxyArgument } from './proxy-config-command.ts';
import type { ViewFlags } from './status-command.ts';

/** Flags of `explain-route`. */
export interface ExplainRouteFlags extends ViewFlags {
  readonly request: string;
  readonly header?: readonly string[];
}

/** Runs the command. */
export async function explainRouteCommand(proxyWord: string, url: string, flags: ExplainRouteFlags): Promise<ExitCode> {
  const { cluster, proxy } = proxyArgument(proxyWord);
  const body = {
    method: flags.request.toUpperCase(),
    url: url.includes('://') ? url : `http://${url}`,
    headers: headersOf(flags.header ?? []),
  };
  const path = `/hawser/v1/proxies/${encodeURIComponent(cluster)}/${encodeURIComponent(proxy)}/explain-route`;
  const answer = (await connectHub(flags).send({ method: 'POST', path, body })) as RouteExplanation;
  if (flags.output === 'json') printJson(answer);
  else for (const line of explanationLines(answer)) print(line);
  return EXIT.done;
}

/** PURE: `name: value`, as curl takes them. The values of one name are joined, as Envoy reads them. */
export function headersOf(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, name, value = ''] = /^\s*(:?[^\s:]+)\s*:\s*(.*?)\s*$/.exec(line) ?? [];
    if (name === undefined) throw new AppError('usage', `${line}: write a header as 'name: value'`);
    const known = headers[name.toLowerCase()];
    headers[name.toLowerCase()] = known === undefined ? value : `${known},${value}`;
  }
  return headers;
}
