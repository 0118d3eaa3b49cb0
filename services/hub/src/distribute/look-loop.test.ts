/** The loop that others are made of. */
import pino from 'pino';
import { expect, it } from 'vitest';
import { LookLoop, type LookLoopParts } from './look-loop.ts';

/** Longer than any test. */
const NEVER = 600_000;

function started(look: LookLoopParts['look'], everyMs: number) {
  const stopping = new AbortController();
  const logged: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => logged.push((JSON.parse(line) as { msg: string }).msg) });
  let failures = 0;
  const onFailure = (): void => {
    failures += 1;
  };
  const loop = new LookLoop({ look, everyMs, rushMs: 1, problem: 'it did not look', onFailure, log, signal: stopping.signal });
  const running = loop.run();
  const stop = async (): Promise<void> => {
    stopping.abort();
    await running;
  };
  return { loop, logged, failures: () => failures, stop };
}

it('looks at the start, when it is woken, and once more when it was woken while it looked', async () => {
  let looks = 0;
  const { loop, stop } = started(async () => {
    looks += 1;
    if (looks === 2) loop.wake();
    return undefined;
  }, NEVER);
  await expect.poll(() => looks).toBe(1);
  loop.wake();
  await expect.poll(() => looks).toBe(3);
  await stop();
});

it('looks on while there is more, and ends while it waits', async () => {
  let looks = 0;
  const { stop } = started(async () => {
    looks += 1;
    return looks < 5;
  }, NEVER);
  await expect.poll(() => looks).toBe(5);
  await stop();
});

it('tries again after failures, and tells of the first of several in a row', async () => {
  let looks = 0;
  const { logged, failures, stop } = started(async () => {
    looks += 1;
    if (looks !== 4) throw new Error('no');
    return undefined;
  }, 1);
  await expect.poll(() => looks).toBeGreaterThan(6);
  await stop();
  expect(failures()).toBe(looks - 1);
  expect(logged).toEqual(['it did not look', 'it did not look']);
});
