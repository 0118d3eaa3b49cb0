/** The demo, as a newcomer runs it: the whole scenario with its figures, on servers of others, and ended by Ctrl-C. */
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { natsServerBinary } from '@hawser/runtime/binaries.ts';
import { isAlive } from '@hawser/runtime/process-record.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../kit/ports.ts';
import { startTestPostgres } from '../kit/postgres.ts';
import { demoState, startDemoProcess } from './demo-process.ts';

const HAWSER = join(import.meta.dirname, '../../services/cli/src/main.ts');
const MINUTE = 60_000;

let state: ReturnType<typeof demoState>;
beforeEach(() => {
  state = demoState();
});
afterEach(() => state.remove());

/** An nats-server as an operator would run it beside the hub: with the configuration that the hub prints. */
async function startExternalNats(stateDir: string): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const port = await freePort();
  const printed = execFileSync(process.execPath, [HAWSER, '--state-dir', stateDir, 'hub', 'nats-config'], { encoding: 'utf8' });
  const config = printed.replace('0.0.0.0:4222', `127.0.0.1:${port}`).replace('/var/lib/nats', join(stateDir, 'external-nats'));
  writeFileSync(join(stateDir, 'nats.conf'), config);
  const child = spawn(natsServerBinary(), ['-c', join(stateDir, 'nats.conf')], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  return { url: `nats://127.0.0.1:${port}`, stop };
}

describe('the demo', () => {
  it('runs its whole scenario, every figure within its bar', { timeout: 15 * MINUTE }, async () => {
    const report = join(state.stateDir, 'report.json');
    const demo = await startDemoProcess(state.stateDir, '127.91', ['--once', '--report', report]);
    const code = await demo.ended;
    console.log(demo.output());
    expect(code, demo.output()).toBe(0);
    const { figures } = JSON.parse(readFileSync(report, 'utf8')) as { figures: Record<string, unknown> };
    expect(Object.keys(figures)).toEqual(expect.arrayContaining(['outage_failed', 'drill_failed', 'drill_rto_s']));
    expect(readFileSync(join(state.stateDir, 'drill-report.html'), 'utf8')).toContain('<h1>lose-us-east</h1>');
    expect(demo.pids().filter(isAlive)).toEqual([]);
  });

  it('runs on an external PostgreSQL and NATS', { timeout: 5 * MINUTE }, async () => {
    const postgres = await startTestPostgres();
    const nats = await startExternalNats(state.stateDir);
    try {
      const servers = ['--database-url', await postgres.database({ migrated: false }), '--nats-url', nats.url];
      const demo = await startDemoProcess(state.stateDir, '127.92', ['--only', 'discovery', ...servers]);
      expect(await demo.ended, demo.output()).toBe(0);
      expect(demo.pids().filter(isAlive)).toEqual([]);
    } finally {
      await nats.stop();
      await postgres.stop();
    }
  });

  it('leaves no process behind after Ctrl-C', { timeout: 4 * MINUTE }, async () => {
    const demo = await startDemoProcess(state.stateDir, '127.93', []);
    await demo.printed('Ctrl-C');
    const pids = demo.pids();
    expect(pids.filter(isAlive)).toEqual(pids);
    expect(pids.length).toBeGreaterThan(40);
    demo.child.kill('SIGINT');
    expect(await demo.ended, demo.output()).toBe(130);
    expect([...pids, ...demo.pids()].filter(isAlive)).toEqual([]);
  });
});
