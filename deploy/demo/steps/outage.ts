/** Hub, PostgreSQL and NATS are killed together under traffic; agents are restarted meanwhile; all come back, and a policy applied then works. */
import { sleep } from '@hawser/runtime/backoff.ts';
import { mustRun } from '../cli.ts';
import { startLoad } from '../load-run.ts';
import { runsArgv, signalGroup } from '../processes.ts';
import { hostOf, NAMESPACE, sidecarOf } from '../topology.ts';
import { get, waitFor } from '../wait.ts';
import { POST_EVERY, RATE, type Step, type StepContext } from './step.ts';
import { endLoad, goOn, killAll, noteFailed, noteKill } from './under-load.ts';

const DOWN_MS = 30_000;
const BEFORE_MS = 5_000;

/** The step. */
export const outage: Step = {
  name: 'outage',
  title: 'Hub, PostgreSQL and NATS killed together for 30 s, agents restarted meanwhile',
  keys: ['outage_failed'],
  run: async (context) => {
    const { fleet, say } = context.demo;
    const run = startLoad(fleet, {
      name: 'outage',
      from: 'us-east',
      service: 'ratings',
      path: '/ratings/0',
      rate: RATE,
      postEvery: POST_EVERY,
    });
    await goOn(context, BEFORE_MS, `${RATE} requests/s from us-east to ratings`);
    const hub = fleet.named('hub');
    const pids = hub.map(({ record }) => record.pid);
    const at = await killControl(context);
    await goOn(context, DOWN_MS / 3, 'no hub, no database, no bus');
    const agents = fleet.named(...fleet.clusters.map(({ name }) => `${name}-agent`));
    await killAll(context, 'all three agents', agents);
    await fleet.restart(agents);
    say.done('agents are back, from the last good state on their disks');
    await goOn(context, Math.max(0, DOWN_MS - (Date.now() - at)), 'no hub, no database, no bus');
    await fleet.startHub();
    say.done(`hub, PostgreSQL and NATS are back after ${((Date.now() - at) / 1_000).toFixed(1)} s`);
    await policyWorks(context);
    const entries = await endLoad(context, run);
    noteFailed(context, 'outage_failed', entries, { from: at, to: Number.POSITIVE_INFINITY });
    noteKill(context, entries, { step: 'outage', at, victims: hub, pids, isVictim: undefined });
  },
};

/** Kills the hub, and its servers with it; external ones are not the demo's to kill. */
async function killControl(context: StepContext): Promise<number> {
  const { fleet, say } = context.demo;
  const servers = (['postgres', 'nats'] as const).flatMap((name) => {
    const record = fleet.serverOf(name);
    return record !== null && runsArgv(record.pid, record.argv) ? [{ name, ...record }] : [];
  });
  for (const { pid } of servers) signalGroup(pid, 'SIGKILL');
  const at = await killAll(context, 'hub', fleet.named('hub'));
  while (servers.some(({ pid, argv }) => runsArgv(pid, argv))) await sleep(20);
  say.done(`SIGKILL: ${servers.map(({ name, pid }) => `${name} (pid ${pid})`).join(', ') || 'no server of ours'}`);
  return at;
}

/** A policy applied after the outage is acknowledged by every proxy, and obeyed. */
async function policyWorks(context: StepContext): Promise<void> {
  const { cli, fleet, say } = context.demo;
  const name = 'reviews-after-outage';
  const route = [{ destination: { host: hostOf('reviews'), subset: 'v3' } }];
  const resource = {
    apiVersion: 'networking.istio.io/v1',
    kind: 'VirtualService',
    metadata: { namespace: NAMESPACE, name },
    spec: { hosts: [hostOf('reviews')], http: [{ route }] },
  };
  await waitFor(
    'agents are not connected again',
    async () => ((await connectedAgents(context)) === fleet.clusters.length ? true : undefined),
    { timeoutMs: 60_000, everyMs: 500 },
  );
  const started = performance.now();
  await mustRun(cli, ['apply', '-f', '-', '--wait'], JSON.stringify(resource));
  say.done(`a policy applied now is acknowledged by every proxy, ${((performance.now() - started) / 1_000).toFixed(1)} s`);
  const sidecar = sidecarOf(fleet.workload('us-east', 'client-v1'));
  for (let number = 0; number < 30; number += 1) {
    const { headers } = await get(`http://${sidecar}/ping`, { host: hostOf('reviews') });
    if (headers['x-hawser-version'] !== 'v3')
      throw new Error(`the policy sends reviews to v3 alone, yet ${headers['x-hawser-version']} answered`);
  }
  say.done('and obeyed: 30 of 30 requests to reviews were answered by v3');
  await mustRun(cli, ['delete', 'virtualservice', name, '-n', NAMESPACE]);
}

async function connectedAgents(context: StepContext): Promise<number> {
  const status = JSON.parse(await mustRun(context.demo.cli, ['status', '-o', 'json'])) as { clusters: { state: string; ready: boolean }[] };
  return status.clusters.filter(({ state, ready }) => state === 'KNOWN' && ready).length;
}
