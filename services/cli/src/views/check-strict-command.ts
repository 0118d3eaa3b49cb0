/** `hawser check strict`: who would be cut off if PeerAuthentication became STRICT; who is refused, once it is. */
import type { PlainCallerSeen, StrictReadinessAnswer } from '@hawser/wire/strict-readiness.ts';
import { connectHub } from '../commands/connect-hub.ts';
import { durationFlag } from '../commands/duration-flag.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { ageOf, shortSpan } from '../output/age.ts';
import { print, printJson } from '../output/print.ts';
import { type Column, tableLines } from '../output/table.ts';
import type { ViewFlags } from './status-command.ts';

/** Flags of `check strict`. */
export interface CheckStrictFlags extends ViewFlags {
  readonly namespace?: string;
  readonly window: string;
}

/** Exit code 1 unless everything is known and nobody would be cut off. */
export async function checkStrictCommand(flags: CheckStrictFlags): Promise<ExitCode> {
  durationFlag('--window', flags.window);
  const query = new URLSearchParams({ window: flags.window });
  if (flags.namespace !== undefined) query.set('namespace', flags.namespace);
  const answer = (await connectHub(flags).send({ path: `/hawser/v1/access/strict-readiness?${query}` })) as StrictReadinessAnswer;
  if (flags.output === 'json') printJson(answer);
  else for (const line of checkStrictLines(answer, Date.now())) print(line);
  return answer.ready ? EXIT.done : EXIT.failed;
}

type Workload = StrictReadinessAnswer['workloads'][number];
type Port = Workload['ports'][number];

interface Row {
  readonly workload: Workload;
  readonly port: Port | undefined;
  readonly caller: PlainCallerSeen | undefined;
}

/** PURE: the answer as text: a line for each port, or for each of its callers; then what STRICT means beside that. */
export function checkStrictLines(answer: StrictReadinessAnswer, now: number): string[] {
  const rows = answer.workloads.flatMap(rowsOf);
  const table = rows.length === 0 ? ['no workload has a sidecar here'] : tableLines(columns(now), rows);
  return [...table, '', ...clusterLines(answer), ...notes(answer)];
}

function rowsOf(workload: Workload): Row[] {
  if (workload.ports.length === 0) return [{ workload, port: undefined, caller: undefined }];
  return workload.ports.flatMap((port): Row[] => {
    if (port.callers.length === 0) return [{ workload, port, caller: undefined }];
    return port.callers.map((caller) => ({ workload, port, caller }));
  });
}

function columns(now: number): Column<Row>[] {
  return [
    { title: 'CLUSTER', cell: ({ workload }) => workload.cluster },
    { title: 'WORKLOAD', cell: ({ workload }) => `${workload.namespace}/${workload.name}` },
    { title: 'PORT', cell: ({ port }) => (port === undefined ? '' : String(port.port ?? 'some')) },
    { title: 'SERVICE', cell: ({ port }) => (port?.services ?? []).join(',') },
    { title: 'MODE', cell: ({ port }) => port?.mode ?? '' },
    { title: 'STATE', cell: stateOf },
    { title: 'CALLER', cell: ({ caller }) => (caller === undefined ? '' : callerOf(caller)) },
    {
      title: 'COUNT',
      cell: ({ caller }) => (caller === undefined ? '' : `${caller.count}${caller.open > 0 ? ` (${caller.open} open)` : ''}`),
    },
    { title: 'LAST SEEN', cell: ({ caller }) => (caller === undefined ? '' : `${ageOf(caller.lastSeen, now)} ago`) },
  ];
}

function stateOf({ workload, port, caller }: Row): string {
  const state = port?.state ?? workload.state;
  if (state === 'plain') return caller?.way === 'refused' ? 'refused' : 'plain';
  if (state === 'unknown') return `unknown: ${workload.reason ?? ''}`;
  return workload.captured ? 'ready' : 'not captured';
}

function callerOf({ address, workload, cluster }: PlainCallerSeen): string {
  if (address === undefined) return 'others';
  return workload === undefined ? address : `${workload} in ${cluster ?? '?'} (${address})`;
}

function clusterLines({ clusters, ready, windowMs }: StrictReadinessAnswer): string[] {
  const window = shortSpan(windowMs);
  const unknown = clusters
    .filter(({ reason }) => reason !== undefined)
    .map(({ cluster, reason }) => `unknown  cluster ${cluster}: ${reason}`);
  if (ready) return [`ready: nobody called in plain for ${window}`];
  const isCalled = clusters.some(({ state }) => state === 'plain');
  return [
    ...unknown,
    isCalled ? `not ready: the callers above did not come by the mesh's TLS in the last ${window}` : 'not ready: not everything is known',
  ];
}

function notes({ workloads, bare }: StrictReadinessAnswer): string[] {
  const uncaptured = workloads.filter(({ captured }) => !captured);
  const isNameless = workloads.some(({ ports }) => ports.some(({ callers }) => callers.some((one) => one.workload === undefined)));
  const omitted = workloads.flatMap(({ ports }) => ports).reduce((sum, port) => sum + port.omitted, 0);
  return [
    ...(omitted > 0 ? [`note: ${omitted} callers are not listed: ask by namespace`] : []),
    ...(isNameless
      ? [
          'note: callers by address alone are not of the registry: clients outside of the mesh, or what probes workloads (a kubelet); STRICT',
          '      refuses both. Open the port of a probe by portLevelMtls, or leave it out of the capture.',
        ]
      : []),
    ...(uncaptured.length > 0
      ? [`note: STRICT keeps nobody from ${listed(uncaptured.map(({ namespace, name }) => `${namespace}/${name}`))}: not captured`]
      : []),
    ...(bare.length > 0
      ? [`note: nor from what has no sidecar: ${listed(bare.map(({ services, address }) => `${services.join(',')} at ${address}`))}`]
      : []),
  ];
}

const MOST_LISTED = 10;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, MOST_LISTED).join('; ');
  return names.length > MOST_LISTED ? `${shown}; and ${names.length - MOST_LISTED} more` : shown;
}
