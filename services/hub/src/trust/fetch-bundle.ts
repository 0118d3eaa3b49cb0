/** One request to a SPIFFE bundle endpoint (SPIFFE Federation 5.2): bounded, without redirects, to addresses that it may go to alone. */
import { lookup as lookUpAll } from 'node:dns';
import { request } from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import type { PeerCertificate } from 'node:tls';
import type { BundleEndpoint } from '@hawser/model/trust-domain.ts';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { leafSpiffeId } from '@hawser/runtime/certificate-checks.ts';

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
export function fetchBundle(endpoint: BundleEndpoint, options: FetchOptions): Promise<string> {
  const url = new URL(endpoint.url);
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(TIMEOUT_MS)]);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => reject(unreachable(endpoint.url, error));
    if (isIP(host) !== 0 && !options.allowPrivate && !isPublic(host)) return fail(new Error(forbidden(host)));
    const asked = request(url, {
      ...{ method: 'GET', headers: { accept: 'application/json' }, agent: false, signal, minVersion: 'TLSv1.2' },
      ...(options.allowPrivate ? {} : { lookup: publicLookup }),
      ...identityOptions(endpoint, options.serverBundle),
    });
    asked.on('error', fail);
    asked.on('response', (response) => {
      const { statusCode = 0 } = response;
      if (statusCode !== 200) {
        response.destroy();
        const moved = statusCode >= 300 && statusCode < 400 ? ': redirects are not followed, write where it is' : '';
        return fail(new Error(`it answered ${statusCode}${moved}`));
      }
      const parts: Buffer[] = [];
      let size = 0;
      response.on('error', fail);
      response.on('data', (part: Buffer) => {
        size += part.length;
        if (size <= MOST_BYTES) return void parts.push(part);
        response.destroy();
        fail(new Error(`it is larger than ${MOST_BYTES} bytes`));
      });
      response.on('end', () => resolve(Buffer.concat(parts).toString('utf8')));
    });
    asked.end();
  });
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

/** Every address of a name must be public: of several, one that is not could be the one that is taken. */
const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookUpAll(hostname, { ...options, all: true }, (error, addresses) => {
    const bad = error === null ? addresses.find(({ address }) => !isPublic(address)) : undefined;
    const problem = error ?? (bad === undefined ? null : new Error(forbidden(bad.address)));
    if (problem !== null) return callback(problem, '', 0);
    const [first] = addresses;
    if (options.all === true) callback(null, addresses);
    else callback(null, first?.address ?? '', first?.family);
  });
};

function forbidden(address: string): string {
  return `${address} is not of the public Internet: a hub that may ask there is run with --private-bundle-endpoints on`;
}

const SPECIAL = new BlockList();
for (const [net, bits] of [
  ...[
    ['0.0.0.0', 8],
    ['10.0.0.0', 8],
    ['100.64.0.0', 10],
    ['127.0.0.0', 8],
    ['169.254.0.0', 16],
    ['172.16.0.0', 12],
  ],
  ...[
    ['192.0.0.0', 24],
    ['192.0.2.0', 24],
    ['192.168.0.0', 16],
    ['198.18.0.0', 15],
    ['198.51.100.0', 24],
    ['203.0.113.0', 24],
  ],
  ...[
    ['224.0.0.0', 4],
    ['240.0.0.0', 4],
  ],
] as const)
  SPECIAL.addSubnet(net, bits, 'ipv4');
/** Of IPv6 what is not global unicast, and what carries an address of IPv4 within. */
const GLOBAL = new BlockList();
GLOBAL.addSubnet('2000::', 3, 'ipv6');
for (const [net, bits] of [
  ['2001:db8::', 32],
  ['2002::', 16],
  ['2001::', 32],
] as const)
  SPECIAL.addSubnet(net, bits, 'ipv6');

/** PURE: whether an address is of the public Internet (IANA's registries of special-purpose addresses). */
export function isPublic(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !SPECIAL.check(address, 'ipv4');
  return family === 6 && GLOBAL.check(address, 'ipv6') && !SPECIAL.check(address, 'ipv6');
}

function unreachable(url: string, cause: unknown): AppError {
  const timedOut = cause instanceof Error && cause.name === 'AbortError';
  const reason = timedOut ? `it did not answer in ${TIMEOUT_MS / 1000} s` : messageOf(cause);
  return new AppError('bundle-unreachable', `${url}: ${reason.slice(0, 300)}`, { cause });
}
