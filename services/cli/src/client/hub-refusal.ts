/** The hub's no: a Kubernetes `Status`, read leniently. */
import { AppError } from '@hawser/runtime/app-error.ts';

/** One field the hub complains of. */
export interface Cause {
  readonly field: string;
  readonly message: string;
  /** Kubernetes CauseType such as `UnknownField`. */
  readonly reason: string;
}

/** A request the hub answered with an error. */
export class HubRefusal extends Error {
  /** HTTP status. */
  readonly status: number;
  /** Kubernetes reason such as `Invalid`, `Conflict`, `NotFound`; empty when the answer is no Status. */
  readonly reason: string;
  readonly causes: readonly Cause[];
  /** The hub had no room (429), and says when to ask again. */
  readonly retryAfterMs: number | undefined;

  constructor(status: number, reason: string, options: { message: string; causes: readonly Cause[]; retryAfterMs?: number | undefined }) {
    super(options.message);
    this.name = 'HubRefusal';
    this.status = status;
    this.reason = reason;
    this.causes = options.causes;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Whether it is the hub that is away or too busy, which a restart can be, and not its word. */
export function isHubAway(error: unknown): boolean {
  return error instanceof AppError || (error instanceof HubRefusal && [429, 502, 503, 504].includes(error.status));
}

/** Reads an error answer; a failure of the hub itself names the trace under which its log tells more. */
export function refusalOf(status: number, content: unknown, trace: string): HubRefusal {
  const body = (content ?? {}) as { message?: unknown; reason?: unknown; details?: { causes?: unknown; retryAfterSeconds?: unknown } };
  const causes = Array.isArray(body.details?.causes) ? body.details.causes.map(causeOf) : [];
  const message = typeof body.message === 'string' ? body.message : `the hub answered ${status}`;
  const seconds = body.details?.retryAfterSeconds;
  const retryAfterMs = status === 429 && typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : undefined;
  const reason = typeof body.reason === 'string' ? body.reason : '';
  return new HubRefusal(status, reason, { message: withHint(status, message, trace), causes, retryAfterMs });
}

function causeOf(cause: unknown): Cause {
  const { field, message, reason } = (cause ?? {}) as Record<string, unknown>;
  return { field: textOr(field, ''), message: textOr(message, 'is not valid'), reason: textOr(reason, '') };
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}

function withHint(status: number, message: string, trace: string): string {
  if (status >= 500) return `${message} (trace ${trace})`;
  return status === 401 ? `${message}; the token comes from HAWSER_TOKEN, else from admin.token of the state folder` : message;
}
