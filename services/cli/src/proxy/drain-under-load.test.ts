/** A workload's proxy is stopped while clients of its own and of another cluster keep calling: nobody notices. Real NATS, agents and Envoys. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { Agent, createServer, request, type Server } from 'node:http';
import { join } from 'node:path';
import type { RunningAgent } from '@hawser/agent/agent.ts';
import { agentFolder } from '@hawser/agent/feed/membership.ts';
import { mintProxyToken } from '@hawser/agent/trust/proxy-tokens.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { serviceFile, startFederation, type TestFederation } from '../../../../test/kit/federation.ts';

const MAIN = join(import.meta.dirname, '../main.ts');
const NET = `127.80.${100 + Math.floor(Math.random() * 100)}`;
const SERVERS = [`${NET}.11`, `${NET}.12`];
/** The address that the kit gives every cluster's gateways. */
const GATEWAY = '127.79.0.1';
const EAST_CLIENT = `${NET}.21`;
const WEST_CLIENT = `${NET}.31`;
const RATE = 200;

let federation: TestFederation;
const agents = new Map<string, RunningAgent>();
const applications: Server[] = [];
const proxies: ChildProcess[] = [];

beforeAll(async () => {
  federation = await startFederation(['us-east', 'us-west']);
  for (const address of SERVERS) applications.push(await startApplication(address));
  federation.cluster('us-east').put('echo.yaml', serviceFile('echo', SERVERS));
  for (const name of ['us-east', 'us-west']) {
    await federation.configure(name, 1);
    agents.set(name, await federation.cluster(name).start());
  }
});

afterAll(async () => {
  for (const proxy of proxies) proxy.kill('SIGKILL');
  for (const application of applications) application.close();
  await federation.stop();
});

it(`loses no request at ${RATE}/s when a proxy is stopped by SIGTERM`, async () => {
  const [first = '', second = ''] = SERVERS;
  const victim = await startProxy('us-east', first, []);
  await Promise.all([startProxy('us-east', second, []), startProxy('us-east', GATEWAY, ['--gateway'])]);
  // Clients come when the servers listen: a host whose first health check fails is left out for seconds, which is not what is tried here.
  await Promise.all([startProxy('us-east', EAST_CLIENT, []), startProxy('us-west', WEST_CLIENT, [])]);
  const load = startLoad([EAST_CLIENT, WEST_CLIENT]);
  await load.until(() => load.byServer(first) > 100 && load.byServer(second) > 100);
  const ended = new Promise((resolve) => victim.once('exit', resolve));
  victim.kill('SIGTERM');
  expect(await ended).toBe(0);
  const before = load.byServer(first);
  const sofar = load.byServer(second);
  await load.until(() => load.byServer(second) > sofar + RATE);
  expect(await load.stop()).toEqual([]);
  expect(load.byServer(first), 'none reaches it after its end').toBe(before);
}, 90_000);

/** `hawser proxy run`, resolved when it is ready. */
async function startProxy(cluster: string, address: string, extra: readonly string[]): Promise<ChildProcess> {
  const agent = agents.get(cluster);
  const name = `proxy-${address.split('.').at(-1)}`;
  const identity = extra.includes('--gateway') ? ['hawser-system', 'gateway'] : ['bookinfo', 'default'];
  const [namespace = '', serviceAccount = ''] = identity;
  const token = await mintProxyToken({ agentDir: agentFolder(federation.folder, cluster), cluster, namespace, serviceAccount });
  const tokenFile = join(federation.folder, `${cluster}-${name}.token`);
  writeFileSync(tokenFile, token, { mode: 0o600 });
  const who = ['--cluster', cluster, '--name', name, '--namespace', namespace, '--service-account', serviceAccount, '--address', address];
  const where = ['--agent', `127.0.0.1:${agent?.xdsPort}`, '--agent-admin', `127.0.0.1:${agent?.adminPort}`, '--token-file', tokenFile];
  const proxy = spawn(process.execPath, [MAIN, 'proxy', 'run', '--state-dir', federation.folder, ...who, ...where, ...extra], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  proxies.push(proxy);
  let log = '';
  await new Promise<void>((resolve, reject) => {
    proxy.stderr?.on('data', (chunk) => {
      log += chunk;
      if (/: ready$/m.test(log)) resolve();
    });
    proxy.once('exit', (code) => reject(new Error(`${name} ended with ${code}: ${log}`)));
  });
  return proxy;
}

/** An application that takes its time and says who it is. */
function startApplication(address: string): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer((_request, response) => void setTimeout(() => response.end(address), 5 + Math.random() * 20));
    server.listen(9080, address, () => resolve(server));
  });
}

interface Load {
  /** Answers by one application so far. */
  byServer(address: string): number;
  until(check: () => boolean): Promise<void>;
  /** Ends it and resolves with what went wrong, once everything in flight is answered. */
  stop(): Promise<string[]>;
}

/** Open loop: a request is sent on time whatever became of the others, and none is repeated. */
function startLoad(sidecars: readonly string[]): Load {
  const connections = new Agent({ keepAlive: true });
  const counts = new Map<string, number>();
  const failures: string[] = [];
  const inFlight = new Set<Promise<void>>();
  const waiting: (() => void)[] = [];
  const started = performance.now();
  let sent = 0;
  const send = async (sidecar: string): Promise<void> => {
    const { status, body } = await get(sidecar, connections).catch((error: unknown) => ({ status: 0, body: String(error) }));
    if (status === 200) counts.set(body, (counts.get(body) ?? 0) + 1);
    else failures.push(`${sidecar} at ${Math.round(performance.now() - started)} ms: ${status} ${body}`);
    for (const look of waiting) look();
  };
  const timer = setInterval(() => {
    for (; sent < ((performance.now() - started) * RATE) / 1000; sent += 1) {
      const one = send(sidecars[sent % sidecars.length] ?? '').finally(() => inFlight.delete(one));
      inFlight.add(one);
    }
  }, 5);
  return {
    byServer: (address) => counts.get(address) ?? 0,
    until: (check) =>
      new Promise((resolve, reject) => {
        waiting.push(() => {
          if (failures.length > 50) reject(new Error(failures.slice(0, 5).join('\n')));
          if (check()) resolve();
        });
      }),
    stop: async () => {
      clearInterval(timer);
      await Promise.all(inFlight);
      connections.destroy();
      return failures;
    },
  };
}

function get(sidecar: string, agent: Agent): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { host: 'echo.bookinfo.svc.clusterset.local' };
    request({ host: sidecar, port: 15001, path: '/', agent, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body })).on('error', reject);
    })
      .on('error', reject)
      .end();
  });
}
