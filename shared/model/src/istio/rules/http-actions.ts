/** What HTTP rules do to requests beside forwarding them: redirects, direct responses, rewrites, faults, CORS. Pure. */
import { headerValueProblem } from '../../header-text.ts';
import { regexProblem } from '../../regex.ts';
import type { SchemaProblem } from '../../validate-schema.ts';
import type {
  VirtualServiceCorsPolicy,
  VirtualServiceFault,
  VirtualServiceHttp,
  VirtualServiceRedirect,
  VirtualServiceRewrite,
} from '../specs.ts';
import { durationProblems, invalid, matchProblems, rangeProblems, type Steps } from './checks.ts';

const REDIRECT_CODES = [301, 302, 303, 307, 308];
const MOST_BODY_BYTES = 1_048_576;

/** gRPC codes by their numbers (google.rpc.Code). */
export const GRPC_CODES: readonly string[] = [
  ...['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS', 'PERMISSION_DENIED'],
  ...['RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE'],
  ...['DATA_LOSS', 'UNAUTHENTICATED'],
];

/** Problems of a redirect. */
export function redirectProblems(steps: Steps, redirect: VirtualServiceRedirect): readonly SchemaProblem[] {
  const { redirectCode, port, derivePort, uri, authority, scheme } = redirect;
  const isEmpty = [uri, authority, scheme, port, derivePort].every((field) => field === undefined);
  const bad = headerValueProblem(`${uri ?? ''}${authority ?? ''}${scheme ?? ''}`);
  return [
    ...(isEmpty ? [invalid(steps, 'needs one of uri, authority, scheme, port, derivePort')] : []),
    ...(bad === undefined ? [] : [invalid(steps, `has ${bad}`)]),
    ...(redirectCode === undefined || REDIRECT_CODES.includes(redirectCode)
      ? []
      : [invalid([...steps, 'redirectCode'], `is ${redirectCode}; it must be one of ${REDIRECT_CODES.join(', ')}`)]),
    ...rangeProblems([...steps, 'port'], port, [1, 65_535]),
    ...(port !== undefined && derivePort !== undefined ? [invalid([...steps, 'derivePort'], 'and port exclude each other')] : []),
  ];
}

/** Problems of an answer without any upstream. */
export function directResponseProblems(steps: Steps, direct: NonNullable<VirtualServiceHttp['directResponse']>): readonly SchemaProblem[] {
  const { status, body } = direct;
  const isBoth = body?.string !== undefined && body.bytes !== undefined;
  const size = body?.bytes === undefined ? Buffer.byteLength(body?.string ?? '') : Buffer.from(body.bytes, 'base64').length;
  const isBase64 = body?.bytes === undefined || /^[A-Za-z0-9+/]*={0,2}$/.test(body.bytes);
  return [
    ...rangeProblems([...steps, 'status'], status, [200, 599]),
    ...(isBoth ? [invalid([...steps, 'body'], 'has string and bytes, of which it has one')] : []),
    ...(isBase64 ? [] : [invalid([...steps, 'body', 'bytes'], 'is not base64')]),
    ...(size > MOST_BODY_BYTES ? [invalid([...steps, 'body'], `has ${size} bytes; at most ${MOST_BODY_BYTES} are allowed`)] : []),
  ];
}

/** Problems of a rewrite. */
export function rewriteProblems(steps: Steps, rewrite: VirtualServiceRewrite | undefined): readonly SchemaProblem[] {
  const { uri, authority, uriRegexRewrite: regex } = rewrite ?? {};
  const bad = headerValueProblem(`${uri ?? ''}${authority ?? ''}`);
  const expression = regex === undefined ? undefined : regexProblem(regex.match ?? '');
  return [
    ...(bad === undefined ? [] : [invalid(steps, `has ${bad}`)]),
    ...(uri !== undefined && regex !== undefined ? [invalid(steps, 'has uri and uriRegexRewrite, of which it has one')] : []),
    ...(expression === undefined ? [] : [invalid([...steps, 'uriRegexRewrite', 'match'], expression)]),
  ];
}

/** Problems of faults. */
export function faultProblems(steps: Steps, fault: VirtualServiceFault | undefined): readonly SchemaProblem[] {
  const { abort, delay } = fault ?? {};
  const isBoth = abort?.httpStatus !== undefined && abort.grpcStatus !== undefined;
  const isNeither = abort !== undefined && abort.httpStatus === undefined && abort.grpcStatus === undefined;
  const isCode = abort?.grpcStatus === undefined || GRPC_CODES.includes(abort.grpcStatus);
  return [
    ...(isBoth || isNeither ? [invalid([...steps, 'abort'], 'needs httpStatus or grpcStatus, and not both')] : []),
    ...rangeProblems([...steps, 'abort', 'httpStatus'], abort?.httpStatus, [200, 599]),
    ...(isCode ? [] : [invalid([...steps, 'abort', 'grpcStatus'], `must be one of ${GRPC_CODES.join(', ')}`)]),
    ...percentProblems([...steps, 'abort', 'percentage', 'value'], abort?.percentage?.value),
    ...(delay !== undefined && delay.fixedDelay === undefined ? [invalid([...steps, 'delay', 'fixedDelay'], 'is required')] : []),
    ...durationProblems([...steps, 'delay', 'fixedDelay'], delay?.fixedDelay),
    ...percentProblems([...steps, 'delay', 'percentage', 'value'], delay?.percentage?.value),
    ...percentProblems([...steps, 'delay', 'percent'], delay?.percent),
  ];
}

/** A share of requests, 0 to 100, fractions allowed. */
export function percentProblems(steps: Steps, value: number | undefined): readonly SchemaProblem[] {
  return value === undefined || (value >= 0 && value <= 100) ? [] : [invalid(steps, `is ${value}; it must be from 0 to 100`)];
}

/** Problems of a CORS policy. */
export function corsProblems(steps: Steps, cors: VirtualServiceCorsPolicy | undefined): readonly SchemaProblem[] {
  const lists = (['allowMethods', 'allowHeaders', 'exposeHeaders'] as const).flatMap((field) => {
    const problem = headerValueProblem((cors?.[field] ?? []).join(','));
    return problem === undefined ? [] : [invalid([...steps, field], `has ${problem}`)];
  });
  return [
    ...(cors?.allowOrigins ?? []).flatMap((origin, index) => matchProblems([...steps, 'allowOrigins', index], origin)),
    ...lists,
    ...durationProblems([...steps, 'maxAge'], cors?.maxAge),
  ];
}
