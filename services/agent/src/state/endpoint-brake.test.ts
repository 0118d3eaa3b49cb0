import type { EndpointHealth, EndpointShard } from '@hawser/model/endpoint-shard.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BrakeInput, type BrakeSource, brake, CONFIRM_AFTER_MS, NO_MEMORY, type Shards } from './endpoint-brake.ts';

type Health = Readonly<Record<number, EndpointHealth>>;

/** One service with endpoints 10.0.0.N. */
function shard(service: string, numbers: readonly number[], health: Health = {}): EndpointShard {
  const endpoints = [...numbers]
    .map((n) => ({
      address: `10.0.0.${n}`,
      targetPorts: { '80': 9080 },
      labels: {},
      serviceAccount: 'default',
      health: health[n] ?? ('HEALTHY' as const),
    }))
    .sort((a, b) => (a.address < b.address ? -1 : 1));
  return { cluster: 'a', namespace: 'ns', service, exported: true, ports: [{ port: 80, protocol: 'http' }], endpoints };
}
const shards = (...all: EndpointShard[]): Shards => new Map(all.map((one) => [`ns/${one.service}`, one]));
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const addresses = (state: Shards): string[] =>
  [...state].flatMap(([key, one]) => one.endpoints.map((e) => `${key}|${e.address}|${e.health}`)).sort();
const input = (inForce: Shards, next: Shards, source: BrakeSource, more: Partial<BrakeInput> = {}): BrakeInput => ({
  inForce,
  next,
  source,
  now: 1_000_000,
  memory: NO_MEMORY,
  ...more,
});

describe('brake', () => {
  const ten = shards(shard('s', range(0, 10)));
  const cases: [string, Shards, Shards, BrakeSource, number][] = [
    ['nothing changed', ten, ten, 'relist', 0],
    ['a relist that loses 3 of 10', ten, shards(shard('s', range(3, 10))), 'relist', 0],
    ['a relist that loses 4 of 10', ten, shards(shard('s', range(4, 10))), 'relist', 4],
    ['a relist that finds nothing', ten, new Map(), 'relist', 10],
    ['some kinds read again, which loses 4 of 10', ten, shards(shard('s', range(4, 10))), 'partial', 4],
    ['a relist that only adds', ten, shards(shard('s', range(0, 30))), 'relist', 0],
    ['the owner removing the last endpoint', shards(shard('s', [1])), shards(shard('s', [])), 'live', 0],
    ['the owner removing 9 of 9 at once', shards(shard('s', range(0, 9))), new Map(), 'live', 0],
    ['a burst of 10 of 10', ten, shards(shard('s', [])), 'live', 10],
    ['10 of 40 at once', shards(shard('s', range(0, 40))), shards(shard('s', range(10, 40))), 'live', 0],
    [
      'all checks failing at once',
      ten,
      shards(shard('s', range(0, 10), Object.fromEntries(range(0, 10).map((n) => [n, 'UNHEALTHY'])))),
      'checks',
      10,
    ],
    ['a few checks failing', ten, shards(shard('s', range(0, 10), { 1: 'UNHEALTHY', 2: 'UNHEALTHY' })), 'checks', 0],
    [
      'draining, the owner’s word',
      ten,
      shards(shard('s', range(0, 10), Object.fromEntries(range(0, 10).map((n) => [n, 'DRAINING'])))),
      'live',
      0,
    ],
  ];
  it.each(cases)('%s', (_name, inForce, next, source, held) => {
    const verdict = brake(input(inForce, next, source));
    expect(verdict.memory.held.size).toBe(held);
    expect(addresses(verdict.apply)).toEqual(held === 0 ? addresses(next) : addresses(inForce));
  });

  it('holds the tenth loss of a second, not the nine before it', () => {
    let memory = NO_MEMORY;
    let inForce = ten;
    for (const n of range(1, 11)) {
      const verdict = brake(input(inForce, shards(shard('s', range(n, 10))), 'live', { now: 1_000_000 + n, memory }));
      ({ apply: inForce, memory } = verdict);
      expect(memory.held.size).toBe(n < 10 ? 0 : 1);
    }
    expect(addresses(inForce)).toEqual(['ns/s|10.0.0.9|HEALTHY']);
  });

  it('counts an endpoint that flaps once', () => {
    let memory = NO_MEMORY;
    let inForce = ten;
    for (const step of range(0, 40)) {
      const next = step % 2 === 0 ? shards(shard('s', range(0, 9))) : ten;
      ({ apply: inForce, memory } = brake(input(inForce, next, 'live', { now: 1_000_000 + step, memory })));
      expect(addresses(inForce)).toEqual(addresses(next));
    }
  });

  it('does not count endpoints that came and went within the second', () => {
    let memory = NO_MEMORY;
    let inForce = shards(shard('s', [0, 1]));
    for (const step of range(0, 60)) {
      const next = shards(shard('s', step % 2 === 0 ? [0, 1, 100 + step] : [0, 1]));
      ({ apply: inForce, memory } = brake(input(inForce, next, 'live', { now: 1_000_000 + step, memory })));
      expect(addresses(inForce)).toEqual(addresses(next));
    }
  });

  it('lets through what comes with a held loss, and forgets what came back', () => {
    const next = shards(shard('s', [0, 1, 2, 20]), shard('t', [30]));
    const first = brake(input(ten, next, 'relist'));
    expect(first.memory.held.size).toBe(7);
    expect(addresses(first.apply)).toEqual(addresses(shards(shard('s', [...range(0, 10), 20]), shard('t', [30]))));
    const back = brake(input(first.apply, shards(shard('s', [...range(0, 10), 20])), 'live', { memory: first.memory }));
    expect(back.memory.held.size).toBe(0);
  });

  it('believes a relist when it says so again, later', () => {
    const gone = shards(shard('s', [0]));
    const { memory, apply } = brake(input(ten, gone, 'relist'));
    const again = (source: BrakeSource, after: number) => brake(input(apply, gone, source, { memory, now: 1_000_000 + after }));
    expect(again('relist', CONFIRM_AFTER_MS - 1).memory.held.size).toBe(9);
    expect(again('live', CONFIRM_AFTER_MS).memory.held.size).toBe(9);
    expect(again('partial', CONFIRM_AFTER_MS).memory.held.size).toBe(9);
    expect(addresses(again('relist', CONFIRM_AFTER_MS).apply)).toEqual(addresses(gone));
  });

  it('takes the next removal at once after a confirmed one', () => {
    const gone = shards(shard('s', [0, 1]));
    const first = brake(input(ten, gone, 'relist'));
    const second = brake(input(first.apply, gone, 'relist', { memory: first.memory, now: 1_000_000 + CONFIRM_AFTER_MS }));
    const last = shards(shard('s', [0]));
    const third = brake(input(second.apply, last, 'live', { memory: second.memory, now: 1_000_001 + CONFIRM_AFTER_MS }));
    expect(addresses(third.apply)).toEqual(addresses(last));
  });

  it('believes checks that go on failing, and an operator at once', () => {
    const dead = shards(shard('s', range(0, 10), Object.fromEntries(range(0, 10).map((n) => [n, 'UNHEALTHY']))));
    const { memory, apply } = brake(input(ten, dead, 'checks'));
    expect(brake(input(apply, dead, 'checks', { memory, now: 1_000_000 + CONFIRM_AFTER_MS })).memory.held.size).toBe(0);
    expect(addresses(brake(input(apply, dead, 'checks', { memory, confirmed: true })).apply)).toEqual(addresses(dead));
  });

  const numbers = fc.uniqueArray(fc.integer({ min: 0, max: 40 }), { maxLength: 40 });
  const state = fc.tuple(numbers, numbers).map(([s, t]) => shards(shard('s', s), shard('t', t)));
  const source = fc.constantFrom<BrakeSource>('live', 'relist', 'checks');

  it('never loses more than the limit without a second word, and never adds what nobody said', () => {
    fc.assert(
      fc.property(state, state, source, (inForce, next, how) => {
        const verdict = brake(input(inForce, next, how));
        const before = addresses(inForce);
        const after = new Set(addresses(verdict.apply));
        const lost = before.filter((one) => !after.has(one)).length;
        const net = before.length - after.size;
        expect(how === 'relist' ? lost <= 0.3 * before.length : net < 10 || net <= 0.3 * before.length).toBe(true);
        const said = new Set([...before, ...addresses(next)]);
        for (const one of after) expect(said.has(one)).toBe(true);
        for (const one of addresses(next)) expect(after.has(one)).toBe(true);
      }),
    );
  });

  it('ends at what the source says, once it has said it twice', () => {
    fc.assert(
      fc.property(state, state, source, (inForce, next, how) => {
        const first = brake(input(inForce, next, how));
        const second = brake(input(first.apply, next, 'relist', { memory: first.memory, now: 1_000_000 + CONFIRM_AFTER_MS }));
        expect(addresses(second.apply)).toEqual(addresses(next));
      }),
    );
  });
});
