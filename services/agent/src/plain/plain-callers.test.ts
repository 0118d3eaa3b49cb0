import { expect, it } from 'vitest';
import { type PlainCaller, PlainCallers } from './plain-callers.ts';
import { readPlain } from './plain-counts.ts';

const NOW = Date.parse('2026-01-01T00:00:30Z');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

interface Reading {
  readonly at?: Readonly<Record<string, number>>;
  readonly by?: Readonly<Record<string, number>>;
  readonly all?: number;
  readonly open?: Readonly<Record<string, number>>;
}

/** As an Envoy names them; all of them were refused, but for the open ones. */
function counted({ at = {}, by = {}, all = 0, open = {} }: Reading) {
  return readPlain([
    { name: 'hawser.requests.of.a', value: 7 },
    ...Object.entries(at).map(([of, value]) => ({ name: `hawser.plain_at.refused.of.${of}`, value })),
    ...Object.entries(by).map(([of, value]) => ({ name: `hawser.plain_by.refused.of.${of}`, value })),
    ...Object.entries(open).map(([of, value]) => ({ name: `hawser.plain_open.passed.of.${of}`, value })),
    { name: 'hawser.plain_all.refused', value: all },
  ]);
}

function take(callers: PlainCallers, reading: Reading, { uptime = 10, now = NOW, fromBeginning = true, proxy = 'p' } = {}): void {
  callers.take(proxy, { counts: counted(reading), uptime, now, fromBeginning });
}

function seen(callers: PlainCallers, { now = NOW, windowMs = HOUR, proxy = 'p' } = {}): string[] {
  const text = ({ way, port, address, count, open }: PlainCaller) =>
    `${way} ${port ?? '?'} ${address ?? 'others'} ${count}${open > 0 ? ` ${open} open` : ''}`;
  return (callers.account(proxy, { now, windowMs })?.callers ?? []).map(text);
}

it('tells callers and ports apart, and knows how long it has watched', () => {
  const callers = new PlainCallers();
  expect(callers.account('p', { now: NOW, windowMs: HOUR })).toBeUndefined();
  take(callers, { at: { '80|10.0.0.1': 3, '90|10.0.0.1': 1, '80|fd00::1': 2 }, by: { '10.0.0.1': 4, 'fd00::1': 2 }, all: 6 });
  expect(seen(callers)).toEqual(['refused 80 10.0.0.1 3', 'refused 80 fd00::1 2', 'refused 90 10.0.0.1 1']);
  expect(callers.account('p', { now: NOW, windowMs: HOUR })).toMatchObject({ since: NOW - 10_000, readAt: NOW });
});

it('forgets after an hour, and answers for a part of it', () => {
  const callers = new PlainCallers();
  take(callers, { at: { '80|a': 3 } });
  take(callers, { at: { '80|a': 5 } }, { uptime: 1_810, now: NOW + 30 * MINUTE });
  expect(seen(callers, { now: NOW + 30 * MINUTE })).toEqual(['refused 80 a 5']);
  expect(seen(callers, { now: NOW + 30 * MINUTE, windowMs: 10 * MINUTE })).toEqual(['refused 80 a 2']);
  expect(seen(callers, { now: NOW + 41 * MINUTE, windowMs: 10 * MINUTE })).toEqual([]);
  take(callers, { at: { '80|a': 5 } }, { uptime: 5_530, now: NOW + 92 * MINUTE });
  expect(seen(callers, { now: NOW + 92 * MINUTE })).toEqual([]);
  expect(callers.size).toBe(0);
});

it('shows a connection for as long as it lasts', () => {
  const callers = new PlainCallers();
  take(callers, { open: { '80|a': 2 } });
  take(callers, { open: { '80|a': 1 } }, { uptime: 9_000, now: NOW + 2 * HOUR });
  expect(seen(callers, { now: NOW + 2 * HOUR, windowMs: MINUTE })).toEqual(['passed 80 a 1 1 open']);
});

it('counts a process that began anew from nothing, and one that was there before from where it is', () => {
  const callers = new PlainCallers();
  take(callers, { at: { '80|a': 100 } }, { uptime: 5_000, fromBeginning: false });
  expect(seen(callers)).toEqual([]);
  expect(callers.account('p', { now: NOW, windowMs: HOUR })?.since).toBe(NOW);
  take(callers, { at: { '80|a': 101 } }, { uptime: 5_001, now: NOW + 1_000 });
  expect(seen(callers)).toEqual(['refused 80 a 1']);
  take(callers, { at: { '80|a': 4 } }, { uptime: 1, now: NOW + 3_000 });
  expect(seen(callers)).toEqual(['refused 80 a 5']);
  expect(callers.account('p', { now: NOW, windowMs: HOUR })?.since).toBe(NOW);
  // What that process counted in ten minutes without a reader is not known.
  take(callers, {}, { uptime: 1, now: NOW + 10 * MINUTE });
  expect(callers.account('p', { now: NOW, windowMs: HOUR })?.since).toBe(NOW + 10 * MINUTE - 1_000);
});

it('says what an Envoy had no room for, and nothing that it was still counting', () => {
  const callers = new PlainCallers();
  take(callers, { at: { '80|a': 5 }, by: { a: 5 }, all: 5 });
  // It has counted the finest, and not yet the others.
  take(callers, { at: { '80|a': 6 }, by: { a: 5 }, all: 5 }, { uptime: 11 });
  take(callers, { at: { '80|a': 6 }, by: { a: 7 }, all: 8 }, { uptime: 12 });
  expect(seen(callers)).toEqual(['refused 80 a 6']);
  // One request at a port without a series, and one of a caller without.
  take(callers, { at: { '80|a': 6 }, by: { a: 7 }, all: 8 }, { uptime: 13 });
  expect(seen(callers)).toEqual(['refused 80 a 6', 'refused ? a 1', 'refused ? others 1']);
});

it('keeps a bounded number of callers, and counts the others together', () => {
  const callers = new PlainCallers({ proxy: 10, all: 15 });
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`80|10.0.${index >> 8}.${index & 255}`, 1]));
  take(callers, { at: many });
  expect(seen(callers)).toHaveLength(11);
  expect(seen(callers)[0]).toBe('refused ? others 490');
  take(callers, { at: many }, { proxy: 'q' });
  expect(callers.size).toBeLessThanOrEqual(15 + 2);
  expect(seen(callers, { proxy: 'q' })[0]).toMatch(/^refused \? others 49\d$/);
  callers.forgetGone(NOW + 2 * HOUR);
  expect(callers.size).toBe(0);
});
