/** Everything that analysers look at, by what they look for. Built in one pass over the resources. */

import type { DestinationRuleSpec, ServiceEntrySpec, VirtualServiceSpec } from '../istio/specs.ts';
import { CLUSTERS_ANNOTATION } from '../kinds.ts';
import { matchesSelector, parseLabelSelector } from '../label-selector.ts';
import { serviceKey } from '../service-host.ts';
import { destinationsOf } from './destinations.ts';
import type { Facts, KnownServices } from './facts.ts';
import { covers, isWildcard, keyOf } from './hosts.ts';
import type { Subject } from './subject.ts';

/** Whether there is a host; `unsaid` when that is not known. */
export type Presence = 'there' | 'nothing' | 'unsaid';

/** The world of one analysis. */
export class World {
  readonly facts: Facts;
  readonly services: KnownServices | undefined;
  readonly #byKind = new Map<string, Subject[]>();
  readonly #byKey = new Map<string, Subject>();
  /** By kind, then by host. */
  readonly #byHost = new Map<string, Map<string, Subject[]>>();
  /** Hosts of ServiceEntries. */
  readonly #entries = new Set<string>();
  readonly #wildEntries: string[] = [];
  readonly #wildRules: string[] = [];
  /** Worked out when it is first asked for. */
  #asked: ReadonlyMap<string, ReadonlySet<string>> | undefined;

  constructor(subjects: readonly Subject[], facts: Facts) {
    this.facts = facts;
    this.services = servicesOf(facts.services);
    for (const subject of subjects) this.#add(subject);
  }

  #add(subject: Subject): void {
    this.#byKey.set(subject.key, subject);
    listOf(this.#byKind, subject.kind).push(subject);
    if (subject.hosts.length === 0) return;
    const hosts = this.#byHost.get(subject.kind) ?? new Map<string, Subject[]>();
    this.#byHost.set(subject.kind, hosts);
    for (const host of subject.hosts) {
      listOf(hosts, host).push(subject);
      if (subject.kind === 'DestinationRule' && isWildcard(host)) this.#wildRules.push(host);
      if (subject.kind !== 'ServiceEntry') continue;
      this.#entries.add(host);
      if (isWildcard(host)) this.#wildEntries.push(host);
    }
  }

  /** Subjects of a kind; the caller says what their specs are, which their kind decides. */
  of<Spec>(kind: string): readonly Subject<Spec>[] {
    return (this.#byKind.get(kind) ?? []) as Subject<Spec>[];
  }

  get<Spec>(kind: string, namespace: string, name: string): Subject<Spec> | undefined {
    return this.#byKey.get(`${kind}/${namespace}/${name}`) as Subject<Spec> | undefined;
  }

  /** Policies of a kind that name exactly this host, the oldest first. */
  forHost<Spec>(kind: string, key: string): readonly Subject<Spec>[] {
    return (this.#byHost.get(kind)?.get(key) ?? []).toSorted(byAge) as Subject<Spec>[];
  }

  /** DestinationRules of a host: those that name it, else those of the longest wildcard that does. */
  rulesOf(key: string): readonly Subject<DestinationRuleSpec>[] {
    const exact = this.forHost<DestinationRuleSpec>('DestinationRule', key);
    if (exact.length > 0) return exact;
    const wild = this.#wildRules.filter((pattern) => covers(pattern, key)).sort((a, b) => b.length - a.length)[0];
    return wild === undefined ? [] : this.forHost('DestinationRule', wild);
  }

  /** Whether there is a service or a ServiceEntry with this host. */
  presence(key: string): Presence {
    if (this.#entries.has(key) || this.#wildEntries.some((pattern) => covers(pattern, key))) return 'there';
    if (this.services === undefined) return 'unsaid';
    if (this.services.has(key)) return 'there';
    if (!isWildcard(key)) return 'nothing';
    return [...this.services.keys(), ...this.#entries].some((known) => covers(key, known)) ? 'there' : 'nothing';
  }

  /** ServiceEntries that have this host, or a wildcard that takes it in. */
  entriesOf(key: string): readonly Subject<ServiceEntrySpec>[] {
    const wild = this.#wildEntries.filter((pattern) => pattern !== key && covers(pattern, key));
    return [key, ...new Set(wild)].flatMap((host) => this.forHost<ServiceEntrySpec>('ServiceEntry', host));
  }

  /** Names of subsets that routes ask a host for. */
  subsetsAsked(key: string): ReadonlySet<string> {
    this.#asked ??= askedSubsets(this.of('VirtualService'));
    if (!isWildcard(key)) return this.#asked.get(key) ?? new Set();
    return new Set([...this.#asked].flatMap(([host, names]) => (covers(key, host) ? [...names] : [])));
  }

  /** Names of the clusters that a policy goes to; undefined when the clusters are not known. */
  clustersOf({ annotations }: Pick<Subject, 'annotations'>): readonly string[] | undefined {
    const selector = parseLabelSelector(annotations[CLUSTERS_ANNOTATION] ?? '');
    const clusters = this.facts.clusters;
    if (clusters === undefined || 'problem' in selector) return undefined;
    return clusters.filter(({ labels }) => matchesSelector(selector, labels)).map(({ name }) => name);
  }
}

/** The older first; of the same age, by name: the order in which policy is in force. */
export function byAge(a: Subject, b: Subject): number {
  const [left, right] = [`${a.createdAt} ${a.key}`, `${b.createdAt} ${b.key}`];
  return left < right ? -1 : left > right ? 1 : 0;
}

function servicesOf(services: Facts['services']): KnownServices | undefined {
  if (services === undefined || 'has' in services) return services;
  return new Map(services.map((one) => [serviceKey(one), one]));
}

function askedSubsets(policies: readonly Subject<VirtualServiceSpec>[]): ReadonlyMap<string, ReadonlySet<string>> {
  const asked = new Map<string, Set<string>>();
  for (const { spec, namespace } of policies) {
    for (const { destination } of destinationsOf(spec)) {
      const key = keyOf(destination.host, namespace);
      const names = asked.get(key) ?? new Set();
      asked.set(key, names.add(destination.subset ?? ''));
    }
  }
  return asked;
}

function listOf<T>(map: Map<string, T[]>, key: string): T[] {
  const known = map.get(key);
  if (known !== undefined) return known;
  const list: T[] = [];
  map.set(key, list);
  return list;
}
