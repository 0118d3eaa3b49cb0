/** `hawser cluster join NAME --kubeconfig F`: the agent in a Kubernetes cluster, from the join token to its first word to the hub. */

import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import type { FleetAnswer } from '@hawser/wire/hub-api.ts';
import { stringify } from 'yaml';
import type { HubClient } from '../client/hub-client.ts';
import { isHubAway } from '../client/hub-refusal.ts';
import { connectHub, type GlobalFlags } from '../commands/connect-hub.ts';
import { durationFlag } from '../commands/duration-flag.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { ClusterApi } from '../kubernetes/cluster-api.ts';
import { describeObject, installedObjects, marked, requireOwn, staleObjects } from '../kubernetes/installed-objects.ts';
import { renderedChart } from '../kubernetes/rendered-chart.ts';
import { note, print } from '../output/print.ts';
import { AGENT_RELEASE, agentValues, inOrder, joinSecret, namespaceObject } from './agent-release.ts';
import { isAnothers, type Made, madeNoMore, madeObjects, NONE_MADE, takeAway } from './made-objects.ts';

/** Flags beside those of the join itself. */
export interface InstallFlags extends GlobalFlags {
  readonly kubeconfig: string;
  readonly context?: string;
  readonly namespace: string;
  readonly chart?: string;
  readonly values?: readonly string[];
  readonly gatewayMode?: boolean;
  readonly newToken?: boolean;
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly timeout: string;
}

/** The chart of this release of the command line. */
const OWN_CHART = join(import.meta.dirname, '../../../../deploy/charts/hawser-agent');
const LOOK_MS = 500;

/**
 * Installs the agent, or brings what is there up to date. The API server judges every object before the hub is asked for a token; a
 * cluster whose agent the hub has heard of keeps its keys and is given none.
 */
export async function installAgent(cluster: string, flags: InstallFlags, makeToken: () => Promise<string>): Promise<ExitCode> {
  const timeoutMs = durationFlag('--timeout', flags.timeout);
  const api = new ClusterApi(flags);
  try {
    const { gitVersion } = await api.ask<{ readonly gitVersion: string }>('/version');
    const order = { chart: flags.chart ?? OWN_CHART, release: AGENT_RELEASE, namespace: flags.namespace, kubeVersion: gitVersion };
    const rendered = await renderedChart({ ...order, valueFiles: flags.values ?? [], values: agentValues(cluster, flags) });
    const objects = inOrder(rendered).map((object) => marked(object, flags.namespace));
    if (flags.dryRun === true) return await show(api, objects, flags.namespace);
    const hub = connectHub(flags);
    await putInto(api, objects, { cluster, flags, token: (await isAsked(hub, cluster, flags)) ? makeToken : undefined });
    if (flags.wait !== true) {
      note('the agent joins when its Pod runs: hawser cluster list');
      return EXIT.done;
    }
    return (await waitForAgent(hub, cluster, timeoutMs)) ? EXIT.done : EXIT.timedOut;
  } finally {
    api.close();
  }
}

/** What is put into the cluster for whom; `token` makes a join token, where one is needed. */
interface Putting {
  readonly cluster: string;
  readonly flags: InstallFlags;
  readonly token: (() => Promise<string>) | undefined;
}

async function putInto(api: ClusterApi, objects: readonly KubeObject[], { cluster, flags, token }: Putting): Promise<void> {
  const { namespace } = flags;
  await api.apply(namespaceObject(namespace));
  const found = await installedObjects(api, namespace);
  requireOwn(found, objects, namespace);
  const made = await madeWithout(api, objects, found);
  await madeObjects(api, made); // who may not list them is told before anything is changed
  for (const object of objects) await api.apply(object, { dryRun: true });
  note(`${api.server}: ${objects.length} objects of ${AGENT_RELEASE} are acceptable there`);
  if (token === undefined) note(`${cluster} is a member: its agent keeps its keys, no token was made (--new-token makes one)`);
  else {
    await api.apply(joinSecret(namespace, await token()));
    note(`join token of ${cluster}, good once, put into the cluster`);
  }
  for (const object of objects) await api.apply(object);
  note(`${objects.length} objects applied in namespace ${namespace}`);
  for (const object of staleObjects(found, [joinSecret(namespace), ...objects], namespace)) {
    await api.remove(object);
    note(removed(object));
  }
  // After the agent's right to make them: until it starts anew it would make them again.
  await takeAway(api, made, (object) => note(removed(object)));
}

/** What nobody makes any more when these objects are applied and all else that was `found` is gone. */
async function madeWithout(api: ClusterApi, objects: readonly KubeObject[], found: readonly KubeObject[]): Promise<Made> {
  return (await isAnothers(api, [...objects, ...found])) ? NONE_MADE : madeNoMore(objects);
}

function removed(object: KubeObject): string {
  return `removed, as it is asked for no more: ${describeObject(object)}`;
}

/** Whether the agent needs a token: not when the hub has heard of it before. */
async function isAsked(hub: HubClient, cluster: string, { newToken }: InstallFlags): Promise<boolean> {
  const member = await memberOf(hub, cluster);
  return newToken === true || member === undefined || member.state === 'UNKNOWN';
}

/** What would be applied goes to stdout, what that would change to stderr. */
async function show(api: ClusterApi, objects: readonly KubeObject[], namespace: string): Promise<ExitCode> {
  const all = [namespaceObject(namespace), joinSecret(namespace), ...objects];
  print(
    all
      .map((object) => stringify(object, { lineWidth: 0, schema: 'yaml-1.1' }))
      .join('---\n')
      .trimEnd(),
  );
  const found = await installedObjects(api, namespace);
  requireOwn(found, objects, namespace);
  for (const object of objects) {
    const change = await changeOf(api, object);
    if (change !== undefined) note(`${change}: ${describeObject(object)}`);
  }
  const made = await madeObjects(api, await madeWithout(api, objects, found));
  for (const object of [...staleObjects(found, all, namespace), ...made]) note(`would be removed: ${describeObject(object)}`);
  note('nothing was changed, neither in the cluster nor at the hub (--dry-run)');
  return EXIT.done;
}

/** By the API server's own dry run; undefined when nothing would change. */
async function changeOf(api: ClusterApi, object: KubeObject): Promise<string | undefined> {
  const before = await api.find<KubeObject>(await api.pathOf(object));
  if (before === undefined) return 'would be created';
  return isDeepStrictEqual(content(before), content(await api.apply(object, { dryRun: true }))) ? undefined : 'would be changed';
}

/** What its author says, without the server's account of it. */
function content({
  metadata: { managedFields: _fields, resourceVersion: _version, generation: _count, ...metadata },
  ...rest
}: KubeObject): unknown {
  return { ...rest, metadata };
}

async function memberOf(hub: HubClient, cluster: string): Promise<FleetAnswer['clusters'][number] | undefined> {
  const { clusters } = (await hub.send({ path: '/hawser/v1/status' })) as FleetAnswer;
  return clusters.find(({ name }) => name === cluster);
}

/** Says what it sees when that changes; false when the time was not enough. */
async function waitForAgent(hub: HubClient, cluster: string, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (let last = ''; ; await sleep(LOOK_MS)) {
    const [state, isReady] = await memberOf(hub, cluster).then(stateOf, (error: unknown) => {
      if (!isHubAway(error)) throw error;
      return ['the hub is away', false] as const;
    });
    if (state !== last) note(`${cluster}: ${state}`);
    last = state;
    if (isReady) return true;
    if (performance.now() > deadline) {
      note(
        `${cluster}: not there after ${timeoutMs / 1_000} s; see kubectl describe pod and kubectl logs of ${AGENT_RELEASE}-0, then hawser check`,
      );
      return false;
    }
  }
}

/** PURE: what a look says, and whether the agent is there. */
export function stateOf(member: FleetAnswer['clusters'][number] | undefined): readonly [state: string, isReady: boolean] {
  if (member === undefined) return ['has not joined yet', false];
  if (member.state === 'UNKNOWN') return ['has joined, its agent was not heard yet', false];
  if (member.state === 'STALE') return ['its agent is silent', false];
  return member.ready ? ['its agent is there and ready', true] : ['its agent is starting', false];
}
