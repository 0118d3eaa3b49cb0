/** The one door to the hub's API. */
import { randomBytes } from 'node:crypto';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import type { HubLocation } from './hub-location.ts';
import { HubRefusal, refusalOf } from './hub-refusal.ts';

/** One request. */
export interface HubRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path with its query, from `/`. */
  readonly path: string;
  readonly body?: unknown;
  /** Milliseconds; 30 s when not given. */
  readonly timeoutMs?: number;
  /** Told of the texts of `Warning: 299` headers, when the hub has done what it was asked. */
  readonly onWarnings?: (texts: readonly string[]) => void;
}

/** Asks the hub. Rejects with `HubRefusal` when it says no, with `AppError` when it cannot be asked. */
export interface HubClient {
  readonly url: string;
  send(request: HubRequest): Promise<unknown>;
  /** As `send` with GET, but undefined when the hub answers 404. */
  find(path: string): Promise<unknown>;
  /** What a path answers that has other than JSON, such as a page. */
  text(path: string): Promise<string>;
  /** What a path that is open to all answers, whatever its status. */
  probe(path: string): Promise<unknown>;
  /** The lines of an answer that does not end, such as a watch, as they come; ends when the hub ends it. */
  lines(path: string, signal: AbortSignal): AsyncGenerator<unknown>;
}

const TIMEOUT_MS = 30_000;

/** A client of the hub at this location; `say` is told of every request and its trace (W3C Trace Context). */
export function createHubClient({ url, token, ca }: HubLocation, say?: (line: string) => void): HubClient {
  // For the whole process: the hub is the only server that it speaks https with.
  if (ca !== undefined) setDefaultCACertificates([...getCACertificates('default'), ca]);
  const send = async (request: HubRequest): Promise<unknown> => {
    const signal = AbortSignal.timeout(request.timeoutMs ?? TIMEOUT_MS);
    for (;;) {
      try {
        return await sendOnce(request, signal);
      } catch (error) {
        if (!(error instanceof HubRefusal) || error.retryAfterMs === undefined) throw error;
        // What was refused for want of room was not begun, so it may be asked again whatever it is.
        await sleep(error.retryAfterMs * (1 + Math.random() / 2), signal);
        if (signal.aborted) throw error;
      }
    }
  };
  const sendOnce = async ({ method = 'GET', path, body, onWarnings }: HubRequest, signal: AbortSignal): Promise<unknown> => {
    const trace = randomBytes(16).toString('hex');
    const response = await ask(url, path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'application/json',
        traceparent: `00-${trace}-${randomBytes(8).toString('hex')}-01`,
        ...(body === undefined ? {} : { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal,
    });
    const content = await readJson(response, `${method} ${url}${path}`);
    say?.(`${method} ${path}: ${response.status}, request ${response.headers.get('x-request-id') ?? '-'}, trace ${trace}`);
    if (!response.ok) throw refusalOf(response.status, content, trace);
    onWarnings?.(warningTexts(response.headers.get('warning') ?? ''));
    return content;
  };
  const find = async (path: string): Promise<unknown> => {
    try {
      return await send({ path });
    } catch (error) {
      if (error instanceof HubRefusal && error.status === 404 && error.reason === 'NotFound') return undefined;
      throw error;
    }
  };
  const lines = (path: string, signal: AbortSignal): AsyncGenerator<unknown> => {
    const trace = randomBytes(16).toString('hex');
    const traceparent = `00-${trace}-${randomBytes(8).toString('hex')}-01`;
    const headers = { authorization: `Bearer ${token}`, accept: 'application/json', traceparent };
    return readLines((quiet) => ask(url, path, { headers, signal: AbortSignal.any([signal, quiet]) }), { what: `${url}${path}`, trace });
  };
  const text = (path: string): Promise<string> => {
    const trace = randomBytes(16).toString('hex');
    const headers = { authorization: `Bearer ${token}`, traceparent: `00-${trace}-${randomBytes(8).toString('hex')}-01` };
    return readText(() => ask(url, path, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) }), { what: `${url}${path}`, trace });
  };
  const probe = async (path: string): Promise<unknown> => {
    const response = await ask(url, path, { headers: { accept: 'application/json' }, signal: AbortSignal.timeout(TIMEOUT_MS) });
    return readJson(response, `GET ${url}${path}`);
  };
  return { url, send, find, text, probe, lines };
}

async function readText(
  open: () => Promise<Response>,
  { what, trace }: { readonly what: string; readonly trace: string },
): Promise<string> {
  const response = await open();
  if (!response.ok) throw refusalOf(response.status, await readJson(response, what), trace);
  try {
    return await response.text();
  } catch (error) {
    throw unreachable(what, error);
  }
}

/** RFC 7234 section 5.5. */
function warningTexts(header: string): string[] {
  return [...header.matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, text = '']) => text.replace(/\\(.)/g, '$1'));
}

/** The hub says something at least this often, a bookmark if nothing else: a connection that is silent for longer is dead. */
const SILENCE_MS = 60_000;

async function* readLines(
  open: (quiet: AbortSignal) => Promise<Response>,
  { what, trace }: { readonly what: string; readonly trace: string },
): AsyncGenerator<unknown> {
  const quiet = new AbortController();
  let timer = setTimeout(() => quiet.abort(), SILENCE_MS);
  try {
    const response = await open(quiet.signal);
    if (!response.ok) throw refusalOf(response.status, await readJson(response, what), trace);
    let rest = '';
    for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      clearTimeout(timer);
      timer = setTimeout(() => quiet.abort(), SILENCE_MS);
      const whole = `${rest}${chunk}`.split('\n');
      rest = whole.pop() ?? '';
      for (const line of whole) yield JSON.parse(line);
    }
  } catch (error) {
    if (error instanceof HubRefusal || error instanceof AppError) throw error;
    throw unreachable(what, error);
  } finally {
    clearTimeout(timer);
    quiet.abort();
  }
}

async function ask(url: string, path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(`${url}${path}`, init);
  } catch (error) {
    throw unreachable(url, error);
  }
}

async function readJson(response: Response, what: string): Promise<unknown> {
  let text: string;
  try {
    text = await response.text();
  } catch (error) {
    throw unreachable(what, error);
  }
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    throw new AppError('hub-answer', `${what} answered ${response.status} with something that is not JSON: is this a Hawser hub?`);
  }
}

function unreachable(url: string, error: unknown): AppError {
  if (error instanceof Error && error.name === 'TimeoutError')
    return new AppError('hub-timeout', `the hub at ${url} did not answer in time`, { cause: error });
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (/CERT|UNABLE_TO_|SIGNATURE|INVALID_CA|INVALID_PURPOSE/.test(code))
    return new AppError(
      'hub-untrusted',
      `the hub at ${url} is not trusted, and was not given the token: ${messageOf(cause)}; name its CA with --ca-file or HAWSER_CA_FILE (the hub has it in ca.pem of its state folder)`,
      { cause: error },
    );
  if (url.startsWith('http:') && ['UND_ERR_SOCKET', 'ECONNRESET', 'HPE_INVALID_CONSTANT'].includes(code))
    return new AppError(
      'hub-unreachable',
      `${url} closed the connection (${messageOf(cause)}): if it speaks TLS, say https in --server or HAWSER_SERVER`,
      {
        cause: error,
      },
    );
  return new AppError(
    'hub-unreachable',
    `no hub answers at ${url} (${messageOf(cause)}); start one with "npx hawser hub run" or "npm run demo", or name another with --server URL or HAWSER_SERVER`,
    { cause: error },
  );
}
