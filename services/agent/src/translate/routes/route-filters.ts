/** Configuration of the HTTP filters that are always there and do nothing until a route has some for them: faults and CORS. */
import type { Any } from '@bufbuild/protobuf/wkt';
import { parseDuration } from '@hawser/model/duration.ts';
import { headerValueProblem } from '@hawser/model/header-text.ts';
import { GRPC_CODES } from '@hawser/model/istio/rules/http-actions.ts';
import type { VirtualServiceAbort, VirtualServiceCorsPolicy, VirtualServiceDelay, VirtualServiceHttp } from '@hawser/model/istio/specs.ts';
import type { FaultDelaySchema } from '@hawser/xds/generated/envoy/extensions/filters/common/fault/v3/fault_pb.ts';
import { CorsPolicySchema } from '@hawser/xds/generated/envoy/extensions/filters/http/cors/v3/cors_pb.ts';
import { type FaultAbortSchema, HTTPFaultSchema } from '@hawser/xds/generated/envoy/extensions/filters/http/fault/v3/fault_pb.ts';
import type { FractionalPercentSchema } from '@hawser/xds/generated/envoy/type/v3/percent_pb.ts';
import { FractionalPercent_DenominatorType } from '@hawser/xds/generated/envoy/type/v3/percent_pb.ts';
import { type Init, millis, packed } from '../wire-values.ts';
import { textPattern } from './route-match.ts';
import { below, type Report } from './rule-report.ts';

/** Name of the filter of faults. */
export const FAULT_FILTER = 'envoy.filters.http.fault';
/** Name of the filter of CORS. */
export const CORS_FILTER = 'envoy.filters.http.cors';

/** What a route gives to its filters, by their names. */
export function filterConfigs(rule: VirtualServiceHttp, report: Report): Record<string, Any> {
  const cors = rule.corsPolicy === undefined ? undefined : corsPolicy(rule.corsPolicy, below(report, 'corsPolicy'));
  const fault = rule.fault === undefined ? undefined : httpFault(rule.fault, below(report, 'fault'));
  return { ...(cors === undefined ? {} : { [CORS_FILTER]: cors }), ...(fault === undefined ? {} : { [FAULT_FILTER]: fault }) };
}

/** A share of requests as Envoy has it: parts of a million. */
export function fraction(percent: number): Init<typeof FractionalPercentSchema> {
  const numerator = Math.min(1_000_000, Math.max(0, Math.round(percent * 10_000)));
  return { numerator, denominator: FractionalPercent_DenominatorType.MILLION };
}

function httpFault({ abort, delay }: NonNullable<VirtualServiceHttp['fault']>, report: Report): Any | undefined {
  const aborts = abort === undefined ? undefined : faultAbort(abort, below(report, 'abort'));
  const delays = delay === undefined ? undefined : faultDelay(delay, below(report, 'delay'));
  if (aborts === undefined && delays === undefined) return undefined;
  return packed(HTTPFaultSchema, {
    ...(aborts === undefined ? {} : { abort: aborts }),
    ...(delays === undefined ? {} : { delay: delays }),
  });
}

/** Without a percentage nothing is aborted, as Istio has it. */
function faultAbort(abort: VirtualServiceAbort, report: Report): Init<typeof FaultAbortSchema> | undefined {
  const percentage = fraction(abort.percentage?.value ?? 0);
  if (abort.httpStatus !== undefined) {
    if (isStatus(abort.httpStatus)) return { errorType: { case: 'httpStatus', value: abort.httpStatus }, percentage };
    report('httpStatus', `${abort.httpStatus} is no status from 200 to 599: nothing is aborted`);
    return undefined;
  }
  const code = GRPC_CODES.indexOf(abort.grpcStatus ?? '');
  if (code >= 0) return { errorType: { case: 'grpcStatus', value: code }, percentage };
  report('grpcStatus', `${JSON.stringify(abort.grpcStatus)} is no gRPC status: nothing is aborted`);
  return undefined;
}

function faultDelay(delay: VirtualServiceDelay, report: Report): Init<typeof FaultDelaySchema> | undefined {
  const ms = parseDuration(delay.fixedDelay ?? '') ?? 0;
  const percentage = fraction(delay.percentage?.value ?? delay.percent ?? 0);
  if (ms > 0) return { faultDelaySecifier: { case: 'fixedDelay', value: millis(ms) }, percentage };
  report('fixedDelay', 'is no time to wait: nothing is delayed');
  return undefined;
}

function corsPolicy(cors: VirtualServiceCorsPolicy, report: Report): Any {
  const origins = (cors.allowOrigins ?? []).map((match, index) => textPattern(match, `allowOrigins[${index}]`, report));
  const named = (cors.allowOrigin ?? []).map((value) => ({ matchPattern: { case: 'exact' as const, value } }));
  const matched = origins.flatMap((pattern) => (pattern === undefined ? [] : [{ matchPattern: pattern === 'any' ? ANY_TEXT : pattern }]));
  const list = (field: 'allowMethods' | 'allowHeaders' | 'exposeHeaders'): string => {
    const text = (cors[field] ?? []).join(',');
    const problem = headerValueProblem(text);
    if (problem !== undefined) report(field, `${problem}: it is left out`);
    return problem === undefined ? text : '';
  };
  const maxAge = parseDuration(cors.maxAge ?? '');
  return packed(CorsPolicySchema, {
    allowOriginStringMatch: [...matched, ...named],
    ...{ allowMethods: list('allowMethods'), allowHeaders: list('allowHeaders'), exposeHeaders: list('exposeHeaders') },
    ...(maxAge === undefined ? {} : { maxAge: String(Math.floor(maxAge / 1_000)) }),
    ...(cors.allowCredentials === undefined ? {} : { allowCredentials: cors.allowCredentials }),
    // Istio forwards preflights of other origins unless told to ignore them.
    forwardNotMatchingPreflights: cors.unmatchedPreflights !== 'IGNORE',
    filterEnabled: { defaultValue: fraction(100) },
  });
}

const ANY_TEXT = { case: 'safeRegex', value: { regex: '.*' } } as const;

/** Whether Envoy answers with this status by itself. */
export function isStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 200 && status < 600;
}
