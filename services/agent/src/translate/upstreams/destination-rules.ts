/** DestinationRules by the hosts they are for, and which of them holds for a caller. Pure. */
import type { DestinationRuleSpec, DestinationRuleTrafficPolicy as TrafficPolicy } from '@hawser/model/istio/specs.ts';
import { priorityLabels } from '@hawser/model/locality-setting.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { clusterLocalHost, clustersetHost, parseServiceKey } from '@hawser/model/service-host.ts';
import { policyKeyOf } from '../policy-tables.ts';
import { isExportedTo, type ProxyScope, ROOT_NAMESPACE, selects } from '../scope/scope.ts';

/** Endpoints of a service that carry certain labels. */
export interface Subset {
  /** Key of the DestinationRule, and the subset's place in it. */
  readonly policy: string;
  readonly index: number;
  readonly name: string;
  readonly labels: readonly (readonly [string, string])[];
  readonly trafficPolicy?: TrafficPolicy;
}

/** A DestinationRule that is for a service. */
export interface DestinationRule {
  readonly policy: string;
  readonly namespace: string;
  /** How exactly its host names the service: the length of what is not a wildcard. */
  readonly exactness: number;
  readonly spec: DestinationRuleSpec;
}

/** What DestinationRules say of one service to one caller. */
export interface DestinationPolicy {
  /** Key of the rule that `trafficPolicy` is of. */
  readonly policy: string;
  readonly trafficPolicy: TrafficPolicy | undefined;
  /** By name. */
  readonly subsets: readonly Subset[];
  /** Namespace of the Secrets that it names: of a rule that selects callers, for a key is not for everybody. */
  readonly secretsOf?: string;
  /** Of the caller's labels those that `failoverPriority` compares with endpoints'; left out when it has none. */
  readonly callerLabels?: Readonly<Record<string, string>>;
}

/** Of a service without rules. */
export const NO_DESTINATION_POLICY: DestinationPolicy = { policy: '', trafficPolicy: undefined, subsets: [] };

/**
 * The rules that hold for a caller: those of its own namespace, else of the service's, else of the root namespace; of these
 * the ones whose host is most exact; of these one that selects the caller's labels, else those that select nobody. Several are
 * one: the oldest `trafficPolicy`, and all subsets (as Istio merges them). Rules come oldest first.
 */
export function destinationPolicy(rules: readonly DestinationRule[], owner: string | undefined, caller: ProxyScope): DestinationPolicy {
  const seen = rules.filter((rule) => isSeen(rule, caller));
  for (const namespace of new Set([caller.namespace, owner, ROOT_NAMESPACE])) {
    const near = seen.filter((rule) => namespace === undefined || rule.namespace === namespace);
    if (near.length > 0) return withCaller(joined(decidingOf(near)), caller);
  }
  return NO_DESTINATION_POLICY;
}

/** Whether callers may differ in what the rules say to them. */
export function dependsOnCaller(rules: readonly DestinationRule[], owner: string | undefined): boolean {
  return rules.some(
    ({ namespace, spec }) =>
      callerKeysOf(spec).length > 0 ||
      spec.workloadSelector !== undefined ||
      (spec.exportTo !== undefined && !spec.exportTo.includes('*')) ||
      (owner !== undefined && namespace !== owner && namespace !== ROOT_NAMESPACE),
  );
}

/** Keys of the caller's labels that a rule looks at: its selector's, and those of `failoverPriority` that ask for no value. */
export function callerKeysOf({ workloadSelector, trafficPolicy, subsets = [] }: DestinationRuleSpec): readonly string[] {
  const policies = [trafficPolicy, ...subsets.map((subset) => subset.trafficPolicy)];
  return [...Object.keys(workloadSelector?.matchLabels ?? {}), ...policies.flatMap(comparedKeys)];
}

function comparedKeys(policy: TrafficPolicy | undefined): string[] {
  const blocks = policy === undefined ? [] : [policy, ...(policy.portLevelSettings ?? [])];
  const labels = blocks.flatMap(({ loadBalancer }) => priorityLabels(loadBalancer?.localityLbSetting) ?? []);
  return labels.filter((label) => !label.includes('=') && !label.startsWith('topology.'));
}

function withCaller(policy: DestinationPolicy, caller: ProxyScope): DestinationPolicy {
  const keys = [policy.trafficPolicy, ...policy.subsets.map((subset) => subset.trafficPolicy)].flatMap(comparedKeys);
  const found = [...new Set(keys)].sort().flatMap((key) => (caller.labels[key] === undefined ? [] : [[key, caller.labels[key]]]));
  return found.length === 0 ? policy : { ...policy, callerLabels: Object.fromEntries(found) };
}

/** A rule with a selector is for workloads of its own namespace alone. */
function isSeen({ namespace, spec }: DestinationRule, caller: ProxyScope): boolean {
  if (!isExportedTo(spec.exportTo, namespace, caller.namespace)) return false;
  if (spec.workloadSelector === undefined) return true;
  return caller.namespace === namespace && selects(spec.workloadSelector.matchLabels ?? {}, caller.labels);
}

function decidingOf(rules: readonly DestinationRule[]): readonly DestinationRule[] {
  const most = Math.max(...rules.map(({ exactness }) => exactness));
  const exact = rules.filter(({ exactness }) => exactness === most);
  const selecting = exact.find(({ spec }) => spec.workloadSelector !== undefined);
  return selecting === undefined ? exact : [selecting];
}

function joined(rules: readonly DestinationRule[]): DestinationPolicy {
  const first = rules.find(({ spec }) => spec.trafficPolicy !== undefined);
  const subsets = new Map<string, Subset>();
  for (const { policy, spec } of rules) {
    for (const [index, { name = '', labels = {}, trafficPolicy }] of (spec.subsets ?? []).entries()) {
      const sorted = Object.entries(labels).sort(([a], [b]) => compare(a, b));
      const subset = { policy, index, name, labels: sorted, ...(trafficPolicy === undefined ? {} : { trafficPolicy }) };
      if (name !== '' && !subsets.has(name)) subsets.set(name, subset);
    }
  }
  const [selecting] = rules.filter(({ spec }) => spec.workloadSelector !== undefined);
  return {
    ...(selecting === undefined ? {} : { secretsOf: selecting.namespace }),
    policy: first?.policy ?? rules[0]?.policy ?? '',
    trafficPolicy: first?.spec.trafficPolicy,
    subsets: [...subsets.values()].sort((a, b) => compare(a.name, b.name)),
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The spec of a DestinationRule; undefined when it has no host. */
export function destinationSpec(policy: Resource): DestinationRuleSpec | undefined {
  const spec = policy.spec as Partial<DestinationRuleSpec> | null | undefined;
  return typeof spec?.host === 'string' && spec.host !== '' ? (spec as DestinationRuleSpec) : undefined;
}

/** The keys under which rules for a service may be: its own, then wildcards, the longest first. */
export function hostKeysOf(key: string): readonly string[] {
  const known = keyCache.get(key);
  if (known !== undefined) return known;
  const name = parseServiceKey(key);
  const hosts = name.namespace === '*' ? [name.service.replace(/^\*\./, '')] : [clusterLocalHost(name), clustersetHost(name)];
  const wildcards = new Set([...hosts.flatMap(wildcardsOf), '*/*'].filter((wildcard) => wildcard !== key));
  const keys = [key, ...[...wildcards].sort((a, b) => b.length - a.length || compare(a, b))];
  if (keyCache.size >= MOST_KEYS) keyCache.clear();
  keyCache.set(key, keys);
  return keys;
}

const keyCache = new Map<string, readonly string[]>();
const MOST_KEYS = 10_000;

function wildcardsOf(host: string): string[] {
  const labels = host.split('.');
  return labels.slice(1).map((_label, index) => `*/*.${labels.slice(index + 1).join('.')}`);
}

/** The rules for a service, oldest first, from a table of policies by host key. */
export function destinationRulesFor(key: string, policiesAt: (host: string) => readonly Resource[]): readonly DestinationRule[] {
  const found = hostKeysOf(key).flatMap((host) => policiesAt(host).map((policy) => ruleOf(policy, host === key ? EXACT : host.length)));
  return found.filter((rule) => rule !== undefined);
}

const EXACT = 1_000;

/** The same object for an unchanged policy. */
function ruleOf(policy: Resource, exactness: number): DestinationRule | undefined {
  const known = ruleCache.get(policy);
  if (known?.exactness === exactness) return known;
  const spec = destinationSpec(policy);
  if (spec === undefined) return undefined;
  const rule = { policy: policyKeyOf(policy), namespace: policy.metadata.namespace ?? '', exactness, spec };
  ruleCache.set(policy, rule);
  return rule;
}

const ruleCache = new WeakMap<Resource, DestinationRule>();

/** Whether two lists hold the same rules, by identity of their specs. */
export function sameDestinations(a: readonly DestinationRule[], b: readonly DestinationRule[]): boolean {
  return a.length === b.length && a.every((rule, index) => rule.spec === b[index]?.spec && rule.policy === b[index]?.policy);
}
