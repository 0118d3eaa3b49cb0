/** Policies by the service they are for. */
import { effectiveFailover, effectiveShift } from '@hawser/model/effective-policy.ts';
import { type FailoverPolicySpec, type HttpRouteSpec, type TrafficShiftSpec, VirtualServiceSpec } from '@hawser/model/kind-specs.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { hostKey, parseServiceHost, parseServiceKey, serviceKey } from '@hawser/model/service-host.ts';
import { Check } from 'typebox/value';
import {
  type DestinationPolicy,
  type DestinationRule,
  destinationPolicy,
  destinationRulesFor,
  destinationSpec,
  hostKeysOf,
  ownerOf,
  type Subset,
  sameDestinations,
} from './destination-rules.ts';
import { changedTable, changesBetween, type PolicyTable, policyKeyOf } from './policy-tables.ts';
import { COMMON_SCOPE } from './scope.ts';

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
  /** Every DestinationRule that is for it, oldest first; which of them holds may depend on the caller. */
  readonly destinations: readonly DestinationRule[];
  /** What they say to whom none of them means in particular. */
  readonly destination: DestinationPolicy;
  readonly subsets: readonly Subset[];
  readonly failover: FailoverPolicySpec | undefined;
  readonly shift: TrafficShiftSpec | undefined;
}

/** Policies by the service they are for. */
export interface PolicyIndex {
  /** What it was made of. */
  readonly policies: ReadonlyMap<string, Resource>;
  /** The policies of a service; the same object while nothing of them changed. */
  of(service: string): ServicePolicies;
}

interface Tables {
  readonly virtual: PolicyTable;
  readonly destination: PolicyTable;
  readonly placing: PolicyTable;
}

const NO_TABLES: Tables = { virtual: new Map(), destination: new Map(), placing: new Map() };

/**
 * Indexes policies, given the index of what was in force before: what did not change is taken from there. Policies of an
 * unknown or broken form are passed over: the feed reports them.
 */
export function indexPolicies(policies: ReadonlyMap<string, Resource>, before?: PolicyIndex): PolicyIndex {
  return new Index(policies, before instanceof Index ? before : undefined);
}

class Index implements PolicyIndex {
  readonly policies: ReadonlyMap<string, Resource>;
  readonly #tables: Tables;
  readonly #answers = new Map<string, ServicePolicies>();

  constructor(policies: ReadonlyMap<string, Resource>, before: Index | undefined) {
    this.policies = policies;
    const changes = changesBetween(before?.policies ?? new Map(), policies);
    const tables = before === undefined ? NO_TABLES : before.#tables;
    this.#tables = {
      virtual: changedTable(tables.virtual, changes, virtualServiceKeys),
      destination: changedTable(tables.destination, changes, destinationRuleKeys),
      placing: changedTable(tables.placing, changes, placedNamespaces),
    };
    if (before !== undefined)
      for (const [key, answer] of before.#answers) if (this.#isAsIn(before.#tables, key)) this.#answers.set(key, answer);
  }

  of(key: string): ServicePolicies {
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const name = parseServiceKey(key);
    const placing = this.#tables.placing.get(name.namespace) ?? [];
    const destinations = destinationRulesFor(key, (host) => this.#tables.destination.get(host) ?? []);
    const destination = destinationPolicy(destinations, ownerOf(key), COMMON_SCOPE);
    const answer: ServicePolicies = {
      rules: (this.#tables.virtual.get(key) ?? []).flatMap(rulesOf),
      destinations,
      destination,
      subsets: destination.subsets,
      failover: effectiveFailover(placing, name),
      shift: effectiveShift(placing, name),
    };
    this.#answers.set(key, answer);
    return answer;
  }

  #isAsIn(tables: Tables, key: string): boolean {
    const { namespace } = parseServiceKey(key);
    return (
      tables.virtual.get(key) === this.#tables.virtual.get(key) &&
      hostKeysOf(key).every((host) => tables.destination.get(host) === this.#tables.destination.get(host)) &&
      tables.placing.get(namespace) === this.#tables.placing.get(namespace)
    );
  }
}

function keysIn(policy: Resource, hosts: readonly string[]): Set<string> {
  const names = hosts.map((host) => parseServiceHost(host, policy.metadata.namespace ?? ''));
  return new Set(names.filter((name) => name !== undefined).map(serviceKey));
}

function virtualServiceKeys(policy: Resource): Iterable<string> {
  return policy.kind === 'VirtualService' ? keysIn(policy, virtualServiceHosts(policy)) : [];
}

function destinationRuleKeys(policy: Resource): Iterable<string> {
  if (policy.kind !== 'DestinationRule') return [];
  const key = hostKey(destinationSpec(policy)?.host ?? '', policy.metadata.namespace ?? '');
  return key === undefined ? [] : [key];
}

/** FailoverPolicy and TrafficShift are for their namespace. */
function placedNamespaces(policy: Resource): Iterable<string> {
  return policy.kind === 'FailoverPolicy' || policy.kind === 'TrafficShift' ? [policy.metadata.namespace ?? ''] : [];
}

function virtualServiceHosts(policy: Resource): readonly string[] {
  return Check(VirtualServiceSpec, policy.spec) ? policy.spec.hosts : [];
}

function rulesOf(policy: Resource): HttpRule[] {
  const known = ruleCache.get(policy);
  if (known !== undefined) return known;
  const namespace = policy.metadata.namespace ?? '';
  const rules = (policy.spec as VirtualServiceSpec).http.map((rule, index) => ({ policy: policyKeyOf(policy), index, namespace, rule }));
  ruleCache.set(policy, rules);
  return rules;
}

/** Keeps rules of an unchanged policy the same objects. */
const ruleCache = new WeakMap<Resource, HttpRule[]>();

/** Whether two answers say the same, policies compared by identity. */
export function samePolicies(a: ServicePolicies, b: ServicePolicies): boolean {
  if (a === b) return true;
  const sameRules = a.rules.length === b.rules.length && a.rules.every((rule, index) => rule === b.rules[index]);
  return sameRules && a.failover === b.failover && a.shift === b.shift && sameDestinations(a.destinations, b.destinations);
}
