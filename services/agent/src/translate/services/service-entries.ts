/** ServiceEntries by the host that they describe, and the WorkloadEntries that their selectors find. Pure. */
import type { ServiceEntrySpec, WorkloadEntrySpec } from '@hawser/model/istio/specs.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { hostKey } from '@hawser/model/service-host.ts';

/** A WorkloadEntry as a selector sees it: labels of its metadata and of its spec are one. */
export interface SelectedWorkload extends WorkloadEntrySpec {
  readonly labels: Readonly<Record<string, string>>;
}

/** A ServiceEntry and the hub's WorkloadEntries that it selects, by name. */
export interface EntryInForce {
  /** `ServiceEntry/NAMESPACE/NAME`. */
  readonly policy: string;
  readonly namespace: string;
  readonly spec: ServiceEntrySpec;
  readonly selected: readonly SelectedWorkload[];
}

/** What ServiceEntries say about one host. */
export interface HostEntries {
  /** As the entries write it, in lower case; may begin with `*.`. */
  readonly host: string;
  /** All of one namespace, the oldest first. */
  readonly entries: readonly EntryInForce[];
  /** `ADDRESS:PORT` by which HTTP callers may name it too; each belongs to one host. */
  readonly vips: readonly string[];
}

/** ServiceEntries by the key of their hosts. */
export interface EntryIndex {
  readonly byKey: ReadonlyMap<string, HostEntries>;
  /** Keys of hosts whose workloadSelector looks at workloads of a namespace. */
  readonly selecting: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Kinds that the index looks at. */
export const ENTRY_KINDS: ReadonlySet<string> = new Set(['ServiceEntry', 'WorkloadEntry']);

/** The index of no entries. */
export const NO_ENTRIES: EntryIndex = { byKey: new Map(), selecting: new Map() };

/** Indexes the ServiceEntries among the policies; what is as it was in `before` stays the same object. */
export function indexEntries(policies: ReadonlyMap<string, Resource>, before: EntryIndex): EntryIndex {
  const entries = ofKind(policies, 'ServiceEntry');
  if (entries.length === 0) return NO_ENTRIES;
  const workloads = Map.groupBy(ofKind(policies, 'WorkloadEntry'), namespaceOf);
  const found = new Map<string, { host: string; entries: EntryInForce[] }>();
  const selecting = new Map<string, Set<string>>();
  for (const policy of entries) {
    const entry = inForce(policy, workloads.get(namespaceOf(policy)) ?? []);
    for (const host of new Set(entry.spec.hosts.map((name) => name.toLowerCase()))) {
      const key = hostKey(host, entry.namespace);
      if (key === undefined) continue;
      const known = found.get(key);
      // Of several namespaces the oldest entry's has the name: a newcomer cannot take over what is in force.
      if (known === undefined) found.set(key, { host, entries: [entry] });
      else if (known.entries[0]?.namespace === entry.namespace) known.entries.push(entry);
      if (entry.spec.workloadSelector !== undefined) selecting.set(entry.namespace, (selecting.get(entry.namespace) ?? new Set()).add(key));
    }
  }
  const claims = new Set<string>();
  const byKey = [...found].map(
    ([key, made]) => [key, kept(before.byKey.get(key), { ...made, vips: claimed(made.entries, claims) })] as const,
  );
  return { byKey: new Map(byKey), selecting };
}

function ofKind(policies: ReadonlyMap<string, Resource>, kind: string): Resource[] {
  return [...policies.values()].filter((policy) => policy.kind === kind && isReadable(policy)).sort(byAge);
}

/** What the hub would not take is passed over: it must not cost anybody else's configuration. */
function isReadable({ kind, spec }: Resource): boolean {
  if (typeof spec !== 'object' || spec === null) return false;
  return kind === 'WorkloadEntry' || Array.isArray((spec as ServiceEntrySpec).hosts);
}

function inForce(policy: Resource, workloads: readonly Resource[]): EntryInForce {
  const spec = policy.spec as ServiceEntrySpec;
  const labels = spec.workloadSelector?.labels;
  const selected = labels === undefined ? [] : workloads.map(asWorkload).filter((workload) => hasLabels(workload.labels, labels));
  const known = lastInForce.get(policy);
  if (known !== undefined && isSameList(known.selected, selected)) return known;
  const { namespace, policy: key } = {
    namespace: namespaceOf(policy),
    policy: `ServiceEntry/${namespaceOf(policy)}/${policy.metadata.name}`,
  };
  const made = { policy: key, namespace, spec, selected };
  lastInForce.set(policy, made);
  return made;
}

/** An entry that did not change is the same object, so that its hosts are not compiled again. */
const lastInForce = new WeakMap<Resource, EntryInForce>();

function asWorkload(policy: Resource): SelectedWorkload {
  const known = workloadCache.get(policy);
  if (known !== undefined) return known;
  const spec = policy.spec as WorkloadEntrySpec;
  const made = { ...spec, labels: { ...policy.metadata.labels, ...spec.labels } };
  workloadCache.set(policy, made);
  return made;
}

const workloadCache = new WeakMap<Resource, SelectedWorkload>();

/** Whether labels hold everything that a selector asks for. An empty selector takes nothing: it would take a whole namespace. */
export function hasLabels(labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  const pairs = Object.entries(wanted);
  return pairs.length > 0 && pairs.every(([key, value]) => labels[key] === value);
}

function claimed(entries: readonly EntryInForce[], claims: Set<string>): string[] {
  const wanted = entries.flatMap(({ spec }) =>
    (spec.addresses ?? []).flatMap((address) => {
      const single = address.replace(/\/(32|128)$/, '');
      const name = single.includes(':') ? `[${single}]` : single;
      return single.includes('/') ? [] : (spec.ports ?? []).map(({ number }) => `${name}:${number}`);
    }),
  );
  const free = [...new Set(wanted)].filter((vip) => !claims.has(vip));
  for (const vip of free) claims.add(vip);
  return free.sort();
}

function kept(before: HostEntries | undefined, made: HostEntries): HostEntries {
  const isSame = before?.host === made.host && isSameList(before.entries, made.entries) && isSameList(before.vips, made.vips);
  return isSame ? before : made;
}

function isSameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

function namespaceOf(policy: Resource): string {
  return policy.metadata.namespace ?? '';
}

function byAge(a: Resource, b: Resource): number {
  const [aKey, bKey] = [a, b].map(({ metadata }) => `${metadata.creationTimestamp ?? ''} ${metadata.namespace ?? ''}/${metadata.name}`);
  return (aKey ?? '') < (bKey ?? '') ? -1 : 1;
}
