import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type DemoFile, endOrphans, readDemoFile, writeDemoFile } from './demo-file.ts';
import { takenPorts } from './ports.ts';
import { isLiving, ownRecord, ProcessSet, runsArgv, type Supervised } from './processes.ts';
import { waitFor } from './wait.ts';

let folder: string;
let processes: ProcessSet;
let ended: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hawser-demo-'));
  ended = [];
  processes = new ProcessSet(folder, ({ spec }, how) => ended.push(`${spec.name} ${how}`));
});
afterEach(() => {
  processes.sweep();
  rmSync(folder, { recursive: true });
});

const start = (name: string, code: string): Supervised =>
  processes.start({ name, argv: [process.execPath, '-e', code], address: '127.0.0.1', adminPort: 0 });
const FOREVER = "console.log('up'); setInterval(() => {}, 1e6)";

/** Resolves when the process has said something. */
async function said({ spec }: Supervised): Promise<void> {
  const file = processes.logFile(spec);
  await waitFor('no word', async () => (readFileSync(file, 'utf8') === '' ? undefined : true), { timeoutMs: 10_000, everyMs: 10 });
}

describe.runIf(process.platform === 'linux')('processes', () => {
  test('a killed process is gone, is not reported, and starts again by its record', async () => {
    const one = start('one', FOREVER);
    const first = one.record.pid;
    await processes.kill(one);
    expect(isLiving(one)).toBe(false);
    expect(runsArgv(first, one.record.argv)).toBe(false);
    processes.restart(one);
    expect(isLiving(one)).toBe(true);
    expect(one.record.pid).not.toBe(first);
    await processes.stop([one], 5_000);
    expect(isLiving(one)).toBe(false);
    expect(ended).toEqual([]);
  });

  test('an end that nobody here wanted is reported', async () => {
    const one = start('one', 'process.exit(3)');
    await once(one.child, 'exit');
    expect(ended).toEqual(['one exit code 3']);
  });

  test('nothing starts once everything is being stopped', () => {
    processes.close();
    expect(() => start('late', FOREVER)).toThrow('being stopped');
  });

  test('orphans of an earlier demo are ended, and only those that still run what was recorded', async () => {
    const [mine, reused] = [start('mine', FOREVER), start('reused', FOREVER)];
    await Promise.all([said(mine), said(reused)]); // by then setpriv has become what it runs
    const other = { ...reused.record, argv: ['postgres', '-D', '/somewhere'] };
    const file: DemoFile = { hub: mine.record, postgres: other, nats: null, clusters: [], demo: ownRecord(), others: [] };
    writeDemoFile(folder, file);
    expect(readDemoFile(folder)).toEqual(file);
    expect(await endOrphans(file)).toBe(1);
    if (isLiving(mine)) await once(mine.child, 'exit');
    expect([isLiving(mine), isLiving(reused)]).toEqual([false, true]);
  });

  test('the log of a process holds what it said', async () => {
    const one = start('one', "console.log('first'); console.error('last')");
    await once(one.child, 'exit');
    expect(processes.logTail(one, 1)).toBe('last');
    expect(readFileSync(processes.logFile(one.spec), 'utf8')).toContain('first');
  });
});

describe('ports', () => {
  test('a taken port is named, with who needs it and who has it', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const port = (server.address() as { port: number }).port;
    const [sentence, ...more] = await takenPorts([{ address: '127.0.0.1', port, user: 'the hub' }]);
    expect(sentence).toContain(`port ${port} on 127.0.0.1, which the hub needs, is taken`);
    if (process.platform === 'linux') expect(sentence).toContain(`(pid ${process.pid})`);
    expect(more).toEqual([]);
    server.close();
    await once(server, 'close');
    expect(await takenPorts([{ address: '127.0.0.1', port, user: 'the hub' }])).toEqual([]);
  });
});
