/**
 * A small front door for a browser: 127.0.0.1:8081 → a sidecar → productpage. `--via` may be given several times; the
 * next sidecar is tried when one refuses the connection, which is safe for any method: nothing was sent.
 */
import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { listen: { type: 'string', default: '127.0.0.1:8081' }, via: { type: 'string', multiple: true } },
});
const sidecars = values.via ?? [];
const connections = new Agent({ keepAlive: true, maxSockets: 64 });
const HOST = 'productpage.bookinfo.svc.clusterset.local';

function forward(incoming: IncomingMessage, outgoing: ServerResponse, attempt: number): void {
  const [host, port] = (sidecars[attempt] ?? '').split(':');
  if (host === undefined || port === undefined) {
    outgoing.writeHead(502, { 'content-type': 'text/plain' }).end('no sidecar takes connections; is the demo up?\n');
    return;
  }
  const upstream = request(
    {
      agent: connections,
      host,
      port,
      method: incoming.method,
      path: incoming.url,
      headers: { ...incoming.headers, host: HOST },
      timeout: 5_000,
    },
    (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(outgoing);
      response.on('error', () => outgoing.destroy());
    },
  );
  upstream.on('timeout', () => upstream.destroy(new Error('no answer in 5 s')));
  upstream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNREFUSED') return forward(incoming, outgoing, attempt + 1);
    if (outgoing.headersSent) outgoing.destroy();
    else outgoing.writeHead(502, { 'content-type': 'text/plain' }).end(`${error.message}\n`);
  });
  if (incoming.readableEnded) upstream.end();
  else
    upstream.on('socket', (socket) =>
      socket.connecting ? socket.once('connect', () => incoming.pipe(upstream)) : incoming.pipe(upstream),
    );
}

const [address = '127.0.0.1', port = '8081'] = values.listen.split(':');
const server = createServer((incoming, outgoing) => forward(incoming, outgoing, 0));
server.listen(Number(port), address);
server.on('error', (error) => {
  console.error(`ingress cannot listen on ${values.listen}: ${error.message}`);
  process.exit(1);
});
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0));
