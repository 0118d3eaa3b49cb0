/** The drain against a real Envoy with a listener of its own and a slow application behind it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { envoyBinary } from '@hawser/runtime/binaries.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { activeRequests } from './active-requests.ts';
import { envoyBootstrap } from './bootstrap.ts';
import { type BoundProcess, startBound } from './bound-process.ts';
import { drain } from './drain.ts';
import { envoyAdmin } from './envoy-admin.ts';
import { httpListener } from './static-listener.ts';

describe('drain', () => {
  const address = `127.80.${201 + Math.floor(Math.random() * 50)}.${1 + Math.floor(Math.random() * 250)}`;
  const admin = envoyAdmin({ address, port: 15000 });
  let folder: string;
  let envoy: BoundProcess;
  let application: Server;
  let waiting: (response: ServerResponse) => void;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'hawser-cli-'));
    application = createServer((_request, response) => waiting(response));
    await new Promise<void>((resolve) => application.listen(9080, address, resolve));
    const config = join(folder, 'envoy.json');
    writeFileSync(config, JSON.stringify(standalone(address)));
    envoy = startBound(envoyBinary(), [
      '-c',
      config,
      '--disable-hot-restart',
      '--drain-strategy',
      'immediate',
      '-l',
      'off',
      '--concurrency',
      '1',
    ]);
    while (!(await admin.ready().catch(() => false)));
  });
  afterEach(async () => {
    envoy.kill('SIGKILL');
    await envoy.exited;
    application.closeAllConnections();
    application.close();
    rmSync(folder, { recursive: true });
  });

  const options = (maximumMs: number, signal = new AbortController().signal) => ({
    envoy: admin,
    tellAgent: () => Promise.resolve(0),
    minimumMs: 0,
    maximumMs,
    say: () => {},
    signal,
  });

  it('waits for the request in progress, whose answer asks the client to leave', async () => {
    const held = new Promise<ServerResponse>((resolve) => {
      waiting = resolve;
    });
    const answer = get(address);
    const response = await held;
    let drained = false;
    const result = drain(options(60_000)).finally(() => {
      drained = true;
    });
    while ((await fetch(`http://${address}:15000/ready`)).status !== 503);
    expect(drained).toBe(false);
    response.end('late');
    expect(await answer).toEqual({ status: 200, connection: 'close' });
    expect(await result).toEqual({ left: 0 });
  });

  it('still takes new requests while it drains, and tells how many were left when it was cut short', async () => {
    const held: ServerResponse[] = [];
    let both: () => void;
    const arrived = new Promise<void>((resolve) => {
      both = resolve;
    });
    waiting = (response) => {
      held.push(response);
      if (held.length === 2) both();
    };
    const first = get(address);
    const aborter = new AbortController();
    const stats = async (filter: string): Promise<string> => {
      const text = await admin.stats(filter);
      if (activeRequests(text) === 2) aborter.abort();
      return text;
    };
    const result = drain({ ...options(600_000, aborter.signal), envoy: { ...admin, stats } });
    while ((await fetch(`http://${address}:15000/ready`)).status !== 503);
    const second = get(address);
    await arrived;
    expect(await result).toEqual({ left: 2 });
    for (const response of held) response.end();
    expect((await Promise.all([first, second])).map(({ status }) => status)).toEqual([200, 200]);
  });

  it('goes when the longest time is over, whoever is still there', async () => {
    const held = new Promise<ServerResponse>((resolve) => {
      waiting = resolve;
    });
    const answer = get(address);
    const response = await held;
    expect(await drain(options(0))).toEqual({ left: 1 });
    response.end();
    await answer;
  });

  it('ends at once when it is told to', async () => {
    const held = new Promise<ServerResponse>((resolve) => {
      waiting = resolve;
    });
    const answer = get(address).catch(() => undefined);
    await held;
    const aborter = new AbortController();
    const result = drain({ ...options(600_000, aborter.signal), tellAgent: () => Promise.reject(new Error('no agent')) });
    aborter.abort();
    await result;
    application.closeAllConnections();
    await answer;
  });
});

/** Our bootstrap without an agent, and a listener `inbound` at 15006 that leads to the application. */
function standalone(address: string): object {
  const { dynamic_resources, static_resources, ...rest } = envoyBootstrap({
    role: 'sidecar',
    cluster: 'c',
    name: 'n',
    namespace: 's',
    serviceAccount: 'a',
    address,
    agent: `${address}:15010`,
    token: { text: 't' },
  }) as { dynamic_resources: unknown; static_resources: { clusters: object[]; listeners: object[] } };
  const endpoint = { address: { socket_address: { address, port_value: 9080 } } };
  const cluster = { name: 'app', type: 'STATIC', load_assignment: { cluster_name: 'app', endpoints: [{ lb_endpoints: [{ endpoint }] }] } };
  const listener = JSON.parse(
    JSON.stringify(httpListener({ name: 'app', address, port: 15006, paths: [{ path: '/' }], upstream: 'app' })).replace(
      '"hawser_app"',
      '"inbound"',
    ),
  ) as object;
  return {
    ...rest,
    static_resources: { clusters: [...static_resources.clusters, cluster], listeners: [...static_resources.listeners, listener] },
  };
}

function get(address: string): Promise<{ status: number | undefined; connection: string | undefined }> {
  return new Promise((resolve, reject) => {
    request({ host: address, port: 15006, path: '/' }, (response) => {
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode, connection: response.headers.connection }));
    })
      .on('error', reject)
      .end();
  });
}
