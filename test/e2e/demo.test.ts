/** The demo, as a newcomer runs it: the whole scenario with its figures, and ended by Ctrl-C. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive } from '@hawser/runtime/process-record.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { demoState, startDemoProcess } from './demo-process.ts';

const MINUTE = 60_000;

let state: ReturnType<typeof demoState>;
beforeEach(() => {
  state = demoState();
});
afterEach(() => state.remove());

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
