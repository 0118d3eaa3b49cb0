/** What a drill breaks is lifted when the hub is silent, an agent that is cut off comes back, and neither begins again. */
import type { DrillForm } from '@hawser/model/drill-form.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { afterEach, expect, test, vi } from 'vitest';
import { DrillLeases } from './drill-leases.ts';

const INJECT: Partial<DrillForm> = { inject: { scope: { region: 'east' }, services: ['a/b'], fault: { refuse: true } } };
const cut = (from: 'hub' | 'bus', clusters = ['east']): Partial<DrillForm> => ({ partition: { clusters, from } });

function policies(form: Partial<DrillForm>, uid = 'uid-1'): ReadonlyMap<string, Resource> {
  const spec = { run: 'run-1', lease: '300ms', ...form };
  const resource = { apiVersion: 'hawser.dev/v1alpha1', kind: 'DrillRun', metadata: { name: 'run-1', uid }, spec };
  return new Map([['DrillRun//run-1', resource]]);
}

let leases: DrillLeases;
const onLapse = vi.fn<() => void>();
const onPartition = vi.fn<(from: string | undefined) => void>();

function start(saved: readonly string[] = []): DrillLeases {
  onLapse.mockReset();
  onPartition.mockReset();
  leases = new DrillLeases({ cluster: 'east', saved, onLapse, onChange: () => undefined, onPartition });
  return leases;
}

afterEach(() => leases.stop());

const obeys = (given: ReadonlyMap<string, Resource>): boolean =>
  [...leases.obeyed(given).values()].some(({ spec }) => (spec as DrillForm).inject !== undefined);
const state = (): string | undefined => leases.account()[0]?.state;

test('without a sign of the hub a fault is lifted, and no later sign brings it back', async () => {
  start();
  const given = policies(INJECT);
  expect(obeys(given)).toBe(true);
  expect(leases.obeyed(given)).toBe(given);
  await expect.poll(state, { timeout: 20_000 }).toBe('lifted');
  expect(onLapse).toHaveBeenCalledOnce();
  expect(obeys(given)).toBe(false);
  // The same objects while the policies are the same: nothing is compiled anew for it.
  expect([...leases.obeyed(given).values()][0]).toBe([...leases.obeyed(given).values()][0]);
  expect(leases.renew('run-1')).toBe(false);
  expect(obeys(policies(INJECT))).toBe(false);
  expect(leases.saved()).toEqual(['uid-1']);
});

test('a diversion stays when the fault is lifted', async () => {
  start();
  const given = policies({ ...INJECT, divert: { scope: { region: 'east' }, percent: 50 } });
  leases.obeyed(given);
  await expect.poll(state, { timeout: 20_000 }).toBe('lifted');
  expect([...leases.obeyed(given).values()][0]?.spec).toMatchObject({ divert: { percent: 50 } });
});

test('signs keep it for longer than its lease', async () => {
  start();
  const given = policies({ ...INJECT, lease: '4s' });
  const begun = performance.now();
  expect(obeys(given)).toBe(true);
  const signs = setInterval(() => leases.renew('run-1'), 50);
  await expect.poll(() => performance.now() - begun > 5_000, { timeout: 20_000 }).toBe(true);
  clearInterval(signs);
  expect(state()).toBe('obeyed');
  expect(leases.renew('another')).toBe(false);
});

test('what was over before a restart stays over; another run, or the end of it, is another matter', () => {
  start(['uid-1']);
  expect(obeys(policies(INJECT))).toBe(false);
  expect(state()).toBe('lifted');
  expect(obeys(policies(INJECT, 'uid-2'))).toBe(true);
  expect(leases.saved()).toEqual([]);
  expect(leases.obeyed(new Map()).size).toBe(0);
  expect(leases.account()).toEqual([]);
});

test.each(['hub', 'bus'] as const)('an agent that is cut off from the %s comes back when the lease ends, once', async (from) => {
  start();
  const given = policies(cut(from));
  leases.obeyed(given);
  await expect.poll(() => leases.cutFrom, { timeout: 20_000 }).toBe(from);
  expect(leases.renew('run-1')).toBe(false);
  await expect.poll(state, { timeout: 20_000 }).toBe('rejoined');
  leases.obeyed(policies(cut(from)));
  expect(onPartition.mock.calls).toEqual([[from], [undefined]]);
  expect(leases.cutFrom).toBeUndefined();
});

test('other clusters are not cut off, and a run that is aborted ends it at once', async () => {
  start();
  leases.obeyed(policies(cut('bus', ['west'])));
  expect(leases.account()).toEqual([]);
  const long = policies({ ...cut('bus'), lease: '5m' });
  leases.obeyed(long);
  await expect.poll(() => leases.cutFrom, { timeout: 20_000 }).toBe('bus');
  leases.obeyed(new Map());
  expect(leases.cutFrom).toBeUndefined();
});
