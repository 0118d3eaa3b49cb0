/** Which services policies of a namespace name: what its workloads are expected to call (decision 0017). Pure. */
import type { FailoverPolicySpec } from '@hawser/model/failover-policy.ts';
import type { Resource } from '@hawser/model/resource.ts';
import { hostKey } from '@hawser/model/service-host.ts';
import { parseUpstreamName } from '../names.ts';
import { changedTable, changesBetween, type PolicyTable } from '../policy-tables.ts';
import { virtualServiceSpec } from '../routes/virtual-service-rules.ts';
import { destinationSpec } from '../upstreams/destination-rules.ts';

type Policies = ReadonlyMap<string, Resource>;

/** Services by the namespace whose policies name them; work goes with what of the policies changed. */
export class CalledServices {
  #policies: Policies = new Map();
  #table: PolicyTable = new Map();
  readonly #known = new Map<string, { readonly of: readonly Resource[]; readonly services: ReadonlySet<string> }>();

  /** Keys of the services; the same object while they are the same. */
  of(namespace: string, policies: Policies): ReadonlySet<string> {
    if (policies !== this.#policies) {
      this.#table = changedTable(this.#table, changesBetween(this.#policies, policies), namespaceOf);
      this.#policies = policies;
    }
    const named = this.#table.get(namespace) ?? NO_POLICIES;
    const known = this.#known.get(namespace);
    if (known?.of === named) return known.services;
    const found = new Set(named.flatMap(servicesNamedIn));
    const services = known !== undefined && known.services.symmetricDifference(found).size === 0 ? known.services : found;
    this.#known.set(namespace, { of: named, services });
    return services;
  }
}

const NO_POLICIES: readonly Resource[] = [];

/** Key of the service that an upstream is of; undefined for any other upstream. */
export function serviceOfUpstream(name: string): string | undefined {
  if (keys.size >= MOST_KEYS) keys.clear();
  const known = keys.get(name);
  if (known !== undefined) return known;
  const host = parseUpstreamName(name)?.host;
  const key = host === undefined ? undefined : hostKey(host, '');
  if (key !== undefined) keys.set(name, key);
  return key;
}

/** Names that were read before. */
const keys = new Map<string, string>();
const MOST_KEYS = 50_000;

const KINDS = new Set(['VirtualService', 'DestinationRule', 'FailoverPolicy', 'TrafficShift']);

function namespaceOf({ kind, metadata }: Resource): Iterable<string> {
  return KINDS.has(kind) ? [metadata.namespace ?? ''] : [];
}

/** A wildcard names none: what it is for comes when it is called. */
function servicesNamedIn(policy: Resource): readonly string[] {
  const known = namedIn.get(policy);
  if (known !== undefined) return known;
  const keys = hostsNamedIn(policy).map((host) => hostKey(host, policy.metadata.namespace ?? ''));
  const services = [...new Set(keys.filter((key) => key !== undefined && !key.startsWith('*/*')))] as string[];
  namedIn.set(policy, services);
  return services;
}

const namedIn = new WeakMap<Resource, readonly string[]>();

function hostsNamedIn(policy: Resource): readonly string[] {
  if (policy.kind === 'DestinationRule') return [destinationSpec(policy)?.host ?? ''];
  if (policy.kind !== 'VirtualService') return (policy.spec as FailoverPolicySpec | null)?.services ?? [];
  const { hosts = [], http = [], tls = [], tcp = [] } = virtualServiceSpec(policy) ?? {};
  const targets = [
    ...http.flatMap(({ route = [], mirror, mirrors = [] }) => [
      ...route,
      ...mirrors,
      ...(mirror === undefined ? [] : [{ destination: mirror }]),
    ]),
    ...[...tls, ...tcp].flatMap(({ route = [] }) => route),
  ];
  return [...hosts, ...targets.map(({ destination }) => destination.host)];
}
