import pino from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { querySql, startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import { openDatabase } from '../db/database.ts';
import { createReadModel } from '../resource/desired-state-store.ts';
import { LEASE_MS, LeaderStore } from './leader-store.ts';
import { Leadership } from './leadership.ts';

const log = pino({ level: 'silent' });
let postgres: TestPostgres;
let dsn: string;
let stores: LeaderStore[];

beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  dsn = await postgres.database();
  stores = [];
  return async () => {
    await Promise.all(stores.map((store) => store.close()));
  };
});

function replica(holder: string): LeaderStore {
  const store = new LeaderStore({ dsn, holder, address: `http://${holder}` });
  stores.push(store);
  return store;
}

describe('the lease of leadership', () => {
  it('is one replica’s until its connection is gone, and every term is a new one', async () => {
    const [one, two] = [replica('one'), replica('two')];
    expect(await one.acquire()).toBe(1);
    expect(await two.acquire()).toBeUndefined();
    expect(await two.current()).toEqual({ term: 1, holder: 'one', address: 'http://one' });
    expect(await one.renew(1)).toBe(true);
    await one.close();
    await expect.poll(() => two.acquire()).toBe(2);
    expect(await one.renew(1)).toBe(false);
    expect(await one.holds(1)).toBe(false);
    expect(await one.acquire()).toBeUndefined();
    await two.release(2);
    await two.close();
    await expect.poll(() => one.acquire()).toBe(3);
  });

  it('is taken from one that stands still, whose connection is ended', async () => {
    const [one, two] = [replica('one'), replica('two')];
    expect(await one.acquire()).toBe(1);
    await expect.poll(() => two.acquire(), { timeout: LEASE_MS + 5_000, interval: 50 }).toBe(2);
    await expect.poll(() => one.renew(1).catch(() => true)).toBe(false);
    expect(await two.renew(2)).toBe(true);
    expect(await one.acquire()).toBeUndefined();
  });

  it('is not taken back by a replica whose connection, and lock, outlived its term', async () => {
    const [one, two] = [replica('one'), replica('two')];
    expect(await one.acquire()).toBe(1);
    const taken = "UPDATE hub_leader SET term = 2, holder = 'two', expires_at = clock_timestamp() + interval '1 minute'";
    await querySql(dsn, taken);
    expect(await one.renew(1)).toBe(false);
    expect(await one.acquire()).toBeUndefined();
    expect(await two.renew(2)).toBe(true);
    await two.release(2);
    expect(await one.acquire()).toBe(3);
  });

  it('stays with the one that took it from another that stands still: no third one finds the lock free', async () => {
    const [one, two, three] = [replica('one'), replica('two'), replica('three')];
    expect(await one.acquire()).toBe(1);
    await expect.poll(() => two.acquire(), { timeout: LEASE_MS + 5_000, interval: 50 }).toBe(2);
    for (let look = 0; look < 50; look += 1) expect(await three.acquire()).toBeUndefined();
    expect(await two.renew(2)).toBe(true);
  });

  it('is won by one of many that ask at once', async () => {
    for (let round = 0; round < 5; round += 1) {
      dsn = await postgres.database();
      const terms = await Promise.all(Array.from({ length: 10 }, (_, index) => replica(`r${index}`).acquire()));
      expect(terms.filter((term) => term !== undefined)).toEqual([1]);
    }
  });

  it('lets nobody but its holder note what is published, or begin an epoch', async () => {
    const database = openDatabase(dsn, log);
    const readModel = createReadModel(database);
    const [one, two] = [replica('one'), replica('two')];
    const past = { epoch: 1, revision: 1 };
    const first = (await one.acquire()) ?? 0;
    await readModel.markPublished(0, first);
    await one.close();
    await expect.poll(() => two.acquire()).toBe(first + 1);
    await expect(readModel.markPublished(0, first)).rejects.toMatchObject({ code: 'not-leader' });
    await expect(readModel.raiseEpoch(past, first)).rejects.toMatchObject({ code: 'not-leader' });
    await readModel.raiseEpoch(past, first + 1);
    await database.close();
  });
});

describe('a replica', () => {
  it('confirms its term as long as it is the newest, and stands down when it learns that it is not', async () => {
    const aborter = new AbortController();
    const terms: (number | undefined)[] = [];
    const store = replica('one');
    const leadership = new Leadership({ store, log, signal: aborter.signal, onTerm: (term) => void terms.push(term) });
    const running = leadership.run();
    await expect.poll(() => terms).toEqual([1]);
    expect(await leadership.confirms(1)).toBe(true);
    expect(await leadership.confirms(0)).toBe(false);
    await store.close();
    const two = replica('two');
    // Both may take the lock that was free for a moment; whoever does not keep it has learnt so.
    const taken = await two.acquire();
    if (taken !== undefined) {
      expect(await leadership.confirms(1)).toBe(false);
      expect(terms).toEqual([1, undefined]);
    }
    aborter.abort();
    await running;
    expect(leadership.term).toBeUndefined();
    expect(terms.at(-1)).toBeUndefined();
  });

  it('says that it leads in its own term from the first moment, and not who led before', async () => {
    const [one, two] = [replica('one'), replica('two')];
    expect(await one.acquire()).toBe(1);
    const aborter = new AbortController();
    const seen: unknown[] = [];
    const leadership: Leadership = new Leadership({
      ...{ store: two, log, signal: aborter.signal },
      onTerm: (term) => void (term !== undefined && seen.push(leadership.leader)),
    });
    const running = leadership.run();
    await expect.poll(() => leadership.leader).toEqual(one.own(1));
    await one.close();
    await expect.poll(() => seen).toEqual([{ term: 2, holder: 'two', address: 'http://two' }]);
    aborter.abort();
    await running;
  });
});
