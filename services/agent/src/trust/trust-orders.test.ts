import type { TrustOrder } from '@hawser/wire/trust.ts';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { RotationOrder } from './rotation.ts';
import { TrustOrders } from './trust-orders.ts';

const order = (phase: TrustOrder['phase']): TrustOrder => ({ rotation: 'r1', kind: 'root', phase, emergency: false, issuedAt: '' });
const identities = { onActive: 0, onOld: 0, missing: [] };

describe('orders of the hub', () => {
  let orders: TrustOrders | undefined;
  afterEach(() => orders?.stop());
  const following = (apply: (order: RotationOrder) => Promise<void>): TrustOrders => {
    const log = { info: () => undefined, warn: () => undefined };
    const authority = { apply, account: () => ({ generations: [], identities }) };
    orders = new TrustOrders({ authority, log, onChange: () => undefined, retryMs: 5 });
    return orders;
  };

  it('are applied one after the other; one that was replaced before its turn is passed over', async () => {
    const applied: string[] = [];
    const first = Promise.withResolvers<void>();
    const followed = following(async ({ phase }) => {
      applied.push(phase);
      if (phase === 'prepare') await first.promise;
    });
    for (const phase of ['prepare', 'prepare', 'activate', 'taint'] as const) followed.take(order(phase));
    expect(followed.account().order).toBeUndefined();
    first.resolve();
    await vi.waitFor(() => expect(followed.account().order?.phase).toBe('taint'));
    expect(applied).toEqual(['prepare', 'taint']);
  });

  it('that are refused are accounted for with the reason, and tried again', async () => {
    const refusal = Promise.withResolvers<void>();
    let isRefused = true;
    const followed = following(async () => {
      if (!isRefused) return;
      refusal.resolve();
      throw new Error('not yet');
    });
    followed.take(order('retire'));
    await refusal.promise;
    await vi.waitFor(() =>
      expect(followed.account().order).toEqual({ rotation: 'r1', phase: 'retire', emergency: false, refusal: 'not yet' }),
    );
    isRefused = false;
    await vi.waitFor(() => expect(followed.account().order?.refusal).toBeUndefined());
  });

  it('that are withdrawn are not tried again', async () => {
    const tries = { withdrawn: 0, standing: 0 };
    const refusing = (which: keyof typeof tries): TrustOrders =>
      following(() => {
        tries[which] += 1;
        return Promise.reject(new Error('not yet'));
      });
    const withdrawn = refusing('withdrawn');
    withdrawn.take(order('prepare'));
    await vi.waitFor(() => expect(withdrawn.account().order?.refusal).toBe('not yet'));
    withdrawn.take(undefined);
    const before = tries.withdrawn;
    refusing('standing').take(order('prepare'));
    await vi.waitFor(() => expect(tries.standing).toBeGreaterThan(3));
    expect(tries.withdrawn).toBe(before);
  });
});
