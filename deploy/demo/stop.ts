/** Takes the federation down: nothing that was started here, or by what was started here, is left. */
import { sleep } from '@hawser/runtime/backoff.ts';
import type { Fleet } from './fleet.ts';
import type { Narrator } from './narrator.ts';
import { isLiving, type ProcessRecord, pidsRunning, runsArgv, signalGroup } from './processes.ts';

/** The hub ends PostgreSQL with a checkpoint; an API server's companion removes its data. */
const GRACE_MS = 12_000;

/** Ends traffic and proxies at once, agents and hub with time to write, and then whatever is still there. */
export async function stopFleet(fleet: Fleet, say: Narrator): Promise<void> {
  say.part('Stopping');
  const { processes } = fleet;
  processes.close();
  const patient = processes.all.filter(({ spec: { name } }) => name === 'hub' || name.endsWith('-agent') || name.startsWith('kubernetes-'));
  await processes.kill(...processes.all.filter((one) => !patient.includes(one)));
  await processes.stop(patient, GRACE_MS);
  for (const pid of pidsRunning(processes.all.map(({ record }) => record.argv))) signalGroup(pid, 'SIGKILL'); // restarted by an outsider
  const left = killServers(fleet);
  for (let waited = 0; waited < 2_000 && left.some(({ pid, argv }) => runsArgv(pid, argv)); waited += 50) await sleep(50);
  const count = processes.all.filter((one) => !isLiving(one)).length;
  say.done(`all ${count} processes have ended`);
}

/** PostgreSQL and NATS that the hub started and did not end: SIGKILL. Returns those that there were. */
function killServers(fleet: Fleet): ProcessRecord[] {
  const servers = (['postgres', 'nats'] as const).map((name) => fleet.serverOf(name)).filter((record) => record !== null);
  const left = servers.filter(({ pid, argv }) => runsArgv(pid, argv));
  for (const { pid } of left) signalGroup(pid, 'SIGKILL');
  return left;
}

/** The same at once and without waiting, for a process that is ending already. */
export function sweepFleet(fleet: Fleet): void {
  fleet.processes.sweep();
  killServers(fleet);
}
