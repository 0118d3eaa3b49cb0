/** A small client of Envoy's admin interface and of the agent's. Every proxy carries this code, so node:http (20 MB) is loaded when it ends. */
import { connect } from 'node:net';

/** One HTTP call with a deadline. */
export interface SmallRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Milliseconds until it fails. */
  readonly timeoutMs: number;
  /** Most of a body that is kept; a longer one fails. */
  readonly mostBytes?: number;
}

/** What came back. */
export interface SmallResponse {
  readonly status: number;
  readonly body: string;
}

/** Of a body, unless told otherwise; admin answers are far smaller. */
const MAX_BODY = 1 << 20;

/** Sends the request; rejects when there is no whole answer in time. */
export async function call({ method, url, headers = {}, body, timeoutMs, mostBytes = MAX_BODY }: SmallRequest): Promise<SmallResponse> {
  const { request } = await import('node:http');
  return new Promise((resolve, reject) => {
    const req = request(url, { method, headers, agent: false, signal: AbortSignal.timeout(timeoutMs) }, (res) => {
      let text = '';
      res.setEncoding('utf8');
      res.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > mostBytes) req.destroy(new Error(`${url} answered more than ${mostBytes} bytes`));
      });
      res.on('end', () => resolve({ status: res.statusCode ?? 0, body: text }));
      res.on('error', reject);
    });
    req.on('error', reject);
    req.end(body);
  });
}

/** Envoy's admin interface, as far as a drain needs it. */
export interface EnvoyAdmin {
  /** Whether Envoy has its configuration and takes traffic. */
  ready(): Promise<boolean>;
  /** Answers probes with 503 and asks clients to leave: `Connection: close`, GOAWAY. Listeners go on accepting. */
  startDraining(): Promise<void>;
  /** The statistics `NAME: VALUE` whose names match. */
  stats(filter: string): Promise<string>;
}

/** Where the admin interface listens. */
export interface AdminAddress {
  readonly address: string;
  readonly port: number;
}

/** The admin interface of an Envoy on this machine. */
export function envoyAdmin({ address, port }: AdminAddress): EnvoyAdmin {
  const base = `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
  const post = async (path: string): Promise<void> => {
    const { status } = await call({ method: 'POST', url: `${base}${path}`, timeoutMs: 2000 });
    if (status !== 200) throw new Error(`Envoy answered ${status} to ${path}`);
  };
  return {
    ready: async () => (await statusOf({ address, port }, '/ready', 1000)) === 200,
    startDraining: async () => {
      await post('/healthcheck/fail');
      // skip_exit: without it the listeners would close at the end of Envoy's own drain time, whoever is still using them.
      await post('/drain_listeners?graceful&skip_exit');
    },
    stats: async (filter) =>
      (await call({ method: 'GET', url: `${base}/stats?filter=${encodeURIComponent(filter)}`, timeoutMs: 2000 })).body,
  };
}

/** The status of a GET, over a bare socket: all that waiting for readiness needs. */
function statusOf({ address, port }: AdminAddress, path: string, timeoutMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port }, () => socket.write(`GET ${path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n`));
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    socket.once('error', reject);
    socket.once('end', () => reject(new Error('the connection ended without an answer')));
    socket.once('data', (chunk) => {
      resolve(Number(chunk.toString('latin1').slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length)));
      socket.destroy();
    });
  });
}
