/** The first steps of a stream: the token, the first request, the claims in it. */
import { type Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { messageOf } from '@hawser/runtime/app-error.ts';
import { clientVersion } from './client-version.ts';
import type { Dialect, DialectMessage } from './dialect.ts';
import { checkClaims } from './node-claims.ts';
import { type ConnectedProxy, type ProxyGate, type ProxyIdentity, TokenRefusal } from './proxy-gate.ts';

const AUTHENTICATION_DEADLINE_MS = 5_000;

/** Why a stream is closed, in gRPC's terms; the reason is the metric's label. */
export class StreamRefusal extends Error {
  readonly code: StatusObject['code'];
  readonly reason: string;

  constructor(reason: keyof typeof CODES, message: string) {
    super(message);
    this.reason = reason;
    this.code = CODES[reason];
  }
}

const CODES = {
  unauthenticated: status.UNAUTHENTICATED,
  denied: status.PERMISSION_DENIED,
  malformed: status.INVALID_ARGUMENT,
  unavailable: status.UNAVAILABLE,
  exhausted: status.RESOURCE_EXHAUSTED,
} as const;

/** What the call's `authorization: Bearer TOKEN` proves; refuses when it proves nothing. */
export async function authenticateCall(call: { readonly metadata: Metadata }, gate: ProxyGate): Promise<ProxyIdentity> {
  const [header] = call.metadata.get('authorization');
  const token = typeof header === 'string' ? /^Bearer +(\S+)$/i.exec(header)?.[1] : undefined;
  if (token === undefined) throw new StreamRefusal('unauthenticated', 'no proxy token: send authorization: Bearer TOKEN');
  const { promise: late, reject } = Promise.withResolvers<never>();
  const deadline = setTimeout(
    () => reject(new StreamRefusal('unavailable', 'the proxy token could not be checked in time')),
    AUTHENTICATION_DEADLINE_MS,
  );
  try {
    const identity = await Promise.race([gate.authenticate(token), late]);
    if (identity === undefined)
      throw new StreamRefusal('unauthenticated', 'the proxy token is wrong, foreign or expired: make one with hawser proxy token');
    return identity;
  } catch (error) {
    throw error instanceof TokenRefusal ? new StreamRefusal(error.reason, error.message) : error;
  } finally {
    clearTimeout(deadline);
  }
}

/** Decodes a message; refuses what is none. */
export function messageIn<Request>(bytes: Buffer, dialect: Dialect<Request>): DialectMessage<Request> {
  try {
    return dialect.decode(bytes);
  } catch (error) {
    throw new StreamRefusal('malformed', `not a discovery request (${dialect.name}): ${messageOf(error)}`);
  }
}

/** The proxy that a stream's first request describes; refuses claims that the token does not prove. */
export function proxyOf(
  node: DialectMessage<unknown>['node'],
  identity: ProxyIdentity,
  { name: variant }: Pick<Dialect<unknown>, 'name'>,
): ConnectedProxy {
  const claimed = checkClaims(node?.metadata ?? {}, identity);
  if (typeof claimed === 'string') throw new StreamRefusal('denied', claimed);
  const version = clientVersion(node);
  const proxy = version === undefined ? claimed : { ...claimed, version };
  if (variant === 'delta') return proxy;
  // State of the world knows no fetching of single upstreams.
  const { fetchesUpstreams: _fetches, ...rest } = proxy;
  return rest;
}
