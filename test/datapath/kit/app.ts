/** An application: says who it is, and remembers every request it got. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export interface App {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** `METHOD ID` → how often it arrived. */
  readonly received: Map<string, number>;
  /** Headers of the newest request. */
  lastHeaders: IncomingMessage['headers'];
  /** Replaces the answer. */
  answer: (request: IncomingMessage, response: ServerResponse) => void;
  /** Stops listening and cuts every connection, as a crash does. */
  crash(): Promise<void>;
  start(): Promise<void>;
}

export async function startApp(name: string, address: string, port = 9080): Promise<App> {
  const server = createServer((request, response) => {
    const id = `${request.method} ${request.headers['x-id'] ?? ''}`;
    app.received.set(id, (app.received.get(id) ?? 0) + 1);
    app.lastHeaders = request.headers;
    request.resume();
    request.on('end', () => app.answer(request, response));
  });
  const app: App = {
    name,
    address,
    port,
    received: new Map(),
    lastHeaders: {},
    answer: (_request, response) => void response.writeHead(200, { 'x-served-by': name }).end(name),
    crash: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
    start: () => new Promise((resolve, reject) => server.once('error', reject).listen(port, address, () => resolve())),
  };
  await app.start();
  return app;
}

/** How often each POST arrived, over all applications. */
export function postCounts(apps: readonly App[]): number[] {
  const counts = new Map<string, number>();
  for (const app of apps) {
    for (const [id, count] of app.received) if (id.startsWith('POST ')) counts.set(id, (counts.get(id) ?? 0) + count);
  }
  return [...counts.values()];
}
