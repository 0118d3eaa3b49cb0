/** Matches of VirtualService rules, checked before Envoy sees them: one bad expression would make it refuse every route. */
import type { HttpRouteSpec, StringMatch } from '@hawser/model/kind-specs.ts';
import type { HeaderMatcherSchema, RouteMatchSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import { SAFE_METHODS } from './retries.ts';
import type { Init } from './wire-values.ts';

export type RouteMatchInit = Init<typeof RouteMatchSchema>;
export type HeaderMatcherInit = Init<typeof HeaderMatcherSchema>;
export type MatchSpec = NonNullable<HttpRouteSpec['match']>[number];

/** Which methods a match lets through: only safe ones, only others, or both. */
export type Methods = 'safe' | 'unsafe' | 'any';

/** Which methods a match lets through. */
export function methodsOf(match: MatchSpec): Methods {
  if (match.method === undefined || !('exact' in match.method)) return 'any';
  return (SAFE_METHODS as readonly string[]).includes(match.method.exact) ? 'safe' : 'unsafe';
}

/** The Envoy match of a rule's match; undefined when Envoy would not accept it. */
export function routeMatch(match: MatchSpec): (RouteMatchInit & { headers: HeaderMatcherInit[] }) | undefined {
  const path = pathOf(match.uri);
  const wanted: Readonly<Record<string, StringMatch>> = {
    ...(match.method === undefined ? {} : { ':method': match.method }),
    ...match.headers,
  };
  const names = Object.keys(wanted).sort();
  if (path === undefined || !names.every(isHeaderName)) return undefined;
  const headers = names.map((name) => headerMatch(name, wanted[name]));
  if (headers.some((header) => header === undefined)) return undefined;
  return { pathSpecifier: path, headers: headers.filter((header) => header !== undefined) };
}

/** Lets safe methods through. */
export const SAFE_METHOD_MATCH: HeaderMatcherInit = {
  name: ':method',
  headerMatchSpecifier: {
    case: 'stringMatch',
    value: { matchPattern: { case: 'safeRegex', value: { regex: SAFE_METHODS.join('|') } } },
  },
};

type PathInit = NonNullable<RouteMatchInit['pathSpecifier']>;

function pathOf(uri: StringMatch | undefined): PathInit | undefined {
  if (uri === undefined) return { case: 'prefix', value: '/' };
  if ('exact' in uri) return { case: 'path', value: uri.exact };
  if ('prefix' in uri) return { case: 'prefix', value: uri.prefix };
  return isRe2(uri.regex) ? { case: 'safeRegex', value: { regex: uri.regex } } : undefined;
}

function headerMatch(name: string, match: StringMatch | undefined): HeaderMatcherInit | undefined {
  if (match === undefined) return undefined;
  const pattern =
    'exact' in match
      ? { case: 'exact' as const, value: match.exact }
      : 'prefix' in match
        ? { case: 'prefix' as const, value: match.prefix }
        : { case: 'safeRegex' as const, value: { regex: match.regex } };
  if (pattern.case === 'safeRegex' && !isRe2(pattern.value.regex)) return undefined;
  if (pattern.case !== 'safeRegex' && !isHeaderValue(pattern.value)) return undefined;
  // An empty prefix is any value, which Envoy has another word for.
  if (pattern.case === 'prefix' && pattern.value === '') return { name, headerMatchSpecifier: { case: 'presentMatch', value: true } };
  return { name: name.toLowerCase(), headerMatchSpecifier: { case: 'stringMatch', value: { matchPattern: pattern } } };
}

function isHeaderName(name: string): boolean {
  return /^:?[!#$%&'*+\-.^_|~0-9A-Za-z`]+$/.test(name);
}

/** RFC 9110 section 5.5: no control characters. */
function isHeaderValue(value: string): boolean {
  return [...value].every((char) => char >= ' ' && char !== '\u007f');
}

/** Whether RE2 takes an expression: what JavaScript takes, without what RE2 leaves out (look-around, back references). */
function isRe2(regex: string): boolean {
  const flagless = regex.replace(/^\(\?[imsU]+\)/, '');
  if (regex === '' || regex.length > 1024 || /\(\?<?[=!]|\\[1-9]|\\k</.test(flagless)) return false;
  try {
    new RegExp(flagless.replaceAll('(?P<', '(?<'));
    return true;
  } catch {
    return false;
  }
}
