/** The few JetStream API calls that Hawser makes, as JSON over requests (NATS ADR-1), so that their subjects and permissions are in plain sight. */
import { AppError } from '@hawser/runtime/app-error.ts';
import type { Bus } from './bus.ts';

const API = '$JS.API';
const TIMEOUT_MS = 5_000;

/** What is asked of a stream's state. */
export interface StreamState {
  /** RFC 3339; changes when the stream is made anew. */
  readonly created: string;
  readonly lastSequence: number;
}

/** A publish that JetStream stored. */
export interface Stored {
  readonly sequence: number;
}

/** The stream's state, or undefined when there is no such stream. */
export async function streamState(bus: Bus, stream: string): Promise<StreamState | undefined> {
  const answer = await call(bus, `STREAM.INFO.${stream}`, {});
  if (answer.error !== undefined) return isMissing(answer.error) ? undefined : raise(stream, answer.error);
  const state = answer['state'];
  const last = isRecord(state) ? state['last_seq'] : undefined;
  const created = answer['created'];
  if (typeof created !== 'string' || typeof last !== 'number') throw new AppError('bus-failed', `stream ${stream}: no state in the answer`);
  return { created, lastSequence: last };
}

/** Creates the stream (settings of NATS `StreamConfig`), or updates it when it exists with others. */
export async function createOrUpdateStream(bus: Bus, config: Readonly<Record<string, unknown>> & { readonly name: string }): Promise<void> {
  const created = await call(bus, `STREAM.CREATE.${config.name}`, config);
  if (created.error === undefined) return;
  const updated = await call(bus, `STREAM.UPDATE.${config.name}`, config);
  if (updated.error !== undefined) raise(config.name, updated.error);
}

/** Creates an ephemeral push consumer for one filter and answers how many messages wait for it. */
export async function createConsumer(bus: Bus, stream: string, config: Readonly<Record<string, unknown>> & ConsumerName): Promise<number> {
  const subject = `CONSUMER.CREATE.${stream}.${config.name}.${config.filter_subject}`;
  const answer = await call(bus, subject, { stream_name: stream, config, action: 'create' });
  if (answer.error !== undefined) raise(stream, answer.error);
  const pending = answer['num_pending'];
  return typeof pending === 'number' ? pending : 0;
}

/** What the consumer API has in its subject, where permissions see it. */
export interface ConsumerName {
  readonly name: string;
  readonly filter_subject: string;
}

/**
 * Publishes and waits for the stream's acknowledgement. Throws `stream-missing` when no stream takes the subject, `stream-fenced`
 * when the sequence that the headers expect is not the stream's any more, and `stream-busy` when a replicated stream has another
 * write with the same expectation under way.
 */
export async function publishStored(
  bus: Bus,
  subject: string,
  bytes: Uint8Array,
  headers?: Readonly<Record<string, string>>,
): Promise<Stored> {
  let answer: ApiAnswer;
  try {
    const reply = await bus.request(subject, bytes, { timeoutMs: TIMEOUT_MS, ...(headers === undefined ? {} : { headers }) });
    answer = parse(reply.bytes);
  } catch (error) {
    if (error instanceof AppError && error.code === 'bus-no-responders')
      throw new AppError('stream-missing', `no stream takes ${subject}`, { cause: error });
    throw error;
  }
  if (answer.error !== undefined) raise(subject, answer.error);
  const sequence = answer['seq'];
  if (typeof sequence !== 'number') throw new AppError('bus-failed', `${subject}: the acknowledgement has no sequence`);
  return { sequence };
}

interface ApiError {
  readonly code: number;
  readonly errorCode: number;
  readonly description: string;
}
type ApiAnswer = Readonly<Record<string, unknown>> & { readonly error?: ApiError };

async function call(bus: Bus, subject: string, body: unknown): Promise<ApiAnswer> {
  const reply = await bus.request(`${API}.${subject}`, Buffer.from(JSON.stringify(body)), { timeoutMs: TIMEOUT_MS });
  return parse(reply.bytes);
}

function parse(bytes: Uint8Array): ApiAnswer {
  const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
  if (!isRecord(value)) throw new AppError('bus-failed', 'the JetStream answer is not an object');
  const { error, ...rest } = value;
  if (!isRecord(error)) return rest;
  const { code, err_code, description } = error;
  return { ...rest, error: { code: Number(code), errorCode: Number(err_code), description: String(description) } };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** 10059: stream not found. */
function isMissing(error: ApiError): boolean {
  return error.errorCode === 10059 || error.code === 404;
}

/** Codes of nats-server's `errors.json`: 10071 names the sequence found, 10164 leaves it open. */
const CODES: Readonly<Record<number, string>> = { 10071: 'stream-fenced', 10164: 'stream-busy' };

function raise(what: string, error: ApiError): never {
  const code = isMissing(error) ? 'stream-missing' : (CODES[error.errorCode] ?? 'bus-failed');
  throw new AppError(code, `${what}: ${error.description} (${error.errorCode})`);
}
