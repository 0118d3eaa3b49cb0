/** The region that serves ratings to us-east is killed whole (agent, gateway, sidecars, workloads), and brought back. */
import { startLoad } from '../load-run.ts';
import { AFTER_MS, BEFORE_MS, POST_EVERY, RATE, type Step } from './step.ts';
import { endLoad, goOn, killAll, noteFailed, noteKill, servedBy } from './under-load.ts';

const CLIENT = 'us-east';
const VICTIM = 'us-west';

/** The step. */
export const regionFailover: Step = {
  name: 'region-failover',
  title: `A whole region killed and brought back: ${VICTIM}, which serves ratings to ${CLIENT}`,
  keys: ['region_failover_failed', 'region_restore_failed'],
  run: async (context) => {
    const { fleet, say } = context.demo;
    await servedBy(context, CLIENT, 'ratings', VICTIM);
    const run = startLoad(fleet, {
      name: 'region-failover',
      from: CLIENT,
      service: 'ratings',
      path: '/ratings/0',
      rate: RATE,
      postEvery: POST_EVERY,
    });
    await goOn(context, BEFORE_MS, `${RATE} requests/s from ${CLIENT} to ratings`);
    const victims = fleet.region(VICTIM);
    const pids = victims.map(({ record }) => record.pid);
    const at = await killAll(context, `all ${victims.length} processes of ${VICTIM}`, victims);
    await goOn(context, AFTER_MS, 'traffic goes on without it');
    const restoredAt = Date.now();
    await fleet.restart(victims);
    say.done(`${VICTIM} is started again, ${victims.length} processes`);
    await servedBy(context, CLIENT, 'ratings', VICTIM);
    say.done(`ratings are served by ${VICTIM} again, ${((Date.now() - restoredAt) / 1_000).toFixed(1)} s after its start`);
    await goOn(context, Math.max(5_000, AFTER_MS - (Date.now() - restoredAt)), 'traffic is back');
    const entries = await endLoad(context, run);
    noteFailed(context, 'region_failover_failed', entries, { from: at - 5_000, to: restoredAt });
    noteFailed(context, 'region_restore_failed', entries, { from: restoredAt, to: Number.POSITIVE_INFINITY });
    noteKill(context, entries, { step: 'region-failover', at, victims, pids, isVictim: ({ cluster }) => cluster === VICTIM });
  },
};
