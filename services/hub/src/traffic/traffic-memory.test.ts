import { isCovered, type TrafficQuery } from '@hawser/model/measured-traffic.ts';
import type { TrafficReport, TrafficSeries } from '@hawser/wire/traffic.ts';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { COUNTS, spread } from './counts.ts';
import type { AskAgain } from './missed-reports.ts';
import { SecondRing } from './second-ring.ts';
import { TrafficMemory } from './traffic-memory.ts';
import { queryOf, recentAnswer } from './traffic-view.ts';

const START = 1_800_000_000_000;
const ALL: TrafficQuery = { from: START - 60_000, to: START + 3_600_000 };

function series(version: string, counts: readonly number[], active = 0): TrafficSeries {
  return [['shop/cart', 'west', 'us-west', 'a', version], active, [...counts]];
}

/** A memory whose clock is set. */
function memoryAt(clusters: readonly string[] = ['east'], mostSeries?: number, askAgain?: AskAgain) {
  const clock = { now: START };
  const memory = new TrafficMemory({
    ...{ clusters: () => clusters, now: () => clock.now },
    ...(mostSeries === undefined ? {} : { mostSeries }),
    ...(askAgain === undefined ? {} : { askAgain }),
  });
  const report = (at: number, told: readonly TrafficSeries[], more: Partial<TrafficReport & { cluster: string; replica: string }> = {}) => {
    clock.now = START + at;
    const { cluster = 'east', replica = 'a', ...body } = more;
    memory.receive(cluster, replica, { instance: 'one', age: at, proxies: 1, missing: 0, series: [...told], ...body });
  };
  return { memory, clock, report };
}

describe('counts', () => {
  it('are dealt to seconds evenly, and none is lost', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(1_000), { maxLength: 5 }),
        fc.nat(10_000),
        fc.integer({ min: 1, max: 20_000 }),
        (counts, from, length) => {
          const sums = counts.map(() => 0);
          spread(counts, { from, to: from + length }, (second, part) => {
            expect(second).toBeGreaterThanOrEqual(Math.floor(from / 1_000));
            expect(second * 1_000).toBeLessThan(from + length);
            for (const [place, count] of part.entries()) {
              expect(count).toBeGreaterThanOrEqual(0);
              sums[place] = (sums[place] ?? 0) + count;
            }
          });
          expect(sums).toEqual(counts);
        },
      ),
    );
  });

  it('are the same before they are packed and after, and are forgotten in the end', () => {
    const additions = fc.array(fc.tuple(fc.nat(119), fc.nat(COUNTS - 1), fc.nat(100_000)), { maxLength: 60 });
    fc.assert(
      fc.property(additions, fc.nat(119), fc.nat(119), (added, a, b) => {
        const ring = new SecondRing();
        for (const [second, place, count] of added)
          ring.add(
            second,
            Array.from({ length: COUNTS }, (_, at) => (at === place ? count : 0)),
          );
        const sum = () => {
          const into = new Float64Array(COUNTS);
          ring.sum(Math.min(a, b), Math.max(a, b), into);
          return into;
        };
        const before = sum();
        ring.age(10);
        expect(sum()).toEqual(before);
        ring.age(100);
        expect(ring.isEmpty).toBe(true);
      }),
    );
  });
});

describe('traffic in memory', () => {
  it('is what sums tell: a report that was lost loses nothing, one that comes twice adds nothing', () => {
    const { memory, report } = memoryAt();
    report(1_000, [series('v1', [10, 1, 12, 3, 2])]);
    report(4_000, [series('v1', [40, 1, 45, 6, 5])]);
    report(5_000, [series('v1', [40, 1, 45, 6, 5])]);
    expect(memory.window(ALL)).toMatchObject({ requests: 40, failures: 1, attempts: 45, failedAttempts: 6, retries: 5 });
    expect(memory.window({ from: START + 1_000, to: START + 4_000 }).requests).toBe(30);
    expect(memory.window({ from: START + 2_000, to: START + 3_000 }).requests).toBe(10);
  });

  it('counts a new instance from zero, and never takes back what was told', () => {
    const { memory, report } = memoryAt();
    report(1_000, [series('v1', [10])]);
    report(2_000, [series('v1', [4])]);
    report(3_000, [series('v1', [11])]);
    report(4_000, [series('v1', [5])], { instance: 'two', age: 500 });
    expect(memory.window(ALL).requests).toBe(16);
  });

  it('leaves out what an instance counted before this hub could hear it', () => {
    const { memory, report } = memoryAt();
    report(1_000, [series('v1', [1_000])], { age: 60_000 });
    report(2_000, [series('v1', [1_003]), series('v2', [500])], { age: 61_000 });
    for (let at = 3; at < 20; at += 1) report(at * 1_000, [], { age: 60_000 + at * 1_000 });
    report(20_000, [series('v3', [7])], { age: 80_000 });
    expect(memory.window(ALL).requests).toBe(10);
  });

  it('tells silence from zero', () => {
    const { memory, clock, report } = memoryAt(['east', 'west']);
    for (let at = 1; at <= 10; at += 1) report(at * 1_000, []);
    const span = { from: START + 2_000, to: START + 8_000 };
    expect(isCovered(memory.window({ ...span, source: 'east' }))).toBe(true);
    expect(memory.window({ ...span, source: 'east' }).requests).toBe(0);
    expect(isCovered(memory.window(span))).toBe(false);
    expect(memory.newestAt('east')).toBe(START + 10_000);
    expect(memory.newestAt('west')).toBeUndefined();
    clock.now = START + 60_000;
    expect(isCovered(memory.window({ from: START + 50_000, to: START + 60_000, source: 'east' }))).toBe(false);
    // Heard again, the count goes on: what was not known then is known now.
    report(61_000, []);
    expect(isCovered(memory.window({ from: START + 50_000, to: START + 60_000, source: 'east' }))).toBe(true);
  });

  it('knows a second when all agents of the cluster do, until one has left its proxies to the other', () => {
    const { memory, report } = memoryAt();
    report(1_000, []);
    report(1_000, [], { replica: 'b' });
    report(5_000, []);
    expect(memory.knownSeconds('east', START / 1_000 + 1, START / 1_000 + 5)).toBe(0);
    report(20_000, []);
    expect(memory.knownSeconds('east', START / 1_000 + 1, START / 1_000 + 5)).toBe(4);
    expect(memory.newestAt('east')).toBe(START + 20_000);
  });

  it('tells seconds that were dealt from a report about a long time', () => {
    const { memory, report } = memoryAt();
    for (const at of [1_000, 2_000, 4_000, 9_000, 10_000]) report(at, []);
    const dealt = [0, 1, 2, 3, 4, 8, 9, 10].filter((at) => memory.isDealt('east', START + at * 1_000));
    expect(dealt).toEqual([4, 8]);
  });

  it('knows each second that it did not hear where the agent tells it again', async () => {
    const asked: number[] = [];
    const told = { value: true };
    const { memory, clock, report } = memoryAt(['east'], undefined, async (_, sinceMs) => {
      asked.push(sinceMs);
      return told.value;
    });
    report(1_000, []);
    report(2_000, [series('v1', [10])]);
    clock.now = START + 9_900;
    // Nothing is taken before the answer, and nobody judges by less.
    report(10_000, [series('v1', [90])]);
    expect([asked, memory.knownUntil()]).toEqual([[8_000], START + 2_000]);
    expect(memory.window(ALL).requests).toBe(10);
    const past = [7_000, 6_000, 5_000, 4_000, 3_000, 2_000, 1_000].map((ago, index) => ({
      ago: ago + 1_000,
      series: index < 4 ? [] : [series('v1', [10 + 20 * (index - 3)])],
    }));
    report(11_000, [series('v1', [100])], { past });
    expect(memory.knownUntil()).toBe(START + 11_000);
    const at = (second: number): number => memory.window({ from: START + second * 1_000, to: START + (second + 1) * 1_000 }).requests;
    expect(Array.from({ length: 11 }, (_, second) => at(second))).toEqual([0, 10, 0, 0, 0, 0, 20, 20, 20, 20, 10]);
    expect(Array.from({ length: 11 }, (_, second) => memory.isDealt('east', START + second * 1_000))).not.toContain(true);
    expect(isCovered(memory.window({ from: START + 1_000, to: START + 11_000 }))).toBe(true);
  });

  it('takes one report about all of the time where the agent does not tell, or not in time, or has forgotten', async () => {
    for (const [isTold, next] of [
      [false, 11_000],
      [true, 13_000],
    ] as const) {
      const { memory, report } = memoryAt(['east'], undefined, async () => isTold);
      report(1_000, []);
      report(10_000, [series('v1', [90])]);
      await Promise.resolve();
      report(next, [series('v1', [90])]);
      expect([memory.window(ALL).requests, memory.isDealt('east', START + 5_000)]).toEqual([90, true]);
      expect(memory.knownUntil()).toBe(START + next);
    }
    const { memory, report } = memoryAt(['east'], undefined, async () => true);
    report(1_000, []);
    report(10_000, [series('v1', [90])]);
    report(11_000, [], { past: [{ ago: 3_000, series: [series('v1', [80])] }] });
    expect([3, 6, 7, 8, 9, 10].map((second) => memory.isDealt('east', START + second * 1_000))).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
    expect(memory.window(ALL).requests).toBe(90);
  });

  it('of a hub that has just come, waits for those that spoke to the one before, and not for long', () => {
    const saved = { replica: 'a', instance: 'one', series: [] };
    const { memory, clock } = memoryAt(['east', 'west']);
    memory.restore(
      [
        { ...saved, cluster: 'east', at: START - 8_000 },
        { ...saved, cluster: 'west', at: START - 600_000 },
      ],
      [],
    );
    expect(memory.knownUntil()).toBe(START - 8_000);
    clock.now = START + 10_000;
    expect(memory.knownUntil()).toBe(START + 10_000);
  });

  it('walks through the series of those services that are asked about, and no others', () => {
    const { memory, report } = memoryAt();
    const called = (service: string, requests: number): TrafficSeries => [[service, 'west', '', '', ''], 0, [requests, 0, requests]];
    report(1_000, []);
    report(
      2_000,
      Array.from({ length: 500 }, (_, index) => called(`shop/s${index}`, index)),
    );
    const visited = vi.spyOn(SecondRing.prototype, 'sum');
    const services = ['shop/s3', 'shop/s7', 'shop/nobody'];
    const span = { from: START, to: START + 2_000 };
    expect(memory.groups({ ...span, services }, ['service']).map(({ service, sums }) => [service, sums.requests])).toEqual([
      ['shop/s3', 3],
      ['shop/s7', 7],
    ]);
    expect(memory.load(1_000, services)).toHaveLength(2);
    expect(memory.window({ ...span, services: [] })).toMatchObject({ requests: 0, sources: [{ cluster: 'east', seconds: 2 }] });
    expect(visited).toHaveBeenCalledTimes(4);
    visited.mockRestore();
  });

  it('says who called what, and who bears what', () => {
    const { memory, report } = memoryAt(['east', 'north']);
    report(1_000, []);
    report(1_000, [], { cluster: 'north' });
    report(2_000, [series('v1', [90, 0, 95], 3), series('v2', [10, 0, 5], 1)]);
    report(2_000, [series('v1', [100, 0, 100])], { cluster: 'north' });
    const shares = memory.shares('shop/cart', 1_000);
    expect(shares).toHaveLength(3);
    expect(shares.find(({ source, destination }) => source === 'east' && destination.version === 'v1')).toMatchObject({
      ...{ share: 0.95, requestShare: 0.9, attempts: 95, requests: 90 },
      destination: { cluster: 'west', region: '', zone: '', version: 'v1' },
    });
    expect(memory.load(1_000, ['shop/cart'])).toEqual([{ cluster: 'west', service: 'shop/cart', perSecond: 200, inFlight: 4 }]);
    expect(memory.shares('shop/other', 1_000)).toEqual([]);
  });

  it('goes on from what another hub wrote', () => {
    const one = memoryAt();
    one.report(1_000, [series('v1', [10])]);
    const { rows, streams } = one.memory.takeUnwritten();
    expect(one.memory.takeUnwritten().rows).toEqual([]);
    const next = memoryAt();
    next.memory.restore(streams, rows);
    next.report(30_000, [series('v1', [25])], { age: 30_000 });
    expect(next.memory.window(ALL).requests).toBe(15);
    const minute = next.memory.takeUnwritten().rows.map(({ counts }) => counts[0]);
    expect(minute).toEqual([25]);
    expect(isCovered(next.memory.window({ from: START + 1_000, to: START + 30_000 }))).toBe(true);
  });

  it('keeps what was not written for later, and no series beyond its bound', () => {
    const { memory, report } = memoryAt(['east'], 2);
    report(1_000, [series('v1', [1]), series('v2', [1]), series('v3', [1]), series('v4', [1])]);
    const { rows, undo } = memory.takeUnwritten();
    expect(rows.map(({ key, counts }) => [key.service, counts[0]])).toEqual([
      ['shop/cart', 1],
      ['shop/cart', 1],
      ['(other)', 2],
    ]);
    undo(0);
    expect(memory.takeUnwritten().rows).toHaveLength(3);
  });

  it('is told with quantiles and shares', () => {
    const { memory, report } = memoryAt();
    report(1_000, []);
    report(2_000, [series('v1', [100, 0, 150, 0, 0, 50, 50])]);
    const answer = recentAnswer(queryOf({ by: 'version', window: '1s' }, memory.knownUntil()), ['version'], memory);
    expect(answer).toMatchObject({ from: '2027-01-15T08:00:01.000Z', seconds: 1, resolution: 'second' });
    expect(answer.rows).toMatchObject([
      { service: '', destination: { version: 'v1', cluster: '' }, perSecond: 100, share: 1, latency: { p50: 0.5 } },
    ]);
    expect(() => queryOf({ from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:00:00Z' }, START)).toThrow('shorter');
    expect(() => queryOf({ window: '48h' }, START)).toThrow('longer');
    expect(() => queryOf({ from: 'yesterday' }, START)).toThrow('no time');
  });
});
