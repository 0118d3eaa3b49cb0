/** Drains of the hub, found as people name them. */
import type { KindDescriptor } from '@hawser/model/kinds.ts';
import { KINDS } from '@hawser/model/kinds.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import type { LocalDrains, LocalDrainView } from '@hawser/wire/drain.ts';
import type { HubClient } from '../client/hub-client.ts';
import { resourcePath } from '../client/resource-path.ts';
import { type DrainResource, isOver } from './drain-lines.ts';

const DRAIN = KINDS.find(({ kind }) => kind === 'Drain') as KindDescriptor;

/** Path of a drain, of all without a name, or of what is said to one. */
export function drainPath(name?: string, command?: string): string {
  return `${resourcePath({ kind: DRAIN, name })}${command === undefined ? '' : `/${command}`}`;
}

/** All of them, oldest first. */
export async function listDrains(hub: HubClient): Promise<readonly DrainResource[]> {
  const { items } = (await hub.send({ path: drainPath() })) as { readonly items: readonly DrainResource[] };
  return [...items].sort((a, b) => ((a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? -1 : 1));
}

/** Those that agents made by themselves; none of a hub of an earlier release. */
export async function localDrains(hub: HubClient): Promise<readonly LocalDrainView[]> {
  const answer = (await hub.find('/hawser/v1/local-drains')) as LocalDrains | undefined;
  return answer?.items ?? [];
}

/** The drain of this name, else the one under way of the region, cluster, zone or gateway of this name. */
export async function namedDrain(hub: HubClient, name: string): Promise<DrainResource> {
  const drains = await listDrains(hub);
  const exact = drains.find(({ metadata }) => metadata.name === name);
  if (exact !== undefined && !isOver(exact)) return exact;
  const found = drains.filter((drain) => !isOver(drain) && Object.values(drain.spec.scope).includes(name));
  const [first, ...more] = found.length === 0 && exact !== undefined ? [exact] : found;
  if (first === undefined) {
    const names = drains.filter((drain) => !isOver(drain)).map(({ metadata }) => metadata.name);
    throw new AppError(
      'drain-unknown',
      `${name} is not drained; under way ${names.length === 0 ? 'is nothing' : `are ${names.join(', ')}`}`,
    );
  }
  if (more.length > 0)
    throw new AppError('usage', `${name} is in several drains: ${found.map(({ metadata }) => metadata.name).join(', ')}; name one`);
  return first;
}
