/** PURE but for randomness: W3C Trace Context, level 1. */
import { randomBytes } from 'node:crypto';

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$/;

/** The trace id of a `traceparent` header (section 3.2), or a new one when there is none that is valid. */
export function traceIdOf(traceparent: string | string[] | undefined): string {
  const [, version, trace = '', parent = '', rest] = TRACEPARENT.exec(typeof traceparent === 'string' ? traceparent.trim() : '') ?? [];
  const isValid =
    version !== undefined && version !== 'ff' && (version !== '00' || rest === undefined) && /[^0]/.test(trace) && /[^0]/.test(parent);
  return isValid ? trace : randomBytes(16).toString('hex');
}
