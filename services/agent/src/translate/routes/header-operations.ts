/** Header operations of rules and destinations: `set`, `add` and `remove`, on requests and responses. */

import { headerFormatProblem, headerNameProblem, headerValueProblem } from '@hawser/model/header-text.ts';
import type { HeaderOperations, VirtualServiceHeaders } from '@hawser/model/istio/specs.ts';
import {
  HeaderValueOption_HeaderAppendAction as AppendAction,
  type HeaderValueOptionSchema,
} from '@hawser/xds/generated/envoy/config/core/v3/base_pb.ts';
import type { Init } from '../wire-values.ts';
import { below, type Report } from './rule-report.ts';

type HeaderValueInit = Init<typeof HeaderValueOptionSchema>;

/** As routes and weighted clusters of Envoy have them. */
export interface HeaderChanges {
  readonly requestHeadersToAdd?: HeaderValueInit[];
  readonly requestHeadersToRemove?: string[];
  readonly responseHeadersToAdd?: HeaderValueInit[];
  readonly responseHeadersToRemove?: string[];
}

/** The changes, and the host that requests get when `Host` or `:authority` is set: Envoy has another word for that. */
export function headerChanges(
  headers: VirtualServiceHeaders | undefined,
  report: Report,
): { readonly changes: HeaderChanges; readonly host: string | undefined } {
  if (headers === undefined) return { changes: {}, host: undefined };
  const [request, response] = [below(report, 'headers.request'), below(report, 'headers.response')];
  const changes = {
    requestHeadersToAdd: toAdd(headers.request, request),
    requestHeadersToRemove: toRemove(headers.request, request),
    responseHeadersToAdd: toAdd(headers.response, response),
    responseHeadersToRemove: toRemove(headers.response, response),
  };
  return { changes, host: hostIn(headers.request, request) };
}

function hostIn(operations: HeaderOperations | undefined, report: Report): string | undefined {
  const found = Object.entries(operations?.set ?? {}).find(([name]) => isHost(name));
  if (found === undefined) return undefined;
  const problem = headerValueProblem(found[1]);
  if (problem === undefined && found[1] !== '') return found[1];
  report(`set.${found[0]}`, `${problem ?? 'an empty host'}: it is not set`);
  return undefined;
}

function toAdd(operations: HeaderOperations | undefined, report: Report): HeaderValueInit[] {
  const set = Object.entries(operations?.set ?? {}).filter(([name]) => !isHost(name));
  return [
    ...headerValues(set, AppendAction.OVERWRITE_IF_EXISTS_OR_ADD, below(report, 'set')),
    ...headerValues(Object.entries(operations?.add ?? {}), AppendAction.APPEND_IF_EXISTS_OR_ADD, below(report, 'add')),
  ];
}

function headerValues(entries: readonly (readonly [string, string])[], appendAction: AppendAction, report: Report): HeaderValueInit[] {
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return sorted.flatMap(([key, value]) => {
    const problem = changeProblem(key) ?? headerFormatProblem(value);
    if (problem === undefined) return [{ header: { key, value }, appendAction }];
    report(key, `${problem}: this header is left as it is`);
    return [];
  });
}

function toRemove(operations: HeaderOperations | undefined, report: Report): string[] {
  return (operations?.remove ?? []).filter((name, index) => {
    const problem = changeProblem(name);
    if (problem !== undefined) report(`remove[${index}]`, `${problem}: this header is left as it is`);
    return problem === undefined;
  });
}

/** Envoy changes neither the host nor what begins with a colon as headers. */
function changeProblem(name: string): string | undefined {
  return isHost(name) ? `${name} can be set, for a request, and nothing else` : headerNameProblem(name);
}

function isHost(name: string): boolean {
  return name.toLowerCase() === 'host' || name.toLowerCase() === ':authority';
}
