/** One request to a SPIFFE bundle endpoint (SPIFFE Federation 5.2): bounded, without redirects, to addresses that it may go to alone. */
import type { PeerCertificate } from 'node:tls';
import type { BundleEndpoint } from '@hawser/model/trust-domain.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { leafSpiffeId } from '@hawser/runtime/certificate-checks.ts';
import { boundedRequest } from '../outgoing/bounded-request.ts';

const TIMEOUT_MS = 10_000;
const MOST_BYTES = 1024 * 1024;

/** What a request needs. */
export interface FetchOptions {
  /** Of `https_spiffe`: PEM of the bundle that the server's certificate must verify against. */
  readonly serverBundle: readonly string[];
  /** Whether it may go to addresses that are not of the public Internet. */
  readonly allowPrivate: boolean;
  readonly signal: AbortSignal;
}

/** The endpoint's text. Rejects with `AppError` `bundle-unreachable` and the reason. */
export async function fetchBundle(endpoint: BundleEndpoint, options: FetchOptions): Promise<string> {
  const { signal, allowPrivate, serverBundle } = options;
  try {
    const { status, body } = await boundedRequest(new URL(endpoint.url), {
      ...{ headers: { accept: 'application/json' }, timeoutMs: TIMEOUT_MS, mostBytes: MOST_BYTES, signal },
      ...{ tls: identityOptions(endpoint, serverBundle), forbidden: allowPrivate ? undefined : forbidden },
    });
    if (status === 200) return body;
    const moved = status >= 300 && status < 400 ? ': redirects are not followed, write where it is' : '';
    throw new Error(`it answered ${status}${moved}`);
  } catch (error) {
    throw unreachable(endpoint.url, error);
  }
}

/** How the server proves who it is. Of `https_spiffe` the name in the URL says nothing, and its SPIFFE ID everything. */
function identityOptions({ profile, caBundle, endpointSpiffeId }: BundleEndpoint, serverBundle: readonly string[]) {
  if (profile === 'https_web') return caBundle === undefined ? {} : { ca: caBundle };
  const checkServerIdentity = (_host: string, { raw }: PeerCertificate): Error | undefined => {
    const found = leafSpiffeId(raw);
    return found === endpointSpiffeId
      ? undefined
      : new Error(`its server is ${found ?? 'nobody with one SPIFFE ID'}, and not ${endpointSpiffeId}`);
  };
  return { ca: [...serverBundle], checkServerIdentity };
}

function forbidden(address: string): string {
  return `${address} is not of the public Internet: a hub that may ask there is run with --private-bundle-endpoints on`;
}

function unreachable(url: string, cause: unknown): AppError {
  return new AppError('bundle-unreachable', `${url}: ${messageOf(cause).slice(0, 300)}`, { cause });
}
