/** Errors as Kubernetes `Status` objects: what happened, to which resource, at which field. */
import type { KindDescriptor } from '@hawser/model/kinds.ts';
import type { Issue } from '@hawser/model/resource.ts';
import { AppError } from '@hawser/runtime/app-error.ts';

/** One cause; `reason` is an `IssueCode`. */
export interface StatusCause {
  readonly reason: string;
  readonly message: string;
  readonly field: string;
}

/** What a Status is about. */
export interface StatusDetails {
  readonly name?: string;
  readonly namespace?: string;
  readonly kind?: string;
  readonly group?: string;
  readonly causes?: readonly StatusCause[];
  readonly retryAfterSeconds?: number;
}

/** The body of every error answer (metav1.Status). */
export interface Status {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly status: 'Failure';
  readonly reason: string;
  readonly message: string;
  readonly code: number;
  readonly details: StatusDetails;
}

/** What an error is about, when it is about a resource. */
export interface Subject {
  readonly kind: KindDescriptor;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

/** Kubernetes' reasons and their HTTP codes. */
const CODES = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  RequestTimeout: 408,
  AlreadyExists: 409,
  Conflict: 409,
  Gone: 410,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  RequestHeaderFieldsTooLarge: 431,
  InternalError: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
} as const;
export type StatusReason = keyof typeof CODES;

/** An error that is answered as a Status of this reason. */
export class StatusError extends AppError {
  readonly reason: StatusReason;
  readonly details: StatusDetails;

  constructor(reason: StatusReason, message: string, details: StatusDetails = {}) {
    super(reason, message, { status: CODES[reason] });
    this.reason = reason;
    this.details = details;
  }
}

/** 404 for one resource. */
export function notFound(subject: Subject): StatusError {
  return new StatusError('NotFound', `${titleOf(subject)} does not exist`, detailsOf(subject));
}

/** What is wrong with one resource is told up to here: an answer is not larger than what people read. */
const MOST_CAUSES = 100;

/** 422 with a cause per issue, of the first hundred. */
export function invalid(subject: Subject, issues: readonly Issue[]): StatusError {
  const told = issues.slice(0, MOST_CAUSES);
  const causes = told.map(({ path, code, message }) => ({ reason: code, message, field: path }));
  const list = told.map(({ path, message }) => `${path === '' ? 'it' : path} ${message}`).join('; ');
  const more = issues.length > told.length ? `; and ${issues.length - told.length} more` : '';
  return new StatusError('Invalid', `${titleOf(subject)} is invalid: ${list}${more}`, { ...detailsOf(subject), causes });
}

/** `VirtualService bookinfo/reviews`. */
export function titleOf({ kind, namespace, name }: Subject): string {
  const place = [namespace, name].filter((part) => part !== undefined && part !== '').join('/');
  return place === '' ? kind.kind : `${kind.kind} ${place}`;
}

/** The details that name a resource. */
export function detailsOf({ kind, namespace, name }: Subject): StatusDetails {
  return {
    kind: kind.kind,
    group: kind.group,
    ...(name === undefined ? {} : { name }),
    ...(namespace === undefined || namespace === '' ? {} : { namespace }),
  };
}

/** The Status body of whatever was thrown; what is not ours becomes an InternalError without its text. */
export function statusOf(error: unknown): Status {
  const base = { kind: 'Status', apiVersion: 'v1', status: 'Failure' } as const;
  if (error instanceof StatusError) {
    return { ...base, reason: error.reason, message: error.message, code: error.status, details: error.details };
  }
  if (error instanceof AppError && error.status < 600 && error.status !== 500) {
    const details = error.status === 503 || error.status === 429 ? { retryAfterSeconds: 1 } : {};
    return { ...base, reason: reasonOf(error.status), message: error.message, code: error.status, details };
  }
  const foreign = fastifyStatus(error);
  if (foreign !== undefined) return { ...base, reason: reasonOf(foreign.code), message: foreign.message, code: foreign.code, details: {} };
  return { ...base, reason: 'InternalError', message: 'the hub failed at this; its log says why', code: 500, details: {} };
}

function reasonOf(code: number): StatusReason {
  const found = Object.entries(CODES).find(([, value]) => value === code)?.[0];
  return found === undefined ? (code < 500 ? 'BadRequest' : 'InternalError') : (found as StatusReason);
}

/** The deadline of a request is ours, so its error may be told. */
function isLate(error: Error): boolean {
  return 'code' in error && error.code === 'FST_ERR_HANDLER_TIMEOUT';
}

/** Errors of fastify itself carry a client status: malformed JSON, a body too large, a media type it does not know. */
function fastifyStatus(error: unknown): { readonly code: number; readonly message: string } | undefined {
  if (!(error instanceof Error) || !('statusCode' in error) || typeof error.statusCode !== 'number') return undefined;
  if (isLate(error))
    return { code: 504, message: 'the hub did not finish this in time; whether it was done is not known: look before you repeat it' };
  if (error.statusCode < 400 || error.statusCode >= 500) return undefined;
  const message = error instanceof SyntaxError ? `the body is not JSON: ${error.message}` : error.message;
  return { code: error.statusCode, message };
}
