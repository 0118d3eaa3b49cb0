/** SIGTERM of a proxy under 200 requests/s loses none: one of two local instances, then one across the tunnel. */
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { failed } from '../../deploy/demo/load-log.ts';
import { startLoad } from '../../deploy/demo/load-run.ts';
import { type Federation, inFederation } from '../bench/federation.ts';

const RATE = 200;

/** Requests that failed while the sidecar of `victim` was asked to leave, and requests in all. */
async function underLoad({ fleet }: Federation, victim: string): Promise<{ total: number; failed: number }> {
  const run = startLoad(fleet, { name: victim, from: 'us-east', service: 'details', path: '/ping', rate: RATE, postEvery: 20 });
  await wait(4_000);
  const proxies = fleet.named(victim);
  expect(proxies).toHaveLength(1);
  await fleet.processes.stop(proxies, 30_000);
  await wait(3_000);
  const entries = await run.stop();
  return { total: entries.length, failed: entries.filter(failed).length };
}

describe('SIGTERM of a proxy', () => {
  it('loses no request, near or far', { timeout: 240_000 }, async () => {
    const plan = { 'us-east': ['client-v1', 'details-v1'], 'us-west': ['details-v1', 'details-v2'] };
    await inFederation({ plan }, async (federation) => {
      const near = await underLoad(federation, 'us-east-details-v1-proxy');
      const far = await underLoad(federation, 'us-west-details-v1-proxy');
      expect(near.total).toBeGreaterThan(RATE * 5);
      expect(far.total).toBeGreaterThan(RATE * 5);
      expect({ near: near.failed, far: far.failed }).toEqual({ near: 0, far: 0 });
    });
  });
});
