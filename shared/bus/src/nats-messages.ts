/** Messages, headers and errors as NATS has them, and as the rest of Hawser sees them. */
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { headers, type Msg, type MsgHdrs } from 'nats';
import type { BusMessage } from './bus.ts';

/** Carries why a request failed, in words. */
const ERROR_HEADER = 'Hawser-Error';

/** Headers for a message. */
export function headersOf(values: Readonly<Record<string, string>>): MsgHdrs {
  const result = headers();
  for (const [name, value] of Object.entries(values)) result.set(name, value);
  return result;
}

/** Answers a request with why it failed. */
export function failRequest(request: Msg, reason: string): void {
  request.respond(new Uint8Array(), { headers: headersOf({ [ERROR_HEADER]: reason.replaceAll(/[\r\n]+/g, ' ') }) });
}

/** Why a request failed, as its answer says; empty when it did not. */
export function failureIn(answer: Msg): string {
  return answer.headers?.get(ERROR_HEADER) ?? '';
}

const NO_HEADERS: ReadonlyMap<string, string> = new Map();

/** A message as its subscriber sees it. */
export function messageFrom(message: Msg): BusMessage {
  const { headers: from } = message;
  return {
    subject: message.subject,
    reply: message.reply ?? '',
    bytes: message.data,
    status: from?.code ?? 0,
    headers: from === undefined ? NO_HEADERS : new Map([...from].map(([name, values]) => [name.toLowerCase(), values[0] ?? ''])),
  };
}

/** What a request that NATS could not carry out rejects with. */
export function requestError(error: unknown, subject: string): AppError {
  if (error instanceof AppError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const name = { TIMEOUT: 'bus-timeout', '503': 'bus-no-responders', PERMISSIONS_VIOLATION: 'bus-refused' }[code] ?? 'bus-failed';
  return new AppError(name, `${subject}: ${messageOf(error)}`, { cause: error });
}
