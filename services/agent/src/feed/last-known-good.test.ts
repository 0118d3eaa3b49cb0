import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@hawser/runtime/logger.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LastKnownGood, loadLastKnownGood } from './last-known-good.ts';

const log = createLogger('test');
log.level = 'silent';
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hawser-lkg-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function save(...states: number[]): Promise<void> {
  let state = 0;
  const file = new LastKnownGood({ folder, log, current: () => ({ state }) });
  for (state of states) {
    file.changed();
    await file.flush();
  }
}

const load = (): Promise<unknown> => loadLastKnownGood(folder, (content) => content, log);

describe('last known good', () => {
  it('is nothing at first', async () => {
    expect(await load()).toBeUndefined();
  });

  it('is the newest that was saved', async () => {
    await save(1, 2, 3, 4);
    expect(await load()).toEqual({ state: 4 });
  });

  it('falls back one generation when a byte of the newest was flipped, and gives nothing when all are damaged', async () => {
    await save(1, 2, 3);
    for (const [generation, expected] of [
      [0, { state: 2 }],
      [1, { state: 1 }],
      [2, undefined],
    ] as const) {
      const path = join(folder, `last-known-good.${generation}`);
      writeFileSync(path, readFileSync(path, 'utf8').replace('"state"', '"stote"'));
      expect(await load()).toEqual(expected);
    }
  });

  it('falls back when the reader refuses the newest', async () => {
    await save(1, 2);
    const accepted = await loadLastKnownGood(
      folder,
      (content) => {
        if ((content as { state: number }).state === 2) throw new Error('unknown signer');
        return content;
      },
      log,
    );
    expect(accepted).toEqual({ state: 1 });
  });

  it('writes nothing when nothing changed', async () => {
    await save(1, 1);
    expect(existsSync(join(folder, 'last-known-good.1'))).toBe(false);
  });
});
