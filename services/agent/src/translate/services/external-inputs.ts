/** What services have from ServiceEntries, out of the world: the entries in force, and the own workloads that they select. Pure. */
import type { Endpoint } from '@hawser/model/endpoint-shard.ts';
import type { World } from '../../state/world.ts';
import type { ExternalInput } from './external-host.ts';
import { type EntryIndex, hasLabels } from './service-entries.ts';

/** The service's part of the entries; `before` itself when it is the same. */
export function externalInput(
  key: string,
  { entries, world }: { readonly entries: EntryIndex; readonly world: World },
  before: ExternalInput | undefined,
): ExternalInput | undefined {
  const found = entries.byKey.get(key);
  if (found === undefined) return undefined;
  const namespace = found.entries[0]?.namespace ?? '';
  const wanted = found.entries.map(({ spec }) => spec.workloadSelector?.labels).filter((labels) => labels !== undefined);
  const workloads = wanted.length === 0 ? NOBODY : selectedBy(wanted, ownWorkloads(world, namespace));
  const isSame = before?.entries === found && before.workloads.length === workloads.length;
  return isSame && before.workloads.every((workload, index) => workload === workloads[index]) ? before : { entries: found, workloads };
}

const NOBODY: readonly Endpoint[] = [];

/** The keys of services and of the hosts whose selectors look at their workloads. */
export function withSelecting(keys: ReadonlySet<string>, { selecting }: EntryIndex): ReadonlySet<string> {
  if (selecting.size === 0) return keys;
  const namespaces = new Set([...keys].map((key) => key.slice(0, key.indexOf('/'))));
  return new Set([...keys, ...[...namespaces].flatMap((namespace) => [...(selecting.get(namespace) ?? [])])]);
}

function selectedBy(selectors: readonly Readonly<Record<string, string>>[], workloads: Iterable<Endpoint>): Endpoint[] {
  const found = new Map<string, Endpoint>();
  for (const workload of workloads) {
    if (found.has(workload.address) || !selectors.some((labels) => hasLabels(workload.labels, labels))) continue;
    found.set(workload.address, workload);
  }
  return [...found.values()].sort((a, b) => (a.address < b.address ? -1 : 1));
}

/**
 * Workloads of the own cluster in a namespace, in the order of its services. Those in another network are not among them: its gateways
 * know them as servers of their Services alone.
 */
function* ownWorkloads({ shards, self }: World, namespace: string): Generator<Endpoint> {
  const keys = [...shards.keys()].filter((key) => key.startsWith(`${namespace}/`)).sort();
  for (const key of keys) yield* (shards.get(key)?.get(self)?.endpoints ?? []).filter(({ network }) => network === undefined);
}
