/** Routes for safe methods and for others, which differ in their retries. Pure. */
import type { VirtualServiceHttp } from '@hawser/model/istio/specs.ts';
import type { RouteSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import type { Init } from '../wire-values.ts';
import { DEFAULT_PER_TRY_MS, perTryMs, safeRetries, unsafeRetries, withPerTry } from './retries.ts';
import type { Action } from './route-actions.ts';
import { type Methods, type RouteMatchInit, SAFE_METHOD_MATCH } from './route-match.ts';

type RouteInit = Init<typeof RouteSchema>;

interface MethodRoutes {
  readonly match: RouteMatchInit;
  readonly methods: Methods;
  readonly rule: VirtualServiceHttp | undefined;
  readonly action: Action;
}

/** Routes for safe methods and for others, which differ in their retries alone. */
export function methodRoutes({ match, methods, rule, action }: MethodRoutes): RouteInit[] {
  if (action.case === 'answer') return [{ match, action: action.action }];
  const safe = withPerTry(safeRetries(rule), perTryMs(rule, DEFAULT_PER_TRY_MS));
  const unsafe = withPerTry(unsafeRetries(rule, methods === 'unsafe'), perTryMs(rule, 0));
  const safeMatch = methods === 'any' ? { ...match, headers: [...(match.headers ?? []), SAFE_METHOD_MATCH] } : match;
  return [
    ...(methods === 'unsafe' ? [] : [{ match: safeMatch, action: forward(action.to, safe) }]),
    ...(methods === 'safe' ? [] : [{ match, action: forward(action.to, unsafe) }]),
  ];
}

type ForwardInit = Extract<Action, { case: 'forward' }>['to'];

function forward(to: ForwardInit, retryPolicy: ReturnType<typeof safeRetries>): NonNullable<RouteInit['action']> {
  return { case: 'route', value: { ...to, ...(retryPolicy === undefined ? {} : { retryPolicy }) } };
}
