import type { DrillForm } from '@hawser/model/drill-form.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { beforeEach, describe, expect, it } from 'vitest';
import { drillWorldOf } from './drill-fixture.ts';
import { LeaseRenewal } from './lease-renewal.ts';

const INJECT: Partial<DrillForm> = { inject: { scope: { region: 'east' }, services: ['shop/cart'], fault: { refuse: true } } };
const LEASE_MS = 15_000;

function runOf(name: string, form: Partial<DrillForm> | undefined): Resource {
  const inForce = form === undefined ? undefined : { run: name, lease: '15s', ...form };
  return { apiVersion: 'hawser.dev/v1alpha1', kind: 'DrillRun', metadata: { name, uid: name }, spec: {}, inForce };
}

describe('leases of drills', () => {
  let now = 0;
  let told: string[] = [];
  let renewal: LeaseRenewal;

  beforeEach(() => {
    [now, told] = [0, []];
    const tell = async (cluster: string, run: string): Promise<void> => {
      told.push(`${now} ${cluster} ${run}`);
      throw new Error('it does not answer');
    };
    renewal = new LeaseRenewal({ context: drillWorldOf().context, tell, monotonic: () => now });
  });

  /** Looks four times a second until then, with what is under way. */
  const look = (untilMs: number, runs: readonly Resource[]): void => {
    for (; now < untilMs; now += 250) renewal.attend(runs);
  };

  it('are renewed three times in the time of a lease, in the clusters that are hit alone, whether they answer or not', () => {
    look(LEASE_MS, [runOf('lost', INJECT)]);
    expect(told).toEqual(['0 east lost', '3750 east lost', '7500 east lost', '11250 east lost']);
  });

  it('are each renewed by themselves', () => {
    look(LEASE_MS / 5, [runOf('lost', INJECT)]);
    look(LEASE_MS / 3, [runOf('lost', INJECT), runOf('other', { inject: { ...INJECT.inject, scope: { cluster: 'west' } } as never })]);
    expect(told).toEqual(['0 east lost', '3000 west other', '3750 east lost']);
  });

  it.each([
    ['before anything is in force', runOf('waits', undefined)],
    ['for what goes elsewhere, which has no lease', runOf('moves', { divert: { scope: { region: 'east' }, percent: 50 } })],
    ['for a cut, which nobody can call back', runOf('cut', { partition: { clusters: ['east'], from: 'hub' } })],
  ])('are not renewed %s', (_, run) => {
    look(LEASE_MS, [run]);
    expect(told).toEqual([]);
  });

  it('are not renewed by a hub that leads no longer; one that leads again says so at once', () => {
    look(1_000, [runOf('lost', INJECT)]);
    look(LEASE_MS, []);
    expect(told).toEqual(['0 east lost']);
    renewal.attend([runOf('lost', INJECT)]);
    expect(told).toEqual(['0 east lost', '15000 east lost']);
  });
});
