/** Drills and their runs at the hub, found as people name them. */
import { type KindDescriptor, kindNamed } from '@hawser/model/kinds.ts';
import { AppError } from '@hawser/runtime/app-error.ts';
import type { HubClient } from '../client/hub-client.ts';
import { resourcePath } from '../client/resource-path.ts';
import { type DrillRunResource, isRunOver } from './run-lines.ts';

/** Path of a drill, of all without a name, or of a part of one. */
export function drillPath(name?: string, part?: string): string {
  return pathOf('Drill', name, part);
}

/** The same of runs. */
export function runPath(name?: string, part?: string): string {
  return pathOf('DrillRun', name, part);
}

/** All runs, newest first. */
export async function listRuns(hub: HubClient): Promise<readonly DrillRunResource[]> {
  const { items } = (await hub.send({ path: runPath() })) as { readonly items: readonly DrillRunResource[] };
  return [...items].sort((a, b) => ((a.metadata.creationTimestamp ?? '') < (b.metadata.creationTimestamp ?? '') ? 1 : -1));
}

/** The run of this name; else of the drill of this name the one under way, or the newest. */
export async function namedRun(hub: HubClient, name: string): Promise<DrillRunResource> {
  const runs = await listRuns(hub);
  const ofDrill = runs.filter(({ spec }) => spec.drill === name);
  const found = runs.find(({ metadata }) => metadata.name === name) ?? ofDrill.find((run) => !isRunOver(run)) ?? ofDrill[0];
  if (found !== undefined) return found;
  const names = runs.filter((run) => !isRunOver(run)).map(({ metadata }) => metadata.name);
  const underWay = names.length === 0 ? 'nothing is under way' : `under way ${names.length === 1 ? 'is' : 'are'} ${names.join(', ')}`;
  throw new AppError('drill-run-unknown', `there is no run ${name}, and no drill of this name has run; ${underWay}`);
}

function pathOf(kindName: string, name?: string, part?: string): string {
  const kind = kindNamed(kindName) as KindDescriptor;
  return `${resourcePath({ kind, name })}${part === undefined ? '' : `/${part}`}`;
}
