/**
 * An open-loop HTTP/1.1 client, a process of its own: it sends at a fixed rate whatever happens, never retries, and
 * writes one JSON line per request (`LoadEntry`) to its log, or a summary a minute to stdout where it has none. What it cannot send, or is not answered within 1 s, it calls failed.
 *
 *   load-client.ts --via 127.77.1.10:15001 --host reviews.bookinfo.svc.clusterset.local [--log FILE]
 *     [--path /] [--rate 200] [--post-every 20] [--count N] [--name client]
 *
 * Lines on stdin change it while it runs: `rate N`, `host H`, `path P`, `stop`. SIGTERM: stops sending, waits for what
 * is in flight, ends the log and exits 0.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { DEADLINE_MS, failed, type LoadEntry } from './load-log.ts';

const TICK_MS = 5;
/** Requests in flight at once; the next one is logged as unsent. */
const MAX_IN_FLIGHT = 2_000;

interface Pending {
  readonly due: number;
  readonly settle: (end: Pick<LoadEntry, 'status' | 'error'>) => void;
  abort: () => void;
}

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    via: { ...text, default: '127.0.0.1:15001' },
    host: { ...text, default: 'productpage.bookinfo.svc.clusterset.local' },
    path: { ...text, default: '/' },
    rate: { ...text, default: '200' },
    'post-every': { ...text, default: '20' },
    count: text,
    name: { ...text, default: 'client' },
    log: text,
  },
});
const [address = '127.0.0.1', port = '15001'] = values.via.split(':');
const postEvery = Number(values['post-every']);
const count = values.count === undefined ? Number.POSITIVE_INFINITY : Number(values.count);
const target = { host: values.host, path: values.path, rate: Number(values.rate) };

const connections = new Agent({ keepAlive: true, maxSockets: MAX_IN_FLIGHT, maxFreeSockets: MAX_IN_FLIGHT });
const log = values.log === undefined ? undefined : openSync(values.log, 'a', 0o600);
const pending = new Set<Pending>();
const run = `${values.name}-${process.pid.toString(36)}-${Date.now().toString(36)}`;
let lines: string[] = [];
let sent = 0;
let ok = 0;
let bad = 0;
let stopping = false;
let due = 0;

/** Wall clock without jumps: one reading of it, then the monotonic clock. */
const epoch = Date.now() - performance.now();

function send(dueAt: number): void {
  sent += 1;
  const method = postEvery > 0 && sent % postEvery === 0 ? 'POST' : 'GET';
  const id = `${run}-${sent}`;
  const headers: Record<string, string | number> = { host: target.host };
  if (method === 'POST') Object.assign(headers, { 'x-post-id': id, 'content-type': 'application/json', 'content-length': 0 });
  let answer: IncomingMessage | undefined;
  const one: Pending = {
    due: dueAt,
    abort: () => {},
    settle: (end) => {
      if (!pending.delete(one)) return;
      const entry: LoadEntry = {
        t: Math.round(epoch + dueAt),
        id,
        method,
        ...end,
        ms: round(performance.now() - dueAt),
        ...whoAnswered(answer),
      };
      if (log !== undefined) lines.push(JSON.stringify(entry));
      if (failed(entry)) bad += 1;
      else ok += 1;
    },
  };
  pending.add(one);
  if (pending.size > MAX_IN_FLIGHT) {
    one.settle({ status: 0, error: 'unsent: too many in flight' });
    return;
  }
  const outgoing = request({ agent: connections, host: address, port, method, path: target.path, headers }, (response) => {
    answer = response;
    response.on('end', () => one.settle({ status: response.statusCode ?? 0 }));
    response.on('error', (error) => one.settle({ status: 0, error: error.message }));
    response.resume();
  });
  one.abort = () => outgoing.destroy();
  outgoing.on('error', (error: NodeJS.ErrnoException) => one.settle({ status: 0, error: error.code ?? error.message }));
  outgoing.end();
}

function whoAnswered(response: IncomingMessage | undefined): Pick<LoadEntry, 'cluster' | 'version' | 'instance'> {
  const header = (name: string): string | undefined => {
    const value = response?.headers[`x-hawser-${name}`];
    return typeof value === 'string' ? value : undefined;
  };
  const [cluster, version, instance] = [header('cluster'), header('version'), header('instance')];
  return {
    ...(cluster === undefined ? {} : { cluster }),
    ...(version === undefined ? {} : { version }),
    ...(instance === undefined ? {} : { instance }),
  };
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}

function tick(): void {
  const now = performance.now();
  while (!stopping && sent < count && target.rate > 0 && due <= now) {
    send(due);
    due += 1_000 / target.rate;
  }
  for (const one of pending) {
    if (now - one.due <= DEADLINE_MS) break; // in the order they were due
    one.settle({ status: 0, error: 'no answer in 1 s' });
    one.abort();
  }
  if ((stopping || sent >= count) && pending.size === 0) end();
}

function flush(): void {
  if (log === undefined || lines.length === 0) return;
  writeSync(log, `${lines.join('\n')}\n`);
  lines = [];
}

/** Without a log: one line a minute on what went well and what did not. */
function summarize(): void {
  if (log !== undefined) return;
  console.log(`${new Date().toISOString()} ${target.host}${target.path}: ${ok} answered, ${bad} failed`);
  ok = 0;
  bad = 0;
}

function end(): never {
  flush();
  if (log !== undefined) closeSync(log);
  process.exit(0);
}

function command(line: string): void {
  const [word, value = ''] = line.trim().split(/\s+/);
  if (word === 'stop') stopping = true;
  else if (word === 'host') target.host = value;
  else if (word === 'path') target.path = value;
  else if (word === 'rate' && Number(value) >= 0) {
    target.rate = Number(value);
    due = performance.now();
  } else console.error(`load client: not a command: ${line}`);
}

due = performance.now();
setInterval(tick, TICK_MS);
setInterval(flush, 100);
setInterval(summarize, 60_000);
createInterface({ input: process.stdin }).on('line', command);
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.on(signal, () => {
    stopping = true;
  });
