/** A failure with an answer for the caller: what happened, where, and the way out. */
export class AppError extends Error {
  /** Stable, kebab-case: `port-taken`, `token-used`. */
  readonly code: string;
  /** HTTP status when it reaches an API client. */
  readonly status: number;

  constructor(code: string, message: string, options: { status?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.status = options.status ?? 500;
  }
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
