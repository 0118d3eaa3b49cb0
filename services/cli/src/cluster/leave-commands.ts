/** `hawser cluster remove` and `revoke`: how a cluster leaves, with or without time to drain. */
import type { Resource } from '@hawser/model/resource.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import type { FleetAnswer, WhoServesAnswer } from '@hawser/wire/hub-api.ts';
import { waitForRollouts } from '../apply/rollout-wait.ts';
import type { HubClient } from '../client/hub-client.ts';
import { resourcePath } from '../client/resource-path.ts';
import { connectHub, type GlobalFlags } from '../commands/connect-hub.ts';
import { durationFlag } from '../commands/duration-flag.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { note, print } from '../output/print.ts';
import { kindArgument } from '../resources/kind-argument.ts';

/** Flags of both. */
export interface LeaveFlags extends GlobalFlags {
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly reason?: string;
  readonly timeout: string;
}

/** Flags of `remove`. */
export interface RemoveFlags extends LeaveFlags {
  readonly force?: boolean;
}

/** What the hub's overview says, as far as it matters here. */
interface Overview extends FleetAnswer {
  readonly services: readonly (WhoServesAnswer & { readonly cells: readonly { readonly cluster: string; readonly healthy: number }[] })[];
}

/** What goes with a cluster. */
export interface Breakage {
  readonly endpoints: number;
  readonly proxies: number;
  /** Services that nobody else serves: their callers in other clusters get 503. */
  readonly alone: readonly string[];
  /** Services that others serve too. */
  readonly shared: readonly string[];
}

/** PURE: what goes with the cluster, by the hub's overview; undefined when it is no member. */
export function breakageOf(cluster: string, { clusters, services }: Pick<Overview, 'clusters' | 'services'>): Breakage | undefined {
  const found = clusters.find(({ name }) => name === cluster);
  if (found === undefined) return undefined;
  const served = services.filter(({ cells }) => cells.some((cell) => cell.cluster === cluster));
  const isAlone = ({ cells }: Overview['services'][number]): boolean => !cells.some((cell) => cell.cluster !== cluster && cell.healthy > 0);
  const names = (of: typeof served): string[] => of.map(({ service }) => service).sort();
  return {
    endpoints: found.endpoints.total,
    proxies: found.proxies.connected,
    alone: names(served.filter(isAlone)),
    shared: names(served.filter((service) => !isAlone(service))),
  };
}

/** PURE: the same for people. */
export function breakageLines(cluster: string, { endpoints, proxies, alone, shared }: Breakage): string[] {
  const named = (services: readonly string[]): string => `${services.slice(0, 20).join(', ')}${services.length > 20 ? ', …' : ''}`;
  return [
    `${cluster} leaves the federation with ${endpoints} exported endpoints; its ${proxies} proxies lose the other clusters.`,
    ...(shared.length === 0 ? [] : [`Served by others too (${shared.length}): ${named(shared)}`]),
    ...(alone.length === 0 ? [] : [`Served by NOBODY ELSE (${alone.length}): ${named(alone)}; callers elsewhere get 503`]),
    'Its credentials end, and no other cluster believes its workloads any more. It comes back by a new token alone: hawser cluster join.',
  ];
}

/** Takes a cluster out in peace: callers leave its endpoints alone first. */
export async function removeCommand(cluster: string, flags: RemoveFlags): Promise<ExitCode> {
  const timeoutMs = durationFlag('--timeout', flags.timeout);
  const hub = connectHub(flags);
  const breakage = await consent(hub, { cluster, flags, verb: 'remove' });
  if (typeof breakage === 'number') return breakage;
  if (breakage.alone.length > 0 && flags.force !== true) {
    note('refused: services above would have no endpoint left. Export them elsewhere first, or say --force');
    return EXIT.failed;
  }
  const path = clusterPath(cluster);
  const drained = (await hub.send({ method: 'PATCH', path, body: { spec: { draining: true } } })) as Resource;
  note(`${cluster} is draining: waiting until every proxy has left its endpoints alone`);
  if (!(await isEverywhere(hub, drained, timeoutMs))) {
    note(`not everybody has heard in time. It stays draining: repeat the command, or end it with spec.draining: false`);
    return EXIT.timedOut;
  }
  await leave(hub, cluster, flags.reason);
  print(`cluster/${cluster} removed`);
  return EXIT.done;
}

/** Cuts a cluster off at once. */
export async function revokeCommand(cluster: string, flags: LeaveFlags): Promise<ExitCode> {
  const timeoutMs = durationFlag('--timeout', flags.timeout);
  const hub = connectHub(flags);
  const breakage = await consent(hub, { cluster, flags, verb: 'revoke' });
  if (typeof breakage === 'number') return breakage;
  const left = await leave(hub, cluster, flags.reason ?? 'revoked');
  print(`cluster/${cluster} revoked`);
  if (await isEverywhere(hub, left, timeoutMs)) return EXIT.done;
  note('it is revoked, but not every proxy has said in time that it heard: see "hawser proxy-status"');
  return EXIT.timedOut;
}

interface Asked {
  readonly cluster: string;
  readonly flags: LeaveFlags;
  readonly verb: 'remove' | 'revoke';
}

/** Shows what it breaks; answers how to end where that is all. */
async function consent(hub: HubClient, { cluster, flags, verb }: Asked): Promise<Breakage | ExitCode> {
  const breakage = breakageOf(cluster, (await hub.send({ path: '/hawser/v1/overview' })) as Overview);
  if (breakage === undefined) throw new AppError('no-cluster', `${cluster} is no member of the federation: hawser cluster list`);
  for (const line of breakageLines(cluster, breakage)) note(line);
  if (flags.dryRun === true) return EXIT.done;
  if (flags.yes === true) return breakage;
  note(`nothing was done. If this is what you want: hawser cluster ${verb} ${cluster} --yes`);
  return EXIT.failed;
}

async function leave(hub: HubClient, cluster: string, reason: string | undefined): Promise<Resource> {
  const query = reason === undefined ? '' : `?reason=${encodeURIComponent(reason)}`;
  return (await hub.send({ method: 'DELETE', path: `${clusterPath(cluster)}${query}` })) as Resource;
}

function clusterPath(name: string): string {
  return resourcePath({ kind: kindArgument('clusters'), name });
}

async function isEverywhere(hub: HubClient, { metadata }: Resource, timeoutMs: number): Promise<boolean> {
  const revision = Number(metadata.resourceVersion);
  const answers = await waitForRollouts(hub, [revision], { timeoutMs, progress: () => undefined, lively: false });
  return answers.get(revision)?.complete === true;
}
