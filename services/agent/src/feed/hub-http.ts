/** The agent's requests to its hub: over https only to the hub whose CA the join token pins, and nothing is said before that is certain. */
import { createHash, type X509Certificate } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { type ConnectionOptions, connect, getCACertificates, type TLSSocket } from 'node:tls';
import { AppError, messageOf } from '@hawser/runtime/app-error.ts';
import { TLS_FLOOR } from '@hawser/runtime/live-certificate.ts';
import { requireLoopback } from '@hawser/runtime/plain-listener.ts';

/** By what an https hub is known. With neither, the system's roots decide. */
export interface HubTrust {
  /** SHA-256 of the public key of its CA, base64url: of the join token. */
  readonly pin?: string | undefined;
  /** PEM of CAs that are trusted beside the system's (`--ca-file`), where there is no pin. */
  readonly ca?: string | undefined;
}

/** What the hub answered, its body at most 1 MiB. */
export interface HubAnswer {
  readonly status: number;
  readonly text: string;
}

const MAX_ANSWER = 1024 * 1024;

/** Posts JSON. Throws `hub-unreachable`, `hub-untrusted` (nothing was sent), `plaintext-refused`. */
export async function postToHub(
  url: string,
  body: unknown,
  options: { readonly trust: HubTrust; readonly timeoutMs: number },
): Promise<HubAnswer> {
  const target = new URL(url);
  const signal = AbortSignal.timeout(options.timeoutMs);
  if (target.protocol === 'http:')
    requireLoopback(target.hostname, "the hub's URL", { wayOut: 'give the hub an https --public-url, and join with a new token' });
  try {
    const secure = target.protocol === 'https:' ? { ...TLS_FLOOR, ca: await rootsFor(target, options.trust, signal) } : {};
    return await exchange(target, JSON.stringify(body), { ...secure, signal });
  } catch (error) {
    if (error instanceof AppError) throw error;
    if (isCertificateFault(error)) throw untrusted(target, messageOf(error), error);
    throw new AppError('hub-unreachable', `the hub at ${target.origin} cannot be reached: ${messageOf(error)}`, { cause: error });
  }
}

/**
 * The roots that the connection is then checked with, by OpenSSL and in full. For a pin, the CA is fetched first: a handshake that proves
 * nothing and sends nothing shows the chain, and the certificate in it whose key is the pinned one is the only root.
 */
async function rootsFor(target: URL, { pin, ca }: HubTrust, signal: AbortSignal): Promise<string[]> {
  if (pin === undefined) return [...getCACertificates('default'), ...(ca === undefined ? [] : [ca])];
  const found = (await shownChain(target, signal)).find((certificate) => certificate.ca && spkiPin(certificate) === pin);
  if (found === undefined) throw untrusted(target, 'it does not show the CA that the join token pins');
  return [found.toString()];
}

function shownChain(target: URL, signal: AbortSignal): Promise<readonly X509Certificate[]> {
  return new Promise((resolve, reject) => {
    const host = target.hostname.replace(/^\[(.*)\]$/, '$1');
    // Not verified, because it is only looked at: what is verified is the connection that follows.
    const options: ConnectionOptions = { host, port: Number(target.port || 443), ...TLS_FLOOR, rejectUnauthorized: false };
    const socket = connect(options, () => {
      resolve(chainOf(socket));
      socket.destroy();
    });
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('it closed the connection')));
    signal.addEventListener('abort', () => socket.destroy(new Error('it did not answer in time')), { once: true });
  });
}

function chainOf(socket: TLSSocket): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  for (let one = socket.getPeerX509Certificate(); one !== undefined && chain.length < 10; one = one.issuerCertificate) {
    if (chain.some((seen) => seen.fingerprint256 === one?.fingerprint256)) break;
    chain.push(one);
  }
  return chain;
}

function spkiPin(certificate: X509Certificate): string {
  return createHash('sha256')
    .update(certificate.publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
}

function exchange(target: URL, body: string, options: { readonly ca?: string[]; readonly signal: AbortSignal }): Promise<HubAnswer> {
  const send = target.protocol === 'https:' ? httpsRequest : httpRequest;
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const request = send(target, { method: 'POST', headers, agent: false, ...options }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
        if (text.length > MAX_ANSWER) request.destroy(new Error('its answer is longer than any membership'));
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

/** What OpenSSL and Node say of certificates: a name (`SELF_SIGNED_CERT_IN_CHAIN`, `CERT_HAS_EXPIRED`) or a host that is not in it. */
function isCertificateFault(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /CERT|UNABLE_TO_|SIGNATURE|INVALID_PURPOSE|INVALID_CA/.test(code);
}

function untrusted(target: URL, why: string, cause?: unknown): AppError {
  const wayOut = 'join with a token of this very hub (hawser cluster join), or name its CA with --ca-file';
  return new AppError('hub-untrusted', `the hub at ${target.origin} is not trusted, and was told nothing: ${why}; ${wayOut}`, { cause });
}
