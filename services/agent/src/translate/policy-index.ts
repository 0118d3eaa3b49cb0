/** Policies by the service they are for. */
import { effectiveFailover, effectiveShift } from '@hawser/model/effective-policy.ts';
import {
  DestinationRuleSpec,
  type FailoverPolicySpec,
  type HttpRouteSpec,
  type TrafficShiftSpec,
  VirtualServiceSpec,
} from '@hawser/model/kind-specs.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { parseServiceHost, parseServiceKey, serviceKey } from '@hawser/model/service-host.ts';
import { Check } from 'typebox/value';

/** Endpoints of a service that carry certain labels. */
export interface Subset {
  /** Key of the DestinationRule, and the subset's place in it. */
  readonly policy: string;
  readonly index: number;
  readonly name: string;
  readonly labels: readonly (readonly [string, string])[];
}

/** One rule of a VirtualService and the namespace its hosts are read in. */
export interface HttpRule {
  /** Key of the VirtualService, and the rule's place in it. */
  readonly policy: string;
  readonly index: number;
  readonly namespace: string;
  readonly rule: HttpRouteSpec;
}

/** Everything that policy says about one service. */
export interface ServicePolicies {
  readonly rules: readonly HttpRule[];
  readonly subsets: readonly Subset[];
  readonly failover: FailoverPolicySpec | undefined;
  readonly shift: TrafficShiftSpec | undefined;
}

/** Finds the policies of a service by its key. */
export type PolicyIndex = (service: string) => ServicePolicies;

/** Indexes policies. Those of an unknown or broken form are passed over: the feed reports them. */
export function indexPolicies(policies: ReadonlyMap<string, Resource>): PolicyIndex {
  const sorted = [...policies.values()].sort(byAge);
  const virtual = byService(sorted, 'VirtualService', virtualServiceHosts);
  const destination = byService(sorted, 'DestinationRule', destinationRuleHosts);
  const placing = Map.groupBy(sorted, (policy) => policy.metadata.namespace ?? '');
  return (key) => {
    const name = parseServiceKey(key);
    return {
      rules: (virtual.get(key) ?? []).flatMap(rulesOf),
      subsets: subsetsOf(destination.get(key) ?? []),
      failover: effectiveFailover(placing.get(name.namespace) ?? [], name),
      shift: effectiveShift(placing.get(name.namespace) ?? [], name),
    };
  };
}

/** The oldest first, so that a newcomer cannot take over what is in force; then by name. */
function byAge(a: Resource, b: Resource): number {
  return compare(a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '') || compare(keyOf(a), keyOf(b));
}

function keyOf(policy: Resource): string {
  return `${policy.kind}/${policy.metadata.namespace ?? ''}/${policy.metadata.name}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function byService(policies: readonly Resource[], kind: string, hostsOf: (policy: Resource) => readonly string[]): Map<string, Resource[]> {
  const found = new Map<string, Resource[]>();
  for (const policy of policies) {
    if (policy.kind !== kind) continue;
    const names = hostsOf(policy).map((host) => parseServiceHost(host, policy.metadata.namespace ?? ''));
    const keys = new Set(names.filter((name) => name !== undefined).map(serviceKey));
    for (const key of keys) found.set(key, [...(found.get(key) ?? []), policy]);
  }
  return found;
}

function virtualServiceHosts(policy: Resource): readonly string[] {
  return Check(VirtualServiceSpec, policy.spec) ? policy.spec.hosts : [];
}

function destinationRuleHosts(policy: Resource): readonly string[] {
  return Check(DestinationRuleSpec, policy.spec) ? [policy.spec.host] : [];
}

function rulesOf(policy: Resource): HttpRule[] {
  const known = ruleCache.get(policy);
  if (known !== undefined) return known;
  const namespace = policy.metadata.namespace ?? '';
  const rules = (policy.spec as VirtualServiceSpec).http.map((rule, index) => ({ policy: keyOf(policy), index, namespace, rule }));
  ruleCache.set(policy, rules);
  return rules;
}

/** Keeps rules of an unchanged policy the same objects. */
const ruleCache = new WeakMap<Resource, HttpRule[]>();

function subsetsOf(rules: readonly Resource[]): Subset[] {
  const subsets = new Map<string, Subset>();
  for (const policy of rules) {
    for (const [index, { name, labels = {} }] of ((policy.spec as DestinationRuleSpec).subsets ?? []).entries()) {
      const sorted = Object.entries(labels).sort(([a], [b]) => compare(a, b));
      if (!subsets.has(name)) subsets.set(name, { policy: keyOf(policy), index, name, labels: sorted });
    }
  }
  return [...subsets.values()].sort((a, b) => compare(a.name, b.name));
}

/** Whether two answers say the same, policies compared by identity. */
export function samePolicies(a: ServicePolicies, b: ServicePolicies): boolean {
  const sameRules = a.rules.length === b.rules.length && a.rules.every((rule, index) => rule === b.rules[index]);
  return sameRules && a.failover === b.failover && a.shift === b.shift && JSON.stringify(a.subsets) === JSON.stringify(b.subsets);
}
