/** A small federation of the product's own processes with TLS on all three doors: a request crosses clusters. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Membership } from '@hawser/wire/enrolment.ts';
import { decodeJoinToken } from '@hawser/wire/enrolment.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serviceFile } from '../kit/federation.ts';
import { Running } from '../kit/hawser-processes.ts';
import { freePort } from '../kit/ports.ts';

const BIN = join(import.meta.dirname, '../../services/cli/bin/hawser.mjs');
const [EAST, WEST, CLIENT, SERVER] = ['127.88.1.1', '127.88.2.1', '127.88.1.11', '127.88.2.11'] as const;
const DEADLINE_MS = 120_000;

describe('a federation with TLS on every door', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hawser-tls-federation-'));
  const stateDir = join(folder, '.hawser');
  const running: Running[] = [];
  let server: Server;
  let hubUrl: string;

  const spawnHawser = (args: readonly string[]): ChildProcess => {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('HAWSER_') || name.endsWith('_BIN'));
    const env = { ...Object.fromEntries(inherited), HAWSER_STATE_DIR: stateDir };
    return spawn(process.execPath, [BIN, ...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  };
  const start = async (args: readonly string[], says: string): Promise<void> => {
    const child = spawnHawser(args);
    child.stdout?.resume();
    const one = new Running(child);
    running.push(one);
    await one.says(says);
  };
  const hawser = async (args: readonly string[]): Promise<string> => {
    const child = spawnHawser(args);
    let [out, problem] = ['', ''];
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      problem += text;
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(problem);
    return out.trim();
  };
  const joinCluster = async (name: string, address: string, registry: string): Promise<string> => {
    const registryDir = join(folder, 'registry', name);
    mkdirSync(registryDir, { recursive: true });
    if (registry !== '') writeFileSync(join(registryDir, 'services.yaml'), registry);
    const token = await hawser(['cluster', 'join', name, '--region', name]);
    const tokenFile = join(folder, `${name}.join`);
    writeFileSync(tokenFile, token, { mode: 0o600 });
    const place = ['--registry-dir', registryDir, '--address', address, '--cluster', name];
    await start(['agent', 'run', '--tls', 'on', '--token-file', tokenFile, ...place], 'agent is up');
    return token;
  };
  const proxy = async (cluster: string, address: string, who: readonly string[], name: string): Promise<void> => {
    const file = join(folder, `${cluster}-${name}.token`);
    await hawser(['proxy', 'token', '--cluster', cluster, ...who, '--out', file]);
    await start(['proxy', 'run', '--cluster', cluster, '--name', name, ...who, '--address', address, '--token-file', file], ': ready');
  };
  const account = (name: string): string[] => ['--namespace', 'bookinfo', '--service-account', name];

  beforeAll(async () => {
    server = createServer((_request, response) => response.end('from us-west')).listen(9080, SERVER);
    const [port, postgres, nats] = await Promise.all([freePort(), freePort(), freePort()]);
    hubUrl = `127.0.0.1:${port}`;
    const ports = ['--port', `${port}`, '--postgres-port', `${postgres}`, '--nats-port', `${nats}`];
    await start(['hub', 'run', '--tls', 'on', ...ports], 'hub is ready');
  }, DEADLINE_MS);
  afterAll(async () => {
    await Promise.all(running.reverse().map((one) => one.end('SIGTERM')));
    server.close();
    server.closeAllConnections();
    rmSync(folder, { recursive: true, force: true });
  }, DEADLINE_MS);

  it('carries a request across clusters, and no door takes plain text', { timeout: 2 * DEADLINE_MS }, async () => {
    const [token] = await Promise.all([joinCluster('us-east', EAST, ''), joinCluster('us-west', WEST, serviceFile('ratings', [SERVER]))]);
    expect(decodeJoinToken(token)).toMatchObject({ hub: `https://${hubUrl}`, ca: expect.stringMatching(/^[\w-]{43}$/) });
    const { membership } = JSON.parse(readFileSync(join(stateDir, 'agents/us-east/membership.json'), 'utf8')) as { membership: Membership };
    expect(membership).toMatchObject({
      natsUrls: [expect.stringMatching(/^tls:/)],
      natsCa: readFileSync(join(stateDir, 'ca.pem'), 'utf8'),
    });
    await Promise.all([
      proxy('us-west', WEST, ['--gateway'], 'gateway'),
      proxy('us-west', SERVER, account('default'), 'ratings-v1'),
      proxy('us-east', CLIENT, account('client'), 'client-v1'),
    ]);
    let last = '';
    for (
      const end = Date.now() + DEADLINE_MS;
      Date.now() < end && last !== '200 from us-west';
      await new Promise((next) => setTimeout(next, 50))
    )
      last = await ask().catch(String);
    expect(last).toBe('200 from us-west');
    for (const address of [CLIENT, SERVER, WEST]) {
      const stats = await (await fetch(`http://${address}:15000/stats?filter=^cluster.xds.ssl.versions`)).text();
      expect(stats).toMatch(/cluster\.xds\.ssl\.versions\.TLSv1\.3: [1-9]/);
    }
    expect(await hawser(['status'])).toMatch(/us-east +us-east +ready/);
    await expect(fetch(`http://${hubUrl}/livez`)).rejects.toThrow();
    await expect(fetch(`http://${EAST}:15010/`)).rejects.toThrow();
  });
});

/** The answer that the workload of us-east gets from `ratings` through its own sidecar. */
function ask(): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { host: CLIENT, port: 15_001, path: '/', headers: { host: 'ratings.bookinfo.svc.clusterset.local' }, agent: false };
    const asked = request(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(`${response.statusCode} ${text}`));
    });
    asked.once('error', reject).end();
  });
}
