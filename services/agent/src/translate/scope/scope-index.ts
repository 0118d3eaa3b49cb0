/** Which policies tell callers apart, and by what: kept in step with the policies, and empty while none does. Pure. */
import type { DestinationRuleSpec, ServiceEntrySpec, SidecarSpec, VirtualServiceSpec } from '@hawser/model/istio/specs.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { hostKey, parseServiceKey } from '@hawser/model/service-host.ts';
import { changedTable, type PolicyChanges, type PolicyTable } from '../policy-tables.ts';
import { callerKeysOf } from '../upstreams/destination-rules.ts';
import { type ProxyScope, ROOT_NAMESPACE, selects } from './scope.ts';

/** The policies, as far as they look at who calls. */
export interface ScopeIndex {
  /** How many policies look at the caller's namespace, and at each of its labels. */
  readonly looks: ReadonlyMap<string, number>;
  /** Keys of labels by which callers are told apart. */
  readonly labelKeys: ReadonlySet<string>;
  /** By namespace, the oldest first. */
  readonly sidecars: PolicyTable;
}

const NAMESPACE = '';

/** Nothing tells callers apart. */
export const NO_SCOPES: ScopeIndex = { looks: new Map(), labelKeys: new Set(), sidecars: new Map() };

/** The index after a change of policies; it shares what did not change. */
export function indexScopes(before: ScopeIndex, { removed, added }: PolicyChanges): ScopeIndex {
  const looks = counted(before.looks, removed.flatMap(looksAt), added.flatMap(looksAt));
  const sidecars = changedTable(before.sidecars, { removed, added }, sidecarNamespace);
  if (looks === before.looks) return { ...before, sidecars };
  return { looks, labelKeys: new Set([...looks.keys()].filter((key) => key !== NAMESPACE)), sidecars };
}

/** Whether callers may be served differently at all. */
export function tellsApart({ looks }: ScopeIndex): boolean {
  return looks.size > 0;
}

/**
 * The Sidecars that hold for a caller, the nearest first: of its namespace one that selects its labels, else one that selects
 * nobody; then the one of the root namespace. What the first leaves open, the next ones say (Istio's Sidecar).
 */
export function sidecarsFor({ sidecars }: ScopeIndex, scope: ProxyScope): readonly Resource[] {
  const own = sidecars.get(scope.namespace) ?? [];
  const selecting = own.find((sidecar) => selectorOf(sidecar) !== undefined && selects(selectorOf(sidecar) ?? {}, scope.labels));
  const common = own.find((sidecar) => selectorOf(sidecar) === undefined);
  const root = (sidecars.get(ROOT_NAMESPACE) ?? []).find((sidecar) => selectorOf(sidecar) === undefined);
  return [...new Set([selecting, common, root])].filter((sidecar) => sidecar !== undefined);
}

function selectorOf(sidecar: Resource): Readonly<Record<string, string>> | undefined {
  const labels = (sidecar.spec as SidecarSpec).workloadSelector?.labels;
  return labels === undefined || Object.keys(labels).length === 0 ? undefined : labels;
}

function sidecarNamespace(policy: Resource): Iterable<string> {
  return policy.kind === 'Sidecar' ? [policy.metadata.namespace ?? ''] : [];
}

function counted(before: ReadonlyMap<string, number>, removed: readonly string[], added: readonly string[]): ReadonlyMap<string, number> {
  if (removed.length === 0 && added.length === 0) return before;
  const next = new Map(before);
  for (const key of added) next.set(key, (next.get(key) ?? 0) + 1);
  for (const key of removed) {
    const left = (next.get(key) ?? 0) - 1;
    if (left > 0) next.set(key, left);
    else next.delete(key);
  }
  return next;
}

/** What of a caller a policy looks at: its namespace, keys of labels; nothing for one that is the same for all. */
function looksAt(policy: Resource): readonly string[] {
  const look = LOOKS[policy.kind];
  const keys = look === undefined || typeof policy.spec !== 'object' || policy.spec === null ? undefined : look(policy);
  return keys === undefined ? [] : [NAMESPACE, ...new Set(keys)];
}

/** Keys of the labels it looks at; undefined when it does not look at the caller. */
const LOOKS: Readonly<Record<string, (policy: Resource) => readonly string[] | undefined>> = {
  Sidecar: (policy) => Object.keys(selectorOf(policy) ?? {}),
  ServiceEntry: ({ spec }) => (isRestricted((spec as ServiceEntrySpec).exportTo) ? [] : undefined),
  DestinationRule: ({ spec, metadata }) => {
    const { host, exportTo, workloadSelector } = spec as DestinationRuleSpec;
    const keys = callerKeysOf(spec as DestinationRuleSpec);
    const owner = parseServiceKey(hostKey(host, metadata.namespace ?? '') ?? '').namespace;
    const isAway = owner !== '*' && owner !== metadata.namespace && metadata.namespace !== ROOT_NAMESPACE;
    // A rule for a host beyond the clusters is the business of its own namespace.
    const isForeign = owner === '*' && metadata.namespace !== ROOT_NAMESPACE;
    if (keys.length === 0 && workloadSelector === undefined && !isAway && !isForeign && !isRestricted(exportTo)) return undefined;
    return keys;
  },
  VirtualService: ({ spec }) => {
    const { exportTo, http = [], tls = [], tcp = [] } = spec as VirtualServiceSpec;
    const matches = [...http, ...tls, ...tcp].flatMap((rule) => rule.match ?? []);
    const sources = matches.filter(({ sourceLabels, sourceNamespace }) => sourceLabels !== undefined || (sourceNamespace ?? '') !== '');
    if (sources.length === 0 && !isRestricted(exportTo)) return undefined;
    return sources.flatMap(({ sourceLabels }) => Object.keys(sourceLabels ?? {}));
  },
};

function isRestricted(exportTo: readonly string[] | undefined): boolean {
  return exportTo !== undefined && exportTo.length > 0 && !exportTo.includes('*');
}
