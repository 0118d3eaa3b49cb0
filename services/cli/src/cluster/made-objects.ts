/** What an agent made of other clusters' exports: known again as the agent knows it, and taken away where no agent does that any more. */

import { ApiRefusal } from '@hawser/agent/discover/kubernetes/api-client.ts';
import type { ObjectReader } from '@hawser/agent/discover/kubernetes/object-facts.ts';
import { OWN_SERVICES, OWN_SLICES } from '@hawser/agent/multicluster/backing-kinds.ts';
import {
  type BackingState,
  backedImportKey,
  isImportedSlice,
  readBackingService,
  readBackingSlice,
} from '@hawser/agent/multicluster/backing-states.ts';
import { OWN_IMPORTS } from '@hawser/agent/multicluster/wanted-import.ts';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { MULTICLUSTER } from '@hawser/model/multicluster.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import { sleep } from '@hawser/runtime/backoff.ts';
import type { ClusterApi } from '../kubernetes/cluster-api.ts';
import { describeObject } from '../kubernetes/installed-objects.ts';
import { AGENT_RELEASE } from './agent-release.ts';

/** Which of it. */
export interface Made {
  /** Derived Services and their EndpointSlices (`--gateway-mode`). */
  readonly derived: boolean;
  /** EndpointSlices of the clusters that export (`--import-endpoint-slices`). */
  readonly importSlices: boolean;
  readonly imports: boolean;
}

/** What no agent keeps where there is none. */
export const ALL_MADE: Made = { derived: true, importSlices: true, imports: true };
export const NONE_MADE: Made = { derived: false, importSlices: false, imports: false };

/** An agent that still may writes again what was removed within the 3 s that it leaves between two writes of an object. */
const SETTLED_MS = 4_000;
const LOOK_MS = 500;
/** Rights and admission policies that were taken away are so at the API server a moment later. */
const STUBBORN_MS = 30_000;
const AT_ONCE = 8;

/** PURE: what the agent among these objects makes no more, by its arguments; nothing where there is no agent among them. */
export function madeNoMore(objects: readonly KubeObject[]): Made {
  const agents = objects.filter(({ kind }) => kind === 'StatefulSet') as readonly (KubeObject & { readonly spec?: AgentSpec })[];
  const lacks = (flag: string): boolean =>
    agents.length > 0 &&
    !agents.some(({ spec }) => spec?.template.spec.containers.some(({ args }) => args === undefined || args.includes(flag)));
  return { derived: lacks('--gateway-mode'), importSlices: lacks('--import-endpoint-slices'), imports: false };
}

/** Whether the roles of an agent are there that are not among these objects: what agents make is its to keep. */
export async function isAnothers(api: ClusterApi, own: readonly KubeObject[]): Promise<boolean> {
  const label = `app.kubernetes.io/name=${AGENT_RELEASE}`;
  const bindings = await api.list('rbac.authorization.k8s.io/v1', 'ClusterRoleBinding', { label });
  const names = new Set(own.map(describeObject));
  return bindings.some((binding) => !names.has(describeObject(binding)));
}

interface AgentSpec {
  readonly template: { readonly spec: { readonly containers: readonly { readonly args?: readonly string[] }[] } };
}

/** What is there of it, in the order in which it goes. */
export async function madeObjects(api: ClusterApi, { derived, importSlices, imports }: Made): Promise<readonly KubeObject[]> {
  const services = derived ? await api.list('v1', 'Service', { label: OWN_SERVICES.labelSelector }) : [];
  const slices = derived || importSlices ? await api.list('discovery.k8s.io/v1', 'EndpointSlice', { label: OWN_SLICES.labelSelector }) : [];
  const all = [
    ...services.filter((object) => ownState(object, readBackingService) !== undefined),
    ...slices.filter((object) => {
      const state = ownState(object, readBackingSlice);
      return state !== undefined && (isImportedSlice(state) ? importSlices : derived);
    }),
    ...(imports ? await ownImports(api) : []),
  ];
  return all.filter(({ metadata }) => metadata['deletionTimestamp'] === undefined);
}

/** Undefined of what stands behind no import of the agent. */
function ownState(object: KubeObject, read: ObjectReader<BackingState>): BackingState | undefined {
  const { key = '', facts } = read(object) ?? {};
  return backedImportKey(key, facts) === undefined ? undefined : facts;
}

/** Where both versions are served they are the same objects. */
async function ownImports(api: ClusterApi): Promise<readonly KubeObject[]> {
  for (const version of MULTICLUSTER.versions) {
    const found = await api.list(`${MULTICLUSTER.group}/${version}`, 'ServiceImport', { label: OWN_IMPORTS.labelSelector });
    if (found.length > 0) return found;
  }
  return [];
}

/**
 * Takes it away, and looks until nothing of it has come again: an agent that runs may not know yet that it is to stop.
 * @param say Called once for each object that is gone.
 */
export async function takeAway(api: ClusterApi, made: Made, say: (object: KubeObject) => void): Promise<void> {
  const said = new Set<string>();
  let seenAt: number | undefined;
  let firstAt: number | undefined;
  for (;;) {
    const found = await madeObjects(api, made);
    const now = performance.now();
    if (found.length === 0 && (seenAt === undefined || now - seenAt > SETTLED_MS)) return;
    if (found.length > 0) seenAt = now;
    const refused = await removeAll(api, found, (object) => {
      const name = describeObject(object);
      if (!said.has(name)) say(object);
      said.add(name);
    });
    firstAt ??= performance.now();
    if (found.length > 0 && now - firstAt > STUBBORN_MS) throw stubborn(found, refused);
    await sleep(LOOK_MS * (0.8 + 0.4 * Math.random()));
  }
}

/** Returns the last refusal, if there was one. */
async function removeAll(
  api: ClusterApi,
  objects: readonly KubeObject[],
  onGone: (object: KubeObject) => void,
): Promise<ApiRefusal | undefined> {
  let refused: ApiRefusal | undefined;
  for (let first = 0; first < objects.length; first += AT_ONCE) {
    const some = objects.slice(first, first + AT_ONCE);
    const refusals = await Promise.all(some.map((object) => removal(api, object)));
    for (const [index, object] of some.entries()) if (refusals[index] === undefined) onGone(object);
    refused = refusals.findLast((one) => one !== undefined) ?? refused;
  }
  return refused;
}

async function removal(api: ClusterApi, object: KubeObject): Promise<ApiRefusal | undefined> {
  try {
    await api.remove(object);
    return undefined;
  } catch (error) {
    if (error instanceof ApiRefusal) return error;
    throw error;
  }
}

function stubborn(found: readonly KubeObject[], refused: ApiRefusal | undefined): AppError {
  const [first] = found;
  const what = `${first === undefined ? '' : describeObject(first)}${found.length > 1 ? ` and ${found.length - 1} more` : ''}`;
  if (refused !== undefined)
    return new AppError('kubernetes-refused', `${what} cannot be removed: ${refused.message}; run this again when it can`);
  return new AppError(
    'made-again',
    `${what} came again each time: an agent of this cluster still makes what was asked for no more; stop it, or withdraw its right to, and run this again`,
  );
}
