/** Real Envoys without an agent: what must hold whatever the rest of the machine does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

/** Envoy's own limits, 15 s for clusters and then 15 s for listeners, are over. */
const PAST_FETCH_LIMITS_MS = 32_000;
const MAIN = join(import.meta.dirname, '../main.ts');

interface RunningProxy {
  readonly wrapper: ChildProcess;
  readonly envoyPid: number;
  readonly exited: Promise<number | string>;
  readonly lines: string[];
}

describe('hawser proxy run', () => {
  let stateDir: string;
  let address: string;
  const wrappers: ChildProcess[] = [];
  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), 'hawser-cli-'));
    writeFileSync(join(stateDir, 'token'), 'a.b.c\n');
    address = `127.80.${1 + Math.floor(Math.random() * 99)}.${10 + Math.floor(Math.random() * 200)}`;
  });
  afterEach(() => {
    for (const wrapper of wrappers.splice(0)) wrapper.kill('SIGKILL');
    rmSync(stateDir, { recursive: true, force: true });
  });

  const start = async (agentAdmin: string, name = 'reviews-v1'): Promise<RunningProxy> => {
    const identity = ['--cluster', 'us-east', '--name', name, '--namespace', 'bookinfo', '--service-account', 'reviews'];
    const where = ['--address', address, '--agent', `${address}:15010`, '--agent-admin', agentAdmin];
    const wrapper = spawn(process.execPath, [MAIN, 'proxy', 'run', ...identity, ...where, '--token-file', join(stateDir, 'token')], {
      env: { ...process.env, HAWSER_STATE_DIR: stateDir },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    wrappers.push(wrapper);
    const exited = new Promise<number | string>((resolve) => wrapper.once('exit', (code, signal) => resolve(code ?? signal ?? 'lost')));
    const lines: string[] = [];
    const pid = await new Promise<number>((resolve, reject) => {
      createInterface({ input: wrapper.stderr ?? process.stdin }).on('line', (line) => {
        lines.push(line);
        const found = /Envoy runs with pid (\d+)/.exec(line);
        if (found !== null) resolve(Number(found[1]));
      });
      void exited.then((code) => reject(new Error(`ended with ${code}: ${lines.join('\n')}`)));
    });
    await until(() => answers(`http://${address}:15000/server_info`));
    return { wrapper, envoyPid: pid, exited, lines };
  };

  it('stays up without an agent, is not ready, keeps its token private, and ends cleanly on SIGTERM', async () => {
    const proxy = await start(`${address}:15014`);
    expect((await fetch(`http://${address}:15000/ready`)).status).toBe(503);
    const [file, secret] = ['json', 'token.json'].map((end) => join(stateDir, `proxies/us-east/reviews-v1.bookinfo.${end}`));
    expect([file, secret].map((one) => statSync(one ?? '').mode & 0o777)).toEqual([0o600, 0o600]);
    expect(await (await fetch(`http://${address}:15000/config_dump`)).text()).not.toContain('a.b.c');
    expect(readFileSync(`/proc/${proxy.envoyPid}/cmdline`, 'utf8')).not.toContain('a.b.c');
    proxy.wrapper.kill('SIGTERM');
    expect(await proxy.exited).toBe(0);
    expect(isAlive(proxy.envoyPid)).toBe(false);
    expect(proxy.lines.join('\n')).toContain('the agent was not told of the drain, going on without');
  });

  it('tells the agent by its own token before anything else, and heeds how long others need', async () => {
    const asked: { headers: IncomingMessage['headers']; body: string; ready: number }[] = [];
    const agent = await listen(address, async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      asked.push({
        headers: request.headers,
        body,
        ready: (await fetch(`http://${address}:15000/healthcheck/ok`, { method: 'POST' })).status,
      });
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ settleMs: 0 }));
    });
    const proxy = await start(`${address}:${portOf(agent)}`);
    proxy.wrapper.kill('SIGTERM');
    expect(await proxy.exited).toBe(0);
    agent.close();
    expect(asked).toHaveLength(1);
    expect(asked[0]?.headers.authorization).toBe('Bearer a.b.c');
    expect(JSON.parse(asked[0]?.body ?? '')).toEqual({ cluster: 'us-east', name: 'reviews-v1', namespace: 'bookinfo', address });
  });

  it('is not ready without an agent, however long: the application beside it would start without the mesh', async () => {
    await start(`${address}:15014`);
    await wait(PAST_FETCH_LIMITS_MS);
    expect((await fetch(`http://${address}:15000/ready`)).status).toBe(503);
  }, 60_000);

  it('takes its Envoy with it when it is SIGKILLed', async () => {
    const proxy = await start(`${address}:15014`);
    proxy.wrapper.kill('SIGKILL');
    expect(await proxy.exited).toBe('SIGKILL');
    await until(() => !isAlive(proxy.envoyPid));
  });

  it('ends with 137 when its Envoy is SIGKILLed', async () => {
    const proxy = await start(`${address}:15014`);
    process.kill(proxy.envoyPid, 'SIGKILL');
    expect(await proxy.exited).toBe(137);
  });

  it('runs many on one machine, and says which port is taken', async () => {
    const first = await start(`${address}:15014`);
    const refused = await start(`${address}:15014`, 'reviews-v2');
    expect(await refused.exited).toBe(1);
    expect(refused.lines.join('\n')).toMatch(new RegExp(`cannot bind '${address}:15000'.*Address already in use`));
    address = address.replace(/\d+$/, '9');
    const second = await start(`${address}:15014`, 'reviews-v3');
    expect([first, second].map(({ envoyPid }) => isAlive(envoyPid))).toEqual([true, true]);
  });
});

function isAlive(pid: number): boolean {
  // A zombie has ended; in a container nobody may be there to reap it.
  return existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await check())) await new Promise((resolve) => setImmediate(resolve));
}

async function answers(url: string): Promise<boolean> {
  return (await fetch(url).catch(() => undefined))?.ok === true;
}

function listen(host: string, handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer(handler).listen(0, host, () => resolve(server));
  });
}

function portOf(server: Server): number {
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}
