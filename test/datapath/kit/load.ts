/** Clients: one request, or a steady open-loop stream of them that never retries. */
import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly servedBy: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface Call {
  readonly via: string;
  readonly host: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Sends one request through the sidecar at `via`, in absolute form as to a proxy. Status 0: no answer. */
export function call({ via, host, path = '/', method = 'GET', headers = {} }: Call, agent?: Agent): Promise<Answer> {
  return new Promise((resolve) => {
    const sent = request(
      {
        host: via,
        port: 15001,
        method,
        path: `http://${host}${path}`,
        headers: { host, ...headers },
        agent: agent ?? false,
        timeout: 10_000,
      },
      (response) => {
        let body = '';
        response.on('data', (part: Buffer) => {
          body += part.toString();
        });
        const end = (): void =>
          resolve({
            status: response.statusCode ?? 0,
            servedBy: String(response.headers['x-served-by'] ?? ''),
            body,
            headers: response.headers,
          });
        response.on('end', end);
        response.on('error', end);
      },
    );
    sent.on('timeout', () => sent.destroy());
    sent.on('error', (error) => resolve({ status: 0, servedBy: '', body: error.message, headers: {} }));
    sent.end(method === 'POST' ? 'x' : undefined);
  });
}

export interface Tally {
  sent: number;
  failed: number;
  /** Failed, by method and status. */
  readonly failures: Map<string, number>;
  /** Answers by server. */
  readonly by: Map<string, number>;
}

/** `count` requests with at most `concurrency` in flight. */
export async function burst(to: Call, count: number, concurrency = 20): Promise<Tally> {
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const tally = newTally();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) {
      next += 1;
      note(tally, to.method ?? 'GET', await call(to, agent));
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  agent.destroy();
  return tally;
}

export interface Stream {
  readonly tally: Tally;
  stop(): Promise<Tally>;
}

/** `perSecond` requests until stopped; every `postEvery`th is a POST with an id of its own. */
export function stream(to: Call, perSecond: number, postEvery = 0): Stream {
  const agent = new Agent({ keepAlive: true, maxSockets: 200 });
  const tally = newTally();
  const id = randomUUID();
  const pending = new Set<Promise<void>>();
  const started = performance.now();
  const tick = (): void => {
    const due = Math.floor(((performance.now() - started) / 1000) * perSecond);
    while (tally.sent + pending.size < due) {
      const number = tally.sent + pending.size;
      const method = postEvery > 0 && number % postEvery === 0 ? 'POST' : 'GET';
      const one: Promise<void> = call({ ...to, method, headers: { ...to.headers, 'x-id': `${id}-${number}` } }, agent).then((answer) => {
        pending.delete(one);
        note(tally, method, answer);
      });
      pending.add(one);
    }
  };
  const timer = setInterval(tick, 2);
  return {
    tally,
    stop: async () => {
      clearInterval(timer);
      await Promise.all(pending);
      agent.destroy();
      return tally;
    },
  };
}

function newTally(): Tally {
  return { sent: 0, failed: 0, failures: new Map(), by: new Map() };
}

function note(tally: Tally, method: string, answer: Answer): void {
  tally.sent += 1;
  tally.by.set(answer.servedBy, (tally.by.get(answer.servedBy) ?? 0) + 1);
  if (answer.status === 200) return;
  tally.failed += 1;
  const kind = `${method} ${answer.status} ${answer.body.trim().slice(0, 60)}`;
  tally.failures.set(kind, (tally.failures.get(kind) ?? 0) + 1);
}
