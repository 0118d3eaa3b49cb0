/** Requests to an API server: JSON with a deadline, and streams of lines that are known to be alive. */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { boundedText } from '@hawser/runtime/bounded-text.ts';
import type { ApiAccess } from './api-access.ts';

/** The API server's own refusal. */
export class ApiRefusal extends AppError {
  /** The server asks to be left alone for this time. */
  readonly retryAfterMs: number;
  /** `Status.reason`: `Expired`, `Forbidden`, … */
  readonly reason: string;

  constructor(status: number, message: string, { reason = '', retryAfterMs = 0 } = {}) {
    super('kubernetes-refused', message, { status });
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** One request. */
export interface ApiRequest {
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** A PATCH is a JSON merge patch (RFC 7396); APPLY is a PATCH too, a server-side apply. */
  readonly method?: 'GET' | 'POST' | 'PATCH' | 'APPLY' | 'DELETE';
  readonly body?: unknown;
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
}

/** One stream. */
export interface ApiStream {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Headers have to be here within this time. */
  readonly openMs: number;
  /** So long without a whole line, and the connection counts as dead: bytes that trickle are no life. */
  readonly silenceMs: number;
  onOpen(): void;
  /** Called for each whole line; an error thrown ends the stream with it. */
  onLine(line: string): void;
}

const CONTENT: Partial<Record<string, string>> = { PATCH: 'application/merge-patch+json', APPLY: 'application/apply-patch+yaml' };
const MAX_BODY_BYTES = 128 * 1024 * 1024;
const MAX_LINE_CHARS = 16 * 1024 * 1024;
const MAX_REFUSAL_BYTES = 16 * 1024;
/** The kernel asks a silent peer after this time, then every second, ten times: a dead one is known after 20 s. */
const KEEP_ALIVE_MS = 10_000;

/** Speaks to one API server. */
export class ApiClient {
  readonly #access: ApiAccess;
  readonly #agent: HttpAgent | HttpsAgent;
  /** The token was not good enough: another one may be there by now. */
  #isRefused = false;

  constructor(access: ApiAccess) {
    this.#access = access;
    const { ca, clientCertificate: cert, clientKey: key, serverName: servername, insecure } = access;
    const keepAlive = { keepAlive: true, keepAliveMsecs: KEEP_ALIVE_MS, timeout: 0 };
    const tls = {
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
      ...(servername && { servername }),
      rejectUnauthorized: !insecure,
    };
    this.#agent = access.server.protocol === 'https:' ? new HttpsAgent({ ...keepAlive, ...tls }) : new HttpAgent(keepAlive);
  }

  /** Its URL, for sentences. */
  get server(): string {
    return this.#access.server.origin;
  }

  /** The body of a successful answer, parsed. Throws `ApiRefusal`, or an error that names the server. */
  async json(request: ApiRequest): Promise<unknown> {
    const late = AbortSignal.timeout(request.deadlineMs);
    const signal = request.signal === undefined ? late : AbortSignal.any([late, request.signal]);
    try {
      const response = await this.#send(request, signal);
      const text = await boundedText(response, MAX_BODY_BYTES);
      return parsed(text, request.path);
    } catch (error) {
      throw late.aborted ? this.#failure(`no answer to ${request.path} within ${request.deadlineMs / 1000} s`) : this.#named(error);
    }
  }

  /** Follows a stream; resolves when the server ended it, and when it was aborted. */
  async lines(stream: ApiStream): Promise<void> {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), stream.openMs).unref();
    const heard = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), stream.silenceMs).unref();
    };
    try {
      const response = await this.#send(stream, AbortSignal.any([silence.signal, stream.signal]));
      heard();
      stream.onOpen();
      response.setEncoding('utf8');
      let rest = '';
      for await (const chunk of response as AsyncIterable<string>) {
        if (chunk.includes('\n')) heard();
        rest = eachLine(rest + chunk, stream.onLine);
      }
    } catch (error) {
      if (stream.signal.aborted) return;
      throw silence.signal.aborted ? this.#failure(`nothing was heard of ${stream.path} for too long`) : this.#named(error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Closes what is open. */
  close(): void {
    this.#agent.destroy();
  }

  async #send({ path, query = {}, method = 'GET', body }: Omit<ApiRequest, 'deadlineMs'>, signal: AbortSignal): Promise<IncomingMessage> {
    const { server } = this.#access;
    const url = new URL(`${server.pathname.replace(/\/$/, '')}${path}`, server);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const bearer = this.#access.bearer(this.#isRefused);
    this.#isRefused = false;
    const content = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      ...{ accept: 'application/json', 'user-agent': 'hawser-agent' },
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      ...(content === undefined
        ? {}
        : { 'content-type': CONTENT[method] ?? 'application/json', 'content-length': String(Buffer.byteLength(content)) }),
    };
    const response = await sent(url, { method: method === 'APPLY' ? 'PATCH' : method, headers, agent: this.#agent, signal }, content);
    response.socket.setKeepAlive(true, KEEP_ALIVE_MS);
    if (response.statusCode === 200 || response.statusCode === 201) return response;
    this.#isRefused = response.statusCode === 401;
    throw await refusal(response, path);
  }

  #named(error: unknown): Error {
    return error instanceof ApiRefusal ? error : this.#failure(messageOf(error), error);
  }

  #failure(message: string, cause?: unknown): AppError {
    return new AppError('kubernetes-unreachable', `the API server ${this.server}: ${message}`, { status: 503, cause });
  }
}

function sent(url: URL, options: RequestOptions, content: string | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options, resolve);
    request.on('error', reject);
    request.end(content);
  });
}

function parsed(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`its answer to ${path} is no JSON`);
  }
}

/** Hands on all whole lines; returns what is left. */
function eachLine(text: string, onLine: (line: string) => void): string {
  let start = 0;
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
    if (end > start) onLine(text.slice(start, end));
    start = end + 1;
  }
  if (text.length - start > MAX_LINE_CHARS) throw new Error(`an event of more than ${MAX_LINE_CHARS} characters`);
  return text.slice(start);
}

async function refusal(response: IncomingMessage, path: string): Promise<ApiRefusal> {
  const status = response.statusCode ?? 0;
  const text = await boundedText(response, MAX_REFUSAL_BYTES).catch(() => '');
  const retryAfter = Number(response.headers['retry-after'] ?? 0);
  return refusalOf(statusIn(text), { status, path, retryAfterMs: Number.isFinite(retryAfter) ? retryAfter * 1_000 : 0 });
}

function statusIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** How the agent comes to most of its rights. */
const ROLE = 'upgrade the chart hawser-agent, or apply deploy/kubernetes/agent-rbac.yaml';

/**
 * What an operator can do about a failure, as the end of its sentence; nothing where it heals by itself or says so.
 * @param rightBy How the agent comes to the right that it took.
 */
export function wayOut(error: unknown, rightBy = ROLE): string {
  const status = error instanceof ApiRefusal ? error.status : undefined;
  if (status === 401) return '; the token of the agent is good no longer: give it one of a service account that is there';
  if (status === 403) return `; the role of the agent does not give it: ${rightBy}`;
  if (status === 404) return '; its CustomResourceDefinition has to be there, and the URL has to be that of an API server';
  return '';
}

/** Whether the answer was that the agent may not, or is nobody: that does not heal by itself. */
export function isForbidden(error: unknown): boolean {
  return error instanceof ApiRefusal && (error.status === 401 || error.status === 403);
}

/** The refusal that a `Status` object (meta/v1) speaks of. */
export function refusalOf(
  object: unknown,
  said: { readonly status: number; readonly path: string; readonly retryAfterMs?: number },
): ApiRefusal {
  const { code, message, reason } = (typeof object === 'object' && object !== null ? object : {}) as Record<string, unknown>;
  const status = typeof code === 'number' ? code : said.status;
  const words = typeof message === 'string' ? message.slice(0, 300) : `HTTP ${status}`;
  return new ApiRefusal(status, `${said.path}: ${words}`, {
    reason: typeof reason === 'string' ? reason : '',
    retryAfterMs: said.retryAfterMs ?? 0,
  });
}
