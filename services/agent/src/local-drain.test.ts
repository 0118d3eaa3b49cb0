import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LocalDrain } from '@hawser/model/fleet.ts';
import type { Resource } from '@hawser/model/resource.ts';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { adminToken, LocalDrains } from './local-drain.ts';

const HOUR_MS = 3_600_000;
let folder: string;
let now: number;
let obeyed: string[][];
let told: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hawser-local-drain-'));
  [now, obeyed, told] = [Date.UTC(2026, 10, 22), [], 0];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function drains(): LocalDrains {
  return new LocalDrains({
    ...{ folder, place: { cluster: 'us-east', region: 'us-east' }, log: pino({ level: 'silent' }), now: () => now },
    onOwn: () => {
      told += 1;
    },
    onDrains: (all) => obeyed.push([...all.keys()]),
  });
}

const word = (until: number, changedAt = now): LocalDrain => ({
  ...{ reason: 'fire', by: 'me', changedAt },
  ...{ since: new Date(now).toISOString(), until: new Date(until).toISOString() },
});

const drainAll: Resource = { apiVersion: '', kind: 'Drain', metadata: { name: 'x' }, spec: { scope: { region: 'us-east' }, percent: 100 } };

describe('the drain that an agent makes alone', () => {
  it('is kept over a restart, and ends by its time, which is an hour at most', async () => {
    await drains().begin({ ttlMs: 5 * HOUR_MS, reason: 'fire', by: 'me' });
    const again = drains();
    expect(again.own).toMatchObject({ reason: 'fire', until: new Date(now + HOUR_MS).toISOString() });
    now += HOUR_MS;
    expect(again.own).toBeUndefined();
  });

  it('ends by a word, which other replicas are told, and the newest word counts', async () => {
    const one = drains();
    await one.begin({ ttlMs: HOUR_MS, reason: 'fire', by: 'me' });
    const first = one.word;
    now += 1_000;
    expect(await one.end()).toBe(true);
    one.hear(first);
    expect([one.own, one.word?.changedAt, told, await one.end()]).toEqual([undefined, now, 2, false]);
    one.hear(word(now + 60_000, now + 1));
    expect(one.own?.reason).toBe('fire');
  });

  it('of others is obeyed while it lasts, and no longer than an hour whatever their clock says', () => {
    const one = drains();
    const far = new Map([['us-west', word(now + 900 * HOUR_MS)]]);
    one.look(far, new Map());
    one.look(far, new Map());
    now += HOUR_MS;
    one.look(far, new Map());
    one.stop();
    expect(obeyed).toEqual([['Drain//local:us-west'], []]);
  });

  it('ends when the hub drains the same place whole', async () => {
    const one = drains();
    await one.begin({ ttlMs: HOUR_MS, reason: 'fire', by: 'me' });
    const hub = (percent: number): ReadonlyMap<string, Resource> =>
      new Map([['Drain//x', { apiVersion: '', kind: 'Drain', metadata: { name: 'x' }, spec: { scope: { region: 'us-east' }, percent } }]]);
    one.look(new Map(), hub(50));
    one.look(new Map(), new Map([['Drain//local:us-east', { ...drainAll, metadata: { name: 'local:us-east' } }]]));
    expect(one.own).toBeDefined();
    one.look(new Map(), hub(100));
    one.stop();
    expect(one.own).toBeUndefined();
    await expect.poll(() => told).toBe(2);
  });

  it('is asked for with a token that is its owner’s alone', async () => {
    const token = await adminToken(folder);
    expect([token.length, await adminToken(folder), statSync(join(folder, 'admin.token')).mode & 0o777]).toEqual([43, token, 0o600]);
  });
});
