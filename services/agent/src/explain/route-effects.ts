/** What a route does to a request, in words. Pure. */
import { fromBinary } from '@bufbuild/protobuf';
import type { Duration } from '@bufbuild/protobuf/wkt';
import type { HeaderValueOption } from '@hawser/xds/generated/envoy/config/core/v3/base_pb.ts';
import {
  RedirectAction_RedirectResponseCode as Code,
  type RedirectAction,
  type RetryPolicy,
  type Route,
  type RouteAction,
} from '@hawser/xds/generated/envoy/config/route/v3/route_components_pb.ts';
import { type HTTPFault, HTTPFaultSchema } from '@hawser/xds/generated/envoy/extensions/filters/http/fault/v3/fault_pb.ts';
import {
  FractionalPercent_DenominatorType as Denominator,
  type FractionalPercent,
} from '@hawser/xds/generated/envoy/type/v3/percent_pb.ts';
import { CORS_FILTER, FAULT_FILTER } from '../translate/routes/route-filters.ts';
import { ORIGIN_METADATA } from '../translate/routes/route-origin.ts';

/** All of a route, in the order in which it happens; where it goes to is not among it. */
export function effectsOf(route: Route): string[] {
  const { action } = route;
  const { divides } = route.metadata?.filterMetadata[ORIGIN_METADATA] ?? {};
  return [
    ...(typeof divides === 'string' ? [`divides ${divides}`] : []),
    ...faultEffects(route),
    ...(route.typedPerFilterConfig[CORS_FILTER] === undefined ? [] : ['answers preflight requests by its CORS policy']),
    ...headerEffects(route),
    ...(action.case === 'route' ? forwardEffects(action.value) : []),
    ...(action.case === 'redirect' ? [redirectEffect(action.value)] : []),
    ...(action.case === 'directResponse' ? [`is answered ${action.value.status}${bodyText(action.value.body?.specifier)}`] : []),
  ];
}

/** What is changed of headers. */
export interface HeaderChanges {
  readonly requestHeadersToAdd: readonly HeaderValueOption[];
  readonly requestHeadersToRemove: readonly string[];
  readonly responseHeadersToAdd: readonly HeaderValueOption[];
  readonly responseHeadersToRemove: readonly string[];
}

/** The header operations of a route or of one of its destinations. */
export function headerEffects(changes: HeaderChanges): string[] {
  const added = (kind: string, all: readonly HeaderValueOption[]): string[] =>
    all.map(({ header }) => `${kind} header ${header?.key}: ${header?.value}`);
  const removed = (kind: string, all: readonly string[]): string[] => all.map((name) => `${kind} header ${name} is removed`);
  return [
    ...removed('request', changes.requestHeadersToRemove),
    ...added('request', changes.requestHeadersToAdd),
    ...removed('response', changes.responseHeadersToRemove),
    ...added('response', changes.responseHeadersToAdd),
  ];
}

function forwardEffects(action: RouteAction): string[] {
  const { hostRewriteSpecifier: host, prefixRewrite, regexRewrite, requestMirrorPolicies, timeout, retryPolicy } = action;
  const ms = millisOf(timeout);
  return [
    ...(host.case === 'hostRewriteLiteral' ? [`the host becomes ${host.value}`] : []),
    ...(prefixRewrite === '' ? [] : [`what was matched of the path becomes ${prefixRewrite}`]),
    ...(regexRewrite === undefined ? [] : [`of the path, ${regexRewrite.pattern?.regex} becomes ${regexRewrite.substitution}`]),
    ...requestMirrorPolicies.map(
      ({ cluster, runtimeFraction }) => `mirrored to ${cluster}, ${percentOf(runtimeFraction?.defaultValue, 100)} %`,
    ),
    ms === 0 ? 'no timeout' : `timeout ${durationText(ms)}`,
    ...(retryPolicy === undefined ? ['never retried'] : [retryEffect(retryPolicy)]),
    ...(action.hashPolicy.length === 0 ? [] : ['the endpoint is chosen by consistent hashing']),
  ];
}

function retryEffect({ retryOn, numRetries = 1, perTryTimeout }: RetryPolicy): string {
  const perTry = millisOf(perTryTimeout);
  return `${numRetries} ${numRetries === 1 ? 'retry' : 'retries'} on ${retryOn}${perTry === 0 ? '' : `, ${durationText(perTry)} per try`}`;
}

function faultEffects(route: Route): string[] {
  const config = route.typedPerFilterConfig[FAULT_FILTER];
  if (config === undefined) return [];
  const { abort, delay }: HTTPFault = fromBinary(HTTPFaultSchema, config.value);
  const held = delay?.faultDelaySecifier.case === 'fixedDelay' ? millisOf(delay.faultDelaySecifier.value) : 0;
  const status = abort?.errorType.case === 'httpStatus' ? `${abort.errorType.value}` : `gRPC status ${abort?.errorType.value}`;
  return [
    ...(held === 0 ? [] : [`fault: ${percentOf(delay?.percentage, 0)} % are held back for ${durationText(held)}`]),
    ...(abort === undefined ? [] : [`fault: ${percentOf(abort.percentage, 0)} % are answered ${status}`]),
  ];
}

const STATUS: Readonly<Record<number, number>> = {
  ...{
    [Code.MOVED_PERMANENTLY]: 301,
    [Code.FOUND]: 302,
    [Code.SEE_OTHER]: 303,
    [Code.TEMPORARY_REDIRECT]: 307,
    [Code.PERMANENT_REDIRECT]: 308,
  },
};

function redirectEffect({
  schemeRewriteSpecifier: scheme,
  hostRedirect,
  portRedirect,
  pathRewriteSpecifier: path,
  responseCode,
}: RedirectAction): string {
  const to = [
    ...(scheme.case === 'schemeRedirect' ? [`scheme ${scheme.value}`] : []),
    ...(scheme.case === 'httpsRedirect' && scheme.value ? ['scheme https'] : []),
    ...(hostRedirect === '' ? [] : [`host ${hostRedirect}`]),
    ...(portRedirect === 0 ? [] : [`port ${portRedirect}`]),
    ...(path.case === 'pathRedirect' || path.case === 'prefixRewrite' ? [`path ${path.value}`] : []),
  ];
  return `is redirected with ${STATUS[responseCode] ?? 301}${to.length === 0 ? '' : ` to ${to.join(', ')}`}`;
}

function bodyText(specifier: { readonly case?: string | undefined; readonly value?: unknown } | undefined): string {
  const text = specifier?.case === 'inlineString' && typeof specifier.value === 'string' ? specifier.value.trim().slice(0, 200) : '';
  return text === '' ? '' : `: ${text}`;
}

const PARTS: Readonly<Record<number, number>> = {
  [Denominator.HUNDRED]: 100,
  [Denominator.TEN_THOUSAND]: 10_000,
  [Denominator.MILLION]: 1_000_000,
};

/** Percent; `otherwise` where there is no fraction. */
function percentOf(fraction: FractionalPercent | undefined, otherwise: number): number {
  return fraction === undefined ? otherwise : (100 * fraction.numerator) / (PARTS[fraction.denominator] ?? 100);
}

function millisOf(duration: Duration | undefined): number {
  return duration === undefined ? 0 : Number(duration.seconds) * 1_000 + duration.nanos / 1_000_000;
}

function durationText(ms: number): string {
  return ms % 1_000 === 0 ? `${ms / 1_000} s` : `${ms} ms`;
}
