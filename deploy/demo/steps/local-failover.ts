/** Every local instance of a service is killed under traffic: application and sidecar, then the application alone behind a live sidecar. */
import { startLoad } from '../load-run.ts';
import type { Supervised } from '../processes.ts';
import { AFTER_MS, BEFORE_MS, POST_EVERY, RATE, type Step, type StepContext } from './step.ts';
import { endLoad, goOn, killAll, noteFailed, noteKill, servedBy } from './under-load.ts';

const REGION = 'us-east';

/** Kills what `victims` names and counts until 40 s and more after; then everything is started again. */
async function killLocal(
  context: StepContext,
  { step, key, service, victims }: { step: string; key: string; service: string; victims: readonly Supervised[] },
): Promise<void> {
  const { fleet, say } = context.demo;
  const run = startLoad(fleet, { name: step, from: REGION, service, path: `/${service}/0`, rate: RATE, postEvery: POST_EVERY });
  await goOn(context, BEFORE_MS, `${RATE} requests/s to ${service} in ${REGION}`);
  const pids = victims.map(({ record }) => record.pid);
  const at = await killAll(context, victims.map(({ spec }) => spec.name).join(', '), victims);
  await goOn(context, AFTER_MS, 'traffic goes on without it');
  const entries = await endLoad(context, run);
  noteFailed(context, key, entries, { from: at - 5_000, to: Number.POSITIVE_INFINITY });
  await fleet.restart(victims);
  await servedBy(context, REGION, service, REGION);
  say.done(`${service} is served in ${REGION} again`);
  noteKill(context, entries, { step, at, victims, pids, isVictim: ({ cluster }) => cluster === REGION });
}

/** Application and sidecar. */
export const localFailover: Step = {
  name: 'local-failover',
  title: `A service killed in its region: every instance of reviews in ${REGION}, application and sidecar`,
  keys: ['local_failover_failed'],
  run: async (context) => {
    const { apps, proxies } = context.demo.fleet.instances(REGION, 'reviews');
    await killLocal(context, { step: 'local-failover', key: 'local_failover_failed', service: 'reviews', victims: [...apps, ...proxies] });
  },
};

/** The application alone: its sidecar lives and refuses. */
export const appOnlyFailover: Step = {
  name: 'app-only-failover',
  title: `The applications of reviews in ${REGION} alone, behind live sidecars`,
  keys: ['app_only_failover_failed'],
  run: async (context) => {
    const { apps } = context.demo.fleet.instances(REGION, 'reviews');
    await killLocal(context, { step: 'app-only-failover', key: 'app_only_failover_failed', service: 'reviews', victims: apps });
  },
};
