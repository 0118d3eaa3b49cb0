/** Matches of VirtualService rules, checked before Envoy sees them: one bad expression would make it refuse every route. */

import { headerNameProblem, headerValueProblem } from '@hawser/model/header-text.ts';
import type { StringMatch, VirtualServiceMatch } from '@hawser/model/istio/specs.ts';
import { regexProblem } from '@hawser/model/regex.ts';
import type {
  HeaderMatcherSchema,
  QueryParameterMatcherSchema,
  RouteMatchSchema,
} from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import type { Init } from '../wire-values.ts';
import { SAFE_METHODS } from './retries.ts';
import type { Report } from './rule-report.ts';

export type RouteMatchInit = Init<typeof RouteMatchSchema>;
export type HeaderMatcherInit = Init<typeof HeaderMatcherSchema>;
type QueryMatcherInit = Init<typeof QueryParameterMatcherSchema>;

/** Which methods a match lets through: only safe ones, only others, or both. */
export type Methods = 'safe' | 'unsafe' | 'any';

/** Which methods a match lets through. */
export function methodsOf(match: VirtualServiceMatch): Methods {
  const exact = match.method?.exact;
  if (exact === undefined) return 'any';
  return (SAFE_METHODS as readonly string[]).includes(exact) ? 'safe' : 'unsafe';
}

/** The Envoy match of a rule's match; undefined, and reported, when Envoy would not accept it. */
export function routeMatch(match: VirtualServiceMatch, report: Report): NarrowMatch | undefined {
  const path = pathOf(match.uri, report);
  const headers = headerMatchers(match, report);
  const queries = queryMatchers(match.queryParams ?? {}, report);
  if (path === undefined || headers === undefined || queries === undefined) return undefined;
  const isFolded = match.ignoreUriCase === true && path.case !== 'safeRegex';
  return { pathSpecifier: path, headers, queryParameters: queries, ...(isFolded ? { caseSensitive: false } : {}) };
}

/** A match and its headers. */
export type NarrowMatch = Pick<RouteMatchInit, 'queryParameters' | 'caseSensitive'> & {
  readonly pathSpecifier: PathInit;
  readonly headers: HeaderMatcherInit[];
};

/** What a match and all of the others let through; undefined, and reported, when Envoy would not take one of them. */
export function narrowed(match: NarrowMatch, others: readonly VirtualServiceMatch[], report: Report): NarrowMatch | undefined {
  let narrow: NarrowMatch = match;
  for (const other of others) {
    const further = routeMatch(other, report);
    if (further === undefined) return undefined;
    const headers = [...narrow.headers, ...further.headers];
    if (isAnyPath(further.pathSpecifier)) narrow = { ...narrow, headers };
    else if (isAnyPath(narrow.pathSpecifier)) narrow = { ...narrow, pathSpecifier: further.pathSpecifier, headers };
    else narrow = { ...narrow, headers: [...headers, pathHeader(further.pathSpecifier)] };
  }
  return narrow;
}

function isAnyPath(path: PathInit): boolean {
  return path.case === 'prefix' && path.value === '/';
}

/** Envoy has one path in a match; as a header the path has its query. */
function pathHeader(path: PathInit): HeaderMatcherInit {
  const text = (matchPattern: object): HeaderMatcherInit =>
    ({ name: ':path', headerMatchSpecifier: { case: 'stringMatch', value: { matchPattern } } }) as HeaderMatcherInit;
  if (path.case === 'prefix') return text({ case: 'prefix', value: path.value });
  const regex = path.case === 'path' ? path.value.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') : ((path.value as { regex?: string }).regex ?? '');
  return text({ case: 'safeRegex', value: { regex: `(?:${regex})(?:\\?.*)?` } });
}

/** Lets safe methods through. */
export const SAFE_METHOD_MATCH: HeaderMatcherInit = {
  name: ':method',
  headerMatchSpecifier: {
    case: 'stringMatch',
    value: { matchPattern: { case: 'safeRegex', value: { regex: SAFE_METHODS.join('|') } } },
  },
};

/** What a text must be like; `any` for a match without a pattern, which asks only that the text is there. */
export type TextPattern =
  | 'any'
  | { readonly case: 'exact'; readonly value: string }
  | { readonly case: 'prefix'; readonly value: string }
  | { readonly case: 'safeRegex'; readonly value: { readonly regex: string } };

/** The pattern of a match; undefined and reported when Envoy would not take it. A lone `*` is Istio's old way to say any. */
export function textPattern(match: StringMatch | undefined, field: string, report: Report): TextPattern | undefined {
  if (match?.exact !== undefined) return { case: 'exact', value: match.exact };
  if (match?.prefix !== undefined) return match.prefix === '' ? 'any' : { case: 'prefix', value: match.prefix };
  if (match?.regex === undefined || match.regex === '*') return 'any';
  const problem = regexProblem(match.regex);
  if (problem === undefined) return { case: 'safeRegex', value: { regex: match.regex } };
  report(field, `the expression ${problem}: this match is left out`);
  return undefined;
}

type PathInit = NonNullable<RouteMatchInit['pathSpecifier']>;

function pathOf(uri: StringMatch | undefined, report: Report): PathInit | undefined {
  const pattern = textPattern(uri, 'uri', report);
  if (pattern === undefined) return undefined;
  if (pattern === 'any') return { case: 'prefix', value: '/' };
  return pattern.case === 'exact' ? { case: 'path', value: pattern.value } : pattern;
}

/** Scheme, method and authority are headers to Envoy. Sorted, so that equal matches give equal bytes. */
function headerMatchers(match: VirtualServiceMatch, report: Report): HeaderMatcherInit[] | undefined {
  const { scheme, method, authority, headers = {}, withoutHeaders = {} } = match;
  const pseudo = Object.entries({ ':scheme': scheme, ':method': method, ':authority': authority }).filter(
    ([, value]) => value !== undefined,
  );
  const wanted = [...pseudo, ...Object.entries(headers)].sort(byName).map(([name, value]) => headerMatch(name, value, report));
  const unwanted = Object.entries(withoutHeaders)
    .sort(byName)
    .map(([name, value]) => withoutHeader(headerMatch(name, value, report)));
  const all = [...wanted, ...unwanted];
  return all.includes(undefined) ? undefined : all.filter((one) => one !== undefined);
}

function headerMatch(name: string, match: StringMatch | undefined, report: Report): HeaderMatcherInit | undefined {
  const field = name.startsWith(':') ? name.slice(1) : `headers.${name}`;
  const problem = headerNameProblem(name.replace(/^:/, ''));
  if (problem !== undefined) {
    report(field, `${problem}: this match is left out`);
    return undefined;
  }
  const pattern = textPattern(match, field, report);
  if (pattern === undefined) return undefined;
  if (pattern === 'any') return { name: name.toLowerCase(), headerMatchSpecifier: { case: 'presentMatch', value: true } };
  const bad = pattern.case === 'safeRegex' ? undefined : headerValueProblem(pattern.value);
  if (bad !== undefined) {
    report(field, `${bad}: this match is left out`);
    return undefined;
  }
  return { name: name.toLowerCase(), headerMatchSpecifier: { case: 'stringMatch', value: { matchPattern: pattern } } };
}

/** Neither the header with such a value, nor, for a match without a pattern, the header at all. */
function withoutHeader(matcher: HeaderMatcherInit | undefined): HeaderMatcherInit | undefined {
  if (matcher === undefined) return undefined;
  // Else Envoy does not match a request that lacks the header.
  const missing = matcher.headerMatchSpecifier?.case === 'stringMatch' ? { treatMissingHeaderAsEmpty: true } : {};
  return { ...matcher, invertMatch: true, ...missing };
}

function queryMatchers(params: Readonly<Record<string, StringMatch>>, report: Report): QueryMatcherInit[] | undefined {
  const all = Object.entries(params)
    .sort(byName)
    .map(([name, match]) => queryMatch(name, textPattern(match, `queryParams.${name}`, report)));
  return all.includes(undefined) ? undefined : all.filter((one) => one !== undefined);
}

function queryMatch(name: string, pattern: TextPattern | undefined): QueryMatcherInit | undefined {
  if (pattern === undefined || name === '' || Buffer.byteLength(name) > 1_024) return undefined;
  if (pattern === 'any') return { name, queryParameterMatchSpecifier: { case: 'presentMatch', value: true } };
  return { name, queryParameterMatchSpecifier: { case: 'stringMatch', value: { matchPattern: pattern } } };
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
