/** `hub run` and `agent run` start themselves anew with the settings of a service, as the same process (bin/hawser.mjs). */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const BIN = join(import.meta.dirname, '../bin/hawser.mjs');
const folder = mkdtempSync(join(tmpdir(), 'hawser-service-start-'));
const probe = join(folder, 'probe.cjs');
const seen = join(folder, 'seen');

beforeAll(() => {
  const line = 'JSON.stringify({ pid: process.pid, flags: process.execArgv, arenas: process.env.MALLOC_ARENA_MAX })';
  writeFileSync(probe, `require('node:fs').appendFileSync(process.env.SEEN, ${line} + '\\n');`);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the command; what each image of its process was started with. */
function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  rmSync(seen, { force: true });
  const options = {
    encoding: 'utf8' as const,
    timeout: 60_000,
    env: { ...process.env, NODE_OPTIONS: `--require ${probe}`, SEEN: seen, ...env },
  };
  const { status, stderr, pid } = spawnSync(process.execPath, [BIN, ...args], options);
  const images = readFileSync(seen, 'utf8').trim().split('\n');
  return { status, stderr, pid, images: images.map((image) => JSON.parse(image) as { pid: number; flags: string[]; arenas?: string }) };
}

test.runIf(process.platform === 'linux')('a service has its flags, its process id, and says what it says', () => {
  const { status, stderr, pid, images } = run(['agent', 'run']);
  expect(images.map((image) => image.pid)).toEqual([pid, pid]);
  expect(images[1]).toMatchObject({ flags: expect.arrayContaining(['--heap-growing-percent=20']) as string[], arenas: '2' });
  expect(status).toBe(2);
  expect(stderr).toMatch(/^hawser: --registry-dir is missing.*\n$/);
});

test.runIf(process.platform === 'linux')('what the environment says of malloc wins', () => {
  const { images } = run(['agent', 'run'], { MALLOC_ARENA_MAX: '7' });
  expect(images.at(-1)?.arenas).toBe('7');
});

test('any other command runs as it was started', () => {
  expect(run(['version', '--help']).images).toHaveLength(1);
});
