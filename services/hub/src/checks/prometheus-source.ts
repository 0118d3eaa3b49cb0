/** One number out of Prometheus: an instant query of its HTTP API (`/api/v1/query`). */
import { readFile } from 'node:fs/promises';
import type { Measurement } from '@hawser/model/check-verdict.ts';
import { boundedRequest } from '../outgoing/bounded-request.ts';
import { type PrometheusServer, secretIn } from '../outgoing/integrations.ts';

const MOST_BYTES = 256 * 1024;

/** How long it may take, and what ends it before. */
export interface Patience {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Asks. Rejects with `Error` where no answer was had; an answer without a number is no data. */
export async function askPrometheus(server: PrometheusServer, query: string, { timeoutMs, signal }: Patience): Promise<Measurement> {
  const token = server.bearerTokenFile === undefined ? {} : { authorization: `Bearer ${await secretIn(server.bearerTokenFile)}` };
  const { status, body } = await boundedRequest(new URL(`${server.url.replace(/\/+$/, '')}/api/v1/query`), {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json', ...token },
    body: new URLSearchParams({ query, timeout: `${timeoutMs}ms` }).toString(),
    ...{ timeoutMs, mostBytes: MOST_BYTES, signal },
    ...(server.caFile === undefined ? {} : { tls: { ca: await readFile(server.caFile, 'utf8') } }),
  });
  return readAnswer(status, body);
}

/** What an answer says. Pure; throws `Error` on one that is a refusal, or not Prometheus'. */
export function readAnswer(status: number, body: string): Measurement {
  const answer = parsed(body);
  if (answer?.status === 'error')
    throw new Error(`Prometheus refused the query: ${answer.errorType ?? ''} ${answer.error ?? ''}`.slice(0, 300));
  if (status !== 200 || answer?.status !== 'success') throw new Error(`it answered ${status}, and not as Prometheus does`);
  const { resultType, result } = answer.data ?? {};
  if (resultType === 'scalar') return numberIn(result);
  if (resultType !== 'vector' || !Array.isArray(result)) {
    throw new Error(`the query gives a ${String(resultType).slice(0, 20)}; a check needs one number: a scalar, or a vector of one series`);
  }
  if (result.length === 0) return { noData: 'the query gives nothing' };
  if (result.length > 1) throw new Error(`the query gives ${result.length} series; a check needs one: put sum(...) or max(...) around it`);
  return numberIn((result[0] as { value?: unknown }).value);
}

interface Answer {
  readonly status?: string;
  readonly errorType?: string;
  readonly error?: string;
  readonly data?: { readonly resultType?: string; readonly result?: unknown };
}

function parsed(body: string): Answer | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return value === null || typeof value !== 'object' ? undefined : value;
  } catch {
    return undefined;
  }
}

/** A sample is `[time, "number"]`. */
function numberIn(sample: unknown): Measurement {
  const text: unknown = Array.isArray(sample) ? sample[1] : undefined;
  if (typeof text !== 'string' || text === '') throw new Error('the answer has a sample without a number');
  if (text === 'NaN') return { noData: 'the query gives NaN, such as of a division by nothing' };
  const value = text === '+Inf' ? Number.POSITIVE_INFINITY : text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text);
  if (Number.isNaN(value)) throw new Error('the answer has a sample without a number');
  return { value };
}
