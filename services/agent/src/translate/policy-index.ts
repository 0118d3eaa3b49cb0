/** Policies by the service they are for. */
import { type Diversion, type DrainedForm, diversionsOf, drainedForm, drainedServices } from '@hawser/model/diversion.ts';
import { type DrillInjection, drillFormOf } from '@hawser/model/drill-form.ts';
import { effectiveFailover, effectiveShift, effectiveSplit } from '@hawser/model/effective-policy.ts';
import type { FailoverPolicySpec } from '@hawser/model/failover-policy.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { hostKey, parseServiceKey } from '@hawser/model/service-host.ts';
import type { TrafficShiftSpec } from '@hawser/model/traffic-shift.ts';
import { changedTable, changesBetween, type PolicyChanges, type PolicyTable } from './policy-tables.ts';
import {
  type ConnectionRule,
  connectionRulesOf,
  delegateKeys,
  EXACT_RANK,
  type HttpRule,
  httpRulesOf,
  virtualServiceKeys,
} from './routes/virtual-service-rules.ts';
import { COMMON_SCOPE } from './scope/scope.ts';
import {
  type DestinationPolicy,
  type DestinationRule,
  destinationPolicy,
  destinationRulesFor,
  destinationSpec,
  hostKeysOf,
  type Subset,
  sameDestinations,
} from './upstreams/destination-rules.ts';

/** Everything that policy says about one service. */
export interface ServicePolicies {
  /** Of every VirtualService that names the service or a wildcard that it is below, the oldest first; who obeys which is `httpRoutes`'. */
  readonly rules: readonly HttpRule[];
  /** Of the same VirtualServices the rules for connections that are not HTTP. */
  readonly connections: readonly ConnectionRule[];
  /** Every DestinationRule that is for it, oldest first; which of them holds may depend on the caller. */
  readonly destinations: readonly DestinationRule[];
  /** The namespace that the service is of: its DestinationRules hold for callers that have none of their own; undefined: a host that nobody has. */
  readonly owner: string | undefined;
  /** What they say to whom none of them means in particular. */
  readonly destination: DestinationPolicy;
  readonly subsets: readonly Subset[];
  readonly failover: FailoverPolicySpec | undefined;
  /** Among regions or clusters. */
  readonly shift: TrafficShiftSpec | undefined;
  /** Among subsets. */
  readonly split: Resource<TrafficShiftSpec> | undefined;
  readonly diversions: readonly Diversion[];
  /** What a drill does to it; of several drills the oldest. */
  readonly injection: DrillInjection | undefined;
}

/** Policies by the service they are for. */
export interface PolicyIndex {
  /** What it was made of. */
  readonly policies: ReadonlyMap<string, Resource>;
  /** Keys of hosts that VirtualServices name: they exist by that alone, whether or not a service has them. */
  readonly hosts: ReadonlyMap<string, readonly Resource[]>;
  /** Keys of services that may be told otherwise than by the index before; undefined: any may. */
  readonly touched: ReadonlySet<string> | undefined;
  /** Whether tunnels through the gateways of a cluster have to end: they are drained of every service. */
  closesGateways(cluster: string): boolean;
  /**
   * The policies of a service; the same object while nothing of them changed. The host of a ServiceEntry is of the entry's namespace.
   */
  of(service: string, namespace?: string): ServicePolicies;
}

interface Tables {
  readonly virtual: PolicyTable;
  readonly delegates: PolicyTable;
  readonly destination: PolicyTable;
  readonly placing: PolicyTable;
  readonly drains: PolicyTable;
  /** Drills that do something to a service, by its key. */
  readonly injections: PolicyTable;
}

const NO_TABLES: Tables = {
  ...{ virtual: new Map(), delegates: new Map(), destination: new Map(), placing: new Map(), drains: new Map(), injections: new Map() },
};
/** Drains are for the whole federation, and few. */
const ALL_DRAINS = '';

/**
 * Indexes policies, given the index of what was in force before: what did not change is taken from there. Policies of an
 * unknown or broken form are passed over: the feed reports them. `changes` are those since, if they are known.
 */
export function indexPolicies(policies: ReadonlyMap<string, Resource>, before?: PolicyIndex, changes?: PolicyChanges): PolicyIndex {
  const known = before instanceof Index ? before : undefined;
  return new Index(policies, known, changes ?? changesBetween(known?.policies ?? new Map(), policies));
}

class Index implements PolicyIndex {
  readonly policies: ReadonlyMap<string, Resource>;
  readonly touched: ReadonlySet<string> | undefined;
  readonly #tables: Tables;
  /** By key, then by namespace. */
  readonly #answers: Map<string, Map<string, ServicePolicies>>;
  /** Keys of hosts of clusters that ServiceEntries of another namespace have: they have the placing policies of that. */
  readonly #strays: Set<string>;

  constructor(policies: ReadonlyMap<string, Resource>, before: Index | undefined, changes: PolicyChanges) {
    this.policies = policies;
    const tables = before === undefined ? NO_TABLES : before.#tables;
    this.#tables = {
      virtual: changedTable(tables.virtual, changes, virtualServiceKeys),
      delegates: changedTable(tables.delegates, changes, delegateKeys),
      destination: changedTable(tables.destination, changes, destinationRuleKeys),
      placing: changedTable(tables.placing, changes, placedNamespaces),
      drains: changedTable(tables.drains, changes, (policy) => (drainedForm(policy) === undefined ? [] : [ALL_DRAINS])),
      injections: changedTable(tables.injections, changes, (policy) => drillFormOf(policy)?.inject?.services ?? []),
    };
    this.#answers = before === undefined ? new Map() : new Map(before.#answers);
    this.#strays = before === undefined ? new Set() : before.#strays;
    this.touched = this.#touchedBy(changes, tables);
    for (const key of this.touched ?? this.#differing(tables)) this.#answers.delete(key);
  }

  /** A host that is no wildcard, and is nobody's delegate, touches its own alone; so does what moves the traffic of services it names. */
  #touchedBy({ removed, added }: PolicyChanges, tables: Tables): ReadonlySet<string> | undefined {
    if (tables.delegates !== this.#tables.delegates) return undefined;
    const policies = [...removed, ...added];
    const hosts = policies.flatMap((policy) => [...virtualServiceKeys(policy), ...destinationRuleKeys(policy)]);
    const moved = policies.map(movedServices);
    if (moved.includes(undefined) || hosts.some((host) => host.startsWith('*/'))) return undefined;
    const named = moved.flatMap((keys) => keys ?? []);
    return new Set([...hosts, ...named, ...(named.length === 0 ? [] : this.#strays)]);
  }

  /** Keys of answers that are not what they were. */
  #differing(tables: Tables): string[] {
    return [...this.#answers]
      .filter(([key, byNamespace]) => ![...byNamespace.keys()].every((one) => this.#isAsIn(tables, key, one)))
      .map(([key]) => key);
  }

  get hosts(): PolicyTable {
    return this.#tables.virtual;
  }

  closesGateways(cluster: string): boolean {
    const drains = (this.#tables.drains.get(ALL_DRAINS) ?? []).flatMap((drain) => drainedForm(drain) ?? []);
    const isWhole = ({ percent = 0, closeLongLived, services }: DrainedForm): boolean =>
      percent >= 100 && closeLongLived === true && services === undefined;
    return drains.some((drain) => drain.scope.gateway === cluster && isWhole(drain));
  }

  of(key: string, namespace = parseServiceKey(key).namespace): ServicePolicies {
    const known = this.#answers.get(key)?.get(namespace);
    if (known !== undefined) return known;
    const name = { namespace, service: parseServiceKey(key).service };
    const placing = this.#tables.placing.get(name.namespace) ?? [];
    const destinations = destinationRulesFor(key, (host) => this.#tables.destination.get(host) ?? []);
    const owner = namespace === '*' ? undefined : namespace;
    const destination = destinationPolicy(destinations, owner, COMMON_SCOPE);
    if (![namespace, '*'].includes(parseServiceKey(key).namespace)) this.#strays.add(key);
    const failover = effectiveFailover(placing, name);
    const answer: ServicePolicies = {
      rules: this.#virtualServices(key, (policy, rank) => httpRulesOf(policy, rank, (name) => this.#tables.delegates.get(name)?.[0])),
      connections: this.#virtualServices(key, connectionRulesOf),
      destinations,
      owner,
      destination,
      subsets: destination.subsets,
      failover,
      shift: effectiveShift(placing, name),
      split: effectiveSplit(placing, name),
      diversions: diversionsOf(this.#tables.drains.get(ALL_DRAINS) ?? [], failover, name),
      injection: this.#injection(key),
    };
    // A map of its own: that of the index before may share it.
    this.#answers.set(key, new Map([...(this.#answers.get(key) ?? []), [namespace, answer]]));
    return answer;
  }

  /** Rules of every VirtualService that is for a service, each with the rank of the host by which it was found. */
  #virtualServices<Rule>(key: string, rulesOf: (policy: Resource, rank: number) => readonly Rule[]): Rule[] {
    return hostKeysOf(key).flatMap((host) => {
      const rank = host === key ? EXACT_RANK : host.length;
      return (this.#tables.virtual.get(host) ?? []).flatMap((policy) => rulesOf(policy, rank));
    });
  }

  #injection(key: string): DrillInjection | undefined {
    const [oldest] = this.#tables.injections.get(key) ?? [];
    return oldest === undefined ? undefined : drillFormOf(oldest)?.inject;
  }

  #isAsIn(tables: Tables, key: string, namespace: string): boolean {
    const hosts = hostKeysOf(key);
    return (
      // Any rule may delegate: changes of delegates are rare.
      tables.delegates === this.#tables.delegates &&
      hosts.every((host) => tables.virtual.get(host) === this.#tables.virtual.get(host)) &&
      hosts.every((host) => tables.destination.get(host) === this.#tables.destination.get(host)) &&
      tables.placing.get(namespace) === this.#tables.placing.get(namespace) &&
      tables.drains === this.#tables.drains &&
      tables.injections.get(key) === this.#tables.injections.get(key)
    );
  }
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

/** Keys that the services may have whose traffic a policy moves; undefined: it does not name them. None of any other kind. */
function movedServices(policy: Resource): readonly string[] | undefined {
  const { kind, metadata, spec } = policy;
  const drained = drainedForm(policy);
  const injected = drillFormOf(policy)?.inject?.services ?? [];
  if (drained === undefined && injected.length > 0) return injected;
  if (drained !== undefined) {
    const named = drainedServices(drained)?.flatMap((key) => [key, `*/${parseServiceKey(key).service}`]);
    return named && [...named, ...injected];
  }
  if (kind !== 'FailoverPolicy' && kind !== 'TrafficShift') return [];
  const { services } = (spec ?? {}) as { readonly services?: readonly string[] };
  return services?.flatMap((service) => [`${metadata.namespace ?? ''}/${service}`, `*/${service}`]);
}

/** Whether two answers say the same, policies compared by identity. */
export function samePolicies(a: ServicePolicies, b: ServicePolicies): boolean {
  if (a === b) return true;
  const sameRules = sameObjects(a.rules, b.rules) && sameObjects(a.connections, b.connections);
  const samePlaces = a.failover === b.failover && a.shift === b.shift && sameObjects(a.diversions, b.diversions);
  const sameMoves = a.split === b.split && a.injection === b.injection;
  return sameRules && samePlaces && sameMoves && a.owner === b.owner && sameDestinations(a.destinations, b.destinations);
}

/** Whether two lists have the same objects in the same order. */
export function sameObjects(a: readonly object[], b: readonly object[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}
