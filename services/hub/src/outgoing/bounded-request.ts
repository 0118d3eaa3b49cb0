/** One request to somebody outside: bounded in time and size, without redirects, on a connection of its own. */
import { request as plain } from 'node:http';
import { request as encrypted, type RequestOptions } from 'node:https';
import { isIP } from 'node:net';
import { ForbiddenAddress, isPublic, publicLookup } from './public-address.ts';

/** What is asked. */
export interface BoundedRequest {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs: number;
  /** The longest answer that is read; 0: its body is not read at all. */
  readonly mostBytes: number;
  readonly signal: AbortSignal;
  /** Of https: what its server is believed by. */
  readonly tls?: Pick<RequestOptions, 'ca' | 'checkServerIdentity'>;
  /** Why an address is refused that is not of the public Internet, with the way out; none: every address is good. */
  readonly forbidden?: ((address: string) => string) | undefined;
}

/** What was answered. */
export interface BoundedAnswer {
  readonly status: number;
  readonly body: string;
}

/** Rejects with `Error` and the reason; a `ForbiddenAddress` where it would have gone to one. */
export async function boundedRequest(url: URL, asked: BoundedRequest): Promise<BoundedAnswer> {
  const { forbidden, timeoutMs } = asked;
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (forbidden !== undefined && isIP(host) !== 0 && !isPublic(host)) throw new ForbiddenAddress(forbidden(host));
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    return await answerOf(url, asked, AbortSignal.any([asked.signal, deadline]));
  } catch (error) {
    throw deadline.aborted ? new Error(`it did not answer in ${timeoutMs / 1000} s`, { cause: error }) : error;
  }
}

function answerOf(
  url: URL,
  { method = 'GET', headers, body, mostBytes, tls, forbidden }: BoundedRequest,
  signal: AbortSignal,
): Promise<BoundedAnswer> {
  const request = url.protocol === 'https:' ? encrypted : plain;
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      ...{ method, headers: headers ?? {}, agent: false, signal, minVersion: 'TLSv1.2' },
      ...(forbidden === undefined ? {} : { lookup: publicLookup(forbidden) }),
      ...tls,
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      const { statusCode: status = 0 } = response;
      response.on('error', reject);
      if (mostBytes === 0) {
        resolve({ status, body: '' });
        response.destroy();
        return;
      }
      const parts: Buffer[] = [];
      let size = 0;
      response.on('data', (part: Buffer) => {
        size += part.length;
        if (size <= mostBytes) return void parts.push(part);
        response.destroy();
        reject(new Error(`it is larger than ${mostBytes} bytes`));
      });
      response.on('end', () => resolve({ status, body: Buffer.concat(parts).toString('utf8') }));
    });
    sent.end(body);
  });
}
