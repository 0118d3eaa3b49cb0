/** Keeps callers on their side of a split: on either side, and when weights move, all but those who have to. Pure. */
import { parseDuration } from '@hawser/model/duration.ts';
import type { Stickiness } from '@hawser/model/traffic-shift.ts';
import type {
  RouteAction_HashPolicySchema,
  RouteActionSchema,
  RouteSchema,
  WeightedClusterSchema,
} from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import type { Init } from '../wire-values.ts';
import type { HeaderMatcherInit, RouteMatchInit } from './route-match.ts';

type RouteInit = Init<typeof RouteSchema>;
type HashPolicyInit = Init<typeof RouteAction_HashPolicySchema>;

const DAY_MS = 86_400_000;

/**
 * What is left of a request's id when it is traced or not: Envoy writes that into it after the side was chosen. It is a caller's
 * number from its first request on.
 */
const ID_LENGTH = 13;
const BY_REQUEST_ID: HashPolicyInit = {
  policySpecifier: {
    case: 'header',
    value: { headerName: 'x-request-id', regexRewrite: { pattern: { regex: `^(.{${ID_LENGTH}}).*$` }, substitution: '\\1' } },
  },
  terminal: true,
};

/**
 * The route of a split by a number that its caller keeps: hashed, it decides about the side, which is a range of numbers. Ranges are
 * in the order of the subsets' names, so a moved boundary moves only the callers in between. With a cookie, a route for those who
 * have it and one that gives it, whose value decides about this request as well. Routes with one destination stay.
 */
export function stickyRoutes(route: RouteInit, stickiness: Stickiness | undefined): RouteInit[] {
  const to = route.action?.case === 'route' ? (route.action.value as Init<typeof RouteActionSchema>) : undefined;
  if (stickiness === undefined || to?.clusterSpecifier?.case !== 'weightedClusters') return [route];
  const { header, cookie } = stickiness;
  const by = (policy: HashPolicyInit): RouteInit => ({ ...route, action: { case: 'route', value: hashed(to, policy) } });
  if (header !== undefined) return [by({ policySpecifier: { case: 'header', value: { headerName: header } }, terminal: true })];
  if (cookie === undefined) return [route];
  const known = by({ policySpecifier: { case: 'cookie', value: { name: cookie.name } }, terminal: true });
  const fresh = by(BY_REQUEST_ID);
  const seconds = Math.round((parseDuration(cookie.maxAge ?? '') ?? DAY_MS) / 1_000);
  const value = `${cookie.name}=%REQ(X-REQUEST-ID):${ID_LENGTH}%; Max-Age=${seconds}; Path=/; HttpOnly`;
  const giving = { header: { key: 'set-cookie', value } };
  return [
    { ...known, match: withHeader(known.match, hasCookie(cookie.name)) },
    { ...fresh, responseHeadersToAdd: [...(fresh.responseHeadersToAdd ?? []), giving] },
  ];
}

type RouteActionInit = Init<typeof RouteActionSchema>;

function hashed(to: RouteActionInit, policy: HashPolicyInit): RouteActionInit {
  const weighted = (to.clusterSpecifier?.value ?? {}) as Init<typeof WeightedClusterSchema>;
  const value = { ...weighted, randomValueSpecifier: { case: 'useHashPolicy' as const, value: BY_HASH } };
  return { ...to, clusterSpecifier: { case: 'weightedClusters', value }, hashPolicy: [policy] };
}

const BY_HASH = { value: true };

function withHeader(match: RouteInit['match'], header: HeaderMatcherInit): RouteMatchInit {
  const known = (match ?? {}) as RouteMatchInit;
  return { ...known, headers: [...(known.headers ?? []), header] };
}

/** RFC 6265 section 4.2.1: pairs, apart by a semicolon and a space. */
function hasCookie(name: string): HeaderMatcherInit {
  const regex = `(?:.*;[ ]*)?${name}=[^;]+.*`;
  return {
    name: 'cookie',
    headerMatchSpecifier: { case: 'stringMatch', value: { matchPattern: { case: 'safeRegex', value: { regex } } } },
  };
}
