/** `hawser status`: the federation at a glance. */
import type { FleetAnswer } from '@hawser/wire/hub-api.ts';
import { connectHub, type GlobalFlags } from '../commands/connect-hub.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { ageOf } from '../output/age.ts';
import { print, printJson } from '../output/print.ts';
import { type Column, tableLines } from '../output/table.ts';

/** Flags of the views. */
export interface ViewFlags extends GlobalFlags {
  readonly output: 'table' | 'json';
}

type ClusterView = FleetAnswer['clusters'][number];

/** Runs the command. */
export async function statusCommand(flags: ViewFlags): Promise<ExitCode> {
  const answer = (await connectHub(flags).send({ path: '/hawser/v1/status' })) as FleetAnswer;
  if (flags.output === 'json') printJson(answer);
  else for (const line of statusLines(answer, Date.now())) print(line);
  return EXIT.done;
}

/** PURE: the status as text. */
export function statusLines({ hub, clusters }: FleetAnswer, now: number): string[] {
  const lag = hub.revision - hub.published;
  const head = [
    `hub ${hub.version}, up ${ageOf(hub.startedAt, now)}: revision ${hub.revision}${lag > 0 ? `, ${lag} not distributed yet` : ', distributed'}`,
    `database ${hub.database ? 'ok' : 'DOWN: policy cannot be changed, traffic goes on'}, bus ${hub.bus ? 'ok' : 'DOWN: changes wait in the database, traffic goes on'}`,
  ];
  if (clusters.length === 0) return [...head, 'no cluster has joined yet: hawser cluster join NAME --region REGION'];
  return [...head, '', ...tableLines(clusterColumns(now), clusters), ...warningLines(clusters, now)];
}

/** Columns of a cluster in the fleet. */
export function clusterColumns(now: number): Column<ClusterView>[] {
  return [
    { title: 'CLUSTER', cell: ({ name }) => name },
    { title: 'REGION', cell: ({ region }) => region },
    { title: 'AGENT', cell: agentState },
    { title: 'HEARD', cell: ({ lastHeardAt }) => ageOf(lastHeardAt, now) },
    { title: 'REVISION', cell: ({ revision }) => String(revision) },
    {
      title: 'PROXIES',
      cell: ({ proxies }) => `${proxies.synced}/${proxies.connected} synced${proxies.nacked > 0 ? `, ${proxies.nacked} refused` : ''}`,
    },
    { title: 'SERVICES', cell: ({ services }) => String(services) },
    { title: 'ENDPOINTS', cell: ({ endpoints }) => `${endpoints.healthy}/${endpoints.total} healthy` },
  ];
}

function agentState({ state, ready, agents = [] }: ClusterView): string {
  if (state === 'UNKNOWN') return 'never heard';
  if (state === 'STALE') return 'silent';
  if (agents.length > 1) return `${agents.filter((agent) => agent.ready).length}/${agents.length} ready`;
  return ready ? 'ready' : 'starting';
}

function warningLines(clusters: readonly ClusterView[], now: number): string[] {
  const lines = clusters.flatMap(({ name, warnings }) =>
    warnings.map(({ at, place, message }) => `  ${name}: ${place === '' ? '' : `${place}: `}${message} (${ageOf(at, now)} ago)`),
  );
  return lines.length === 0 ? [] : ['', 'Warnings:', ...lines];
}
