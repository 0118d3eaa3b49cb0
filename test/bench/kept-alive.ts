/** HTTP on connections that stay open: asked every few milliseconds, a new connection each time would cost more than the answer. */
import { Agent, request } from 'node:http';

const connections = new Agent({ keepAlive: true, maxSockets: 64 });

/** What to ask. */
export interface Ask {
  readonly method?: string;
  readonly url: string;
  readonly token?: string;
  readonly body?: unknown;
  readonly timeoutMs?: number;
}

/** One request; the body of a 2xx answer, everything else is thrown. */
export function ask({ method = 'GET', url, token, body, timeoutMs = 10_000 }: Ask): Promise<string> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(payload === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
    };
    const outgoing = request(url, { method, agent: connections, headers, timeout: timeoutMs }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (text += part));
      response.on('error', reject);
      response.on('end', () => {
        const { statusCode = 0 } = response;
        if (statusCode >= 200 && statusCode < 300) resolve(text);
        else reject(new Error(`${method} ${url} was answered ${statusCode}: ${text.slice(0, 400)}`));
      });
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${url}: no answer in ${timeoutMs} ms`)));
    outgoing.on('error', reject);
    outgoing.end(payload);
  });
}
