/** Who asks and under which trace, for everything that happens on behalf of one request. */
import { AsyncLocalStorage } from 'node:async_hooks';

/** Facts of the request under way. */
export interface RequestContext {
  /** W3C trace id, 32 hex digits. */
  readonly traceId: string;
  /** Address of the peer. */
  readonly source: string;
  /** Name of the token; '' until it is known, and on open routes. */
  actor: string;
  role: string;
  /** Groups that the token is of. */
  groups: readonly string[];
  /** Verb of the route's permission. */
  verb: string;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** The request this code runs for; undefined outside of any. */
export function requestContext(): RequestContext | undefined {
  return storage.getStore();
}

/** Runs `work`, and all that it starts, for a request. */
export function inRequest<T>(context: RequestContext, work: () => T): T {
  return storage.run(context, work);
}

/** What every log line of a request says of it: its trace. */
export function requestFields(): Readonly<Record<string, string>> {
  const traceId = storage.getStore()?.traceId;
  return traceId === undefined ? {} : { trace: traceId };
}
