import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isAlive, type ProcessRecord } from '@hawser/runtime/process-record.ts';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../../../test/kit/ports.ts';
import { standStill } from '../../../../test/kit/stand-still.ts';
import { probeNats } from './nats-probe.ts';
import { type NatsServer, type NatsServerOptions, startNatsServer } from './nats-server.ts';

const log = pino({ level: 'silent' });
let stateDir: string;
let port: number;
let running: NatsServer[];
let processes: ProcessRecord[];

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'hawser-nats-'));
  port = await freePort();
  running = [];
  processes = [];
});

afterEach(async () => {
  await Promise.all(running.map((server) => server.stop()));
  for (const { pid } of processes) expect(isAlive(pid)).toBe(false);
  rmSync(stateDir, { recursive: true, force: true });
});

function options(changes: Partial<NatsServerOptions> = {}): NatsServerOptions {
  const config = `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${stateDir}/hub/nats/data" }\n`;
  return { stateDir, host: '127.0.0.1', port, serverName: 'hawser-test', config, log, onProcess: (one) => processes.push(one), ...changes };
}

async function start(changes: Partial<NatsServerOptions> = {}): Promise<NatsServer> {
  const server = await startNatsServer(options(changes));
  running.push(server);
  return server;
}

/** Waits for the next process that the supervisor reports, beyond `known`. */
async function nextProcess(known: number): Promise<ProcessRecord> {
  await expect.poll(() => processes.length, { timeout: 20_000, interval: 50 }).toBeGreaterThan(known);
  return processes[known] as ProcessRecord;
}

describe('startNatsServer', () => {
  it('starts the server and records how to start it again', async () => {
    const server = await start();
    expect(await probeNats('127.0.0.1', port)).toEqual({ kind: 'nats', serverName: 'hawser-test' });
    const recorded: unknown = JSON.parse(readFileSync(join(stateDir, 'hub/nats.json'), 'utf8'));
    expect(recorded).toEqual({ ...server.record, address: `127.0.0.1:${port}` });
  });

  it('adopts a server whose hub is gone, and stops it', async () => {
    const first = await start();
    const second = await start();
    expect(second.record.pid).toBe(first.record.pid);
  });

  it('says which port a stranger has', async () => {
    const stranger = createServer((socket) => socket.end('hello\r\n'));
    await new Promise<void>((resolve) => stranger.listen(port, '127.0.0.1', resolve));
    await expect(startNatsServer(options())).rejects.toMatchObject({
      code: 'port-taken',
      message: expect.stringContaining(`port ${port}`),
    });
    await new Promise((resolve) => stranger.close(resolve));
  });

  it('does not adopt a NATS server of another state folder', async () => {
    await start({ serverName: 'hawser-other' });
    await expect(startNatsServer(options())).rejects.toMatchObject({ code: 'port-taken' });
  });

  it('replaces a server that was killed', async () => {
    const server = await start();
    const killed = server.record.pid;
    process.kill(killed, 'SIGKILL');
    const replacement = await nextProcess(1);
    expect(replacement.pid).not.toBe(killed);
    expect((await probeNats('127.0.0.1', port)).kind).toBe('nats');
  });

  it('adopts the one that an outsider started by the record', async () => {
    const server = await start();
    const { pid, argv, cwd } = server.record;
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => isAlive(pid), { interval: 5 }).toBe(false);
    const outsider = spawn(argv[0] ?? '', argv.slice(1), { cwd, stdio: 'ignore', detached: true });
    const kept = await nextProcess(1);
    expect(kept.pid).toBe(outsider.pid);
  });

  it('replaces an orphan that does not answer', async () => {
    const first = await start();
    await standStill(first.record.pid);
    const second = await start();
    expect(second.record.pid).not.toBe(first.record.pid);
    expect((await probeNats('127.0.0.1', port)).kind).toBe('nats');
  });

  it('says that a server with a wrong configuration did not start', async () => {
    await expect(startNatsServer(options({ config: 'listen: nonsense {' }))).rejects.toMatchObject({ code: 'nats-not-started' });
  });
});
