/** Whether a route takes a request, by Envoy's rules, and if not, why. Pure but for the regular expressions. */
import type { QueryParameterMatcher, RouteMatch } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import { FractionalPercent_DenominatorType as Denominator } from '@hawser/xds/generated/envoy/type/v3/percent_pb.ts';
import type { RegexTest } from './re2.ts';
import { type Judged, matchHeader, matchText } from './text-match.ts';

/** A request as a proxy sees it. */
export interface ExplainedRequest {
  readonly method: string;
  readonly scheme: string;
  /** Host, and port if it is written. */
  readonly authority: string;
  /** With the query. */
  readonly path: string;
  /** Lower-case name → value. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The outcome: the share of such requests that it takes, 0 to 1, and the reason when it takes none. */
export interface RouteJudgement {
  readonly share: number;
  readonly why: string;
}

/** Judges one route. */
export function judgeRoute(match: RouteMatch | undefined, request: ExplainedRequest, regex: RegexTest): RouteJudgement {
  if (match === undefined) return { share: 0, why: 'the route has no match' };
  const problem =
    pathProblem(match, request, regex) ??
    first(match.headers, (header) => headerProblem(header.name, matchHeader(header, headerOf(header.name, request), regex), request)) ??
    first(match.queryParameters, (query) => queryProblem(query, request, regex)) ??
    foreignProblem(match, request);
  if (problem !== undefined) return { share: 0, why: problem };
  return { share: shareOf(match), why: '' };
}

/** The value of a header; the parts of the request line count as headers (`:path`). */
function headerOf(name: string, request: ExplainedRequest): string | undefined {
  const pseudo: Readonly<Record<string, string>> = {
    ...{ ':method': request.method, ':scheme': request.scheme, ':authority': request.authority, ':path': request.path },
  };
  const wanted = name.toLowerCase() === 'host' ? ':authority' : name.toLowerCase();
  return pseudo[wanted] ?? request.headers[wanted];
}

function pathProblem({ pathSpecifier: asked, caseSensitive }: RouteMatch, request: ExplainedRequest, regex: RegexTest): string | undefined {
  const path = request.path.replace(/[?#].*$/s, '');
  const fold = (text: string): string => (caseSensitive === false ? text.toLowerCase() : text);
  const say = (holds: boolean | undefined, asks: string): string | undefined => {
    if (holds === undefined) return `whether the path ${path} is ${asks} cannot be said`;
    return holds ? undefined : `the path ${path} is not ${asks}`;
  };
  switch (asked.case) {
    case 'prefix':
      return say(fold(path).startsWith(fold(asked.value)), `${asked.value}…`);
    case 'path':
      return say(fold(path) === fold(asked.value), asked.value);
    case 'safeRegex':
      return say(regex(asked.value.regex, path), `/${asked.value.regex}/`);
    case 'pathSeparatedPrefix':
      return say(fold(path) === fold(asked.value) || fold(path).startsWith(`${fold(asked.value)}/`), `${asked.value} or ${asked.value}/…`);
    case 'connectMatcher':
      return request.method === 'CONNECT' ? undefined : 'it is for CONNECT';
    default:
      return 'its path is matched by something that cannot be evaluated here';
  }
}

function headerProblem(name: string, { holds, asks }: Judged, request: ExplainedRequest): string | undefined {
  if (holds === true) return undefined;
  const value = headerOf(name, request);
  const what = name.startsWith(':') ? `the ${name.slice(1)}` : `the header ${name}`;
  if (holds === undefined) return `whether ${what} is ${asks} cannot be said`;
  return value === undefined ? `${what} is missing` : `${what}, ${value}, is not ${asks}`;
}

function queryProblem(
  { name, queryParameterMatchSpecifier: asked }: QueryParameterMatcher,
  request: ExplainedRequest,
  regex: RegexTest,
): string | undefined {
  const value = queryValue(request.path, name);
  if (asked.case !== 'stringMatch') {
    const wanted = asked.case === undefined || asked.value;
    return (value !== undefined) === wanted ? undefined : `the query parameter ${name} is ${wanted ? 'missing' : 'there'}`;
  }
  if (value === undefined) return `the query parameter ${name} is missing`;
  const { holds, asks } = matchText(asked.value, value, regex);
  if (holds === true) return undefined;
  return holds === undefined
    ? `whether the query parameter ${name} is ${asks} cannot be said`
    : `the query parameter ${name}, ${value}, is not ${asks}`;
}

/** The first value, as it stands: Envoy does not decode it. */
function queryValue(path: string, name: string): string | undefined {
  const [, query = ''] = /\?([^#]*)/.exec(path) ?? [];
  for (const pair of query.split('&')) {
    const equals = pair.indexOf('=');
    const key = equals === -1 ? pair : pair.slice(0, equals);
    if (key === name && pair !== '') return equals === -1 ? '' : pair.slice(equals + 1);
  }
  return undefined;
}

/** What Hawser does not use, and what a request does not tell. */
function foreignProblem(match: RouteMatch, request: ExplainedRequest): string | undefined {
  if (match.grpc !== undefined && !/^application\/grpc($|[+;])/.test(request.headers['content-type'] ?? '')) return 'it is for gRPC';
  const isForeign = match.tlsContext !== undefined || match.dynamicMetadata.length > 0;
  return isForeign ? 'it asks for something that cannot be evaluated here' : undefined;
}

const PARTS: Readonly<Record<number, number>> = {
  [Denominator.HUNDRED]: 100,
  [Denominator.TEN_THOUSAND]: 10_000,
  [Denominator.MILLION]: 1_000_000,
};

function shareOf({ runtimeFraction }: RouteMatch): number {
  const fraction = runtimeFraction?.defaultValue;
  return fraction === undefined ? 1 : Math.min(1, fraction.numerator / (PARTS[fraction.denominator] ?? 100));
}

function first<T>(all: readonly T[], problem: (one: T) => string | undefined): string | undefined {
  for (const one of all) {
    const found = problem(one);
    if (found !== undefined) return found;
  }
  return undefined;
}
