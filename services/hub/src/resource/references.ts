/** What a policy refers to: services, subsets and regions, and whether they exist. Pure. */
import type { FailoverPolicySpec } from '@hawser/model/failover-policy.ts';
import type { Destination, DestinationRuleSpec, VirtualServiceSpec } from '@hawser/model/istio/specs.ts';
import type { Issue, Resource } from '@hawser/model/resource.ts';
import { parseServiceHost, type ServiceName, serviceKey } from '@hawser/model/service-host.ts';
import type { TrafficShiftSpec } from '@hawser/model/traffic-shift.ts';
import type { Condition } from '../hub-core.ts';
import { placeIssues } from './place-references.ts';

/** Ports of the services of the fleet, by `NAMESPACE/SERVICE`. */
export type KnownServices = ReadonlyMap<string, ReadonlySet<number>>;

/** What there is to refer to. */
export interface ReferenceWorld {
  /** `NAMESPACE/SERVICE` → its ports; undefined while the fleet is not known. */
  readonly services: KnownServices | undefined;
  /** Regions of the clusters. */
  readonly regions: ReadonlySet<string>;
  /** Names of the clusters. */
  readonly clusters: ReadonlySet<string>;
  /** `NAMESPACE/SERVICE` → subsets that DestinationRules define. */
  readonly subsets: ReadonlyMap<string, ReadonlySet<string>>;
}

/** References to nothing, each at its field. `complete` is false when services could not be looked up. */
export interface ReferenceCheck {
  readonly issues: readonly Issue[];
  readonly complete: boolean;
}

interface Reference {
  readonly path: string;
  readonly service: ServiceName;
  readonly subset?: string | undefined;
  readonly port?: number | undefined;
}

/** Looks up every reference of a valid policy resource. */
export function checkReferences(resource: Resource, world: ReferenceWorld): ReferenceCheck {
  const references = serviceReferences(resource);
  const missing = references.flatMap((reference) => missingReference(reference, world));
  return { issues: [...missing, ...placeIssues(resource, world)], complete: references.length === 0 || world.services !== undefined };
}

/** The condition `ResolvedRefs` that says the same. */
export function resolvedRefs(check: ReferenceCheck, generation: number): Condition {
  const base = { type: 'ResolvedRefs', observedGeneration: generation };
  const message = check.issues.map((issue) => `${issue.path} ${issue.message}`).join('; ');
  if (check.issues.length > 0) return { ...base, status: 'False', reason: 'RefNotFound', message };
  if (!check.complete)
    return { ...base, status: 'Unknown', reason: 'FleetUnknown', message: 'the services of the clusters are not known yet' };
  return { ...base, status: 'True', reason: 'Resolved', message: 'everything it refers to exists' };
}

/** Collects the subsets of DestinationRules by service. */
export function subsetsOf(rules: Iterable<Resource>): ReadonlyMap<string, ReadonlySet<string>> {
  const subsets = new Map<string, Set<string>>();
  for (const rule of rules) {
    const spec = rule.spec as DestinationRuleSpec;
    const service = parseServiceHost(spec.host ?? '', rule.metadata.namespace ?? '');
    if (service === undefined) continue;
    const names = subsets.get(serviceKey(service)) ?? new Set();
    for (const { name } of spec.subsets ?? []) names.add(name);
    subsets.set(serviceKey(service), names);
  }
  return subsets;
}

function serviceReferences(resource: Resource): readonly Reference[] {
  const namespace = resource.metadata.namespace ?? '';
  const at = (path: string, host: string, { subset, port }: Partial<Destination> = {}): readonly Reference[] => {
    const service = parseServiceHost(host, namespace);
    return service === undefined ? [] : [{ path, service, subset, port: port?.number }];
  };
  if (resource.kind === 'VirtualService') return virtualServiceReferences(resource.spec as VirtualServiceSpec, at);
  if (resource.kind === 'DestinationRule') return at('spec.host', (resource.spec as DestinationRuleSpec).host ?? '');
  if (resource.kind !== 'FailoverPolicy' && resource.kind !== 'TrafficShift') return [];
  const { services } = resource.spec as FailoverPolicySpec | TrafficShiftSpec;
  return (services ?? []).map((service, index) => ({ path: `spec.services[${index}]`, service: { namespace, service } }));
}

function virtualServiceReferences(
  spec: VirtualServiceSpec,
  at: (path: string, host: string, destination?: Destination) => readonly Reference[],
): readonly Reference[] {
  const hosts = (spec.hosts ?? []).flatMap((host, index) => at(`spec.hosts[${index}]`, host));
  const destinations = (['http', 'tcp', 'tls'] as const).flatMap((protocol) =>
    (spec[protocol] ?? []).flatMap(({ route = [] }, r) =>
      route.flatMap(({ destination }, d) => at(`spec.${protocol}[${r}].route[${d}].destination`, destination.host, destination)),
    ),
  );
  const mirrors = (spec.http ?? []).flatMap(({ mirror, mirrors: several = [] }, r) => [
    ...(mirror === undefined ? [] : at(`spec.http[${r}].mirror`, mirror.host, mirror)),
    ...several.flatMap(({ destination }, m) => at(`spec.http[${r}].mirrors[${m}].destination`, destination.host, destination)),
  ]);
  return [...hosts, ...destinations, ...mirrors];
}

function missingReference({ path, service, subset, port }: Reference, world: ReferenceWorld): readonly Issue[] {
  const key = serviceKey(service);
  const destination = /\.(destination|mirror)$/.test(path);
  if (world.services !== undefined && !world.services.has(key)) {
    const message = `names the service ${key}, which no cluster exports${suggestion(service, world.services)}`;
    return [{ path: destination ? `${path}.host` : path, code: 'FieldValueNotFound', message }];
  }
  return [...missingPort(path, { key, port }, world), ...missingSubset(path, { key, subset }, world)];
}

function missingPort(path: string, { key, port }: { key: string; port: number | undefined }, world: ReferenceWorld): readonly Issue[] {
  const ports = world.services?.get(key);
  if (port === undefined || ports === undefined || ports.has(port)) return [];
  const message = `is ${port}, which ${key} does not have; it has ${[...ports].sort((a, b) => a - b).join(', ')}`;
  return [{ path: `${path}.port.number`, code: 'FieldValueNotFound', message }];
}

function missingSubset(
  path: string,
  { key, subset }: { key: string; subset: string | undefined },
  world: ReferenceWorld,
): readonly Issue[] {
  if (subset === undefined || world.subsets.get(key)?.has(subset) === true) return [];
  const known = [...(world.subsets.get(key) ?? [])].sort();
  const way = known.length === 0 ? 'apply one first' : `they have ${known.join(', ')}`;
  const message = `is ${subset}, which no DestinationRule for ${key} defines: ${way}`;
  return [{ path: `${path}.subset`, code: 'FieldValueNotFound', message }];
}

function suggestion({ namespace, service }: ServiceName, services: KnownServices): string {
  const elsewhere = [...services.keys()].filter((key) => key.endsWith(`/${service}`)).sort();
  if (elsewhere.length > 0) return `; there is ${elsewhere.join(', ')}`;
  const near = [...services.keys()].filter((key) => key.startsWith(`${namespace}/`)).sort();
  return near.length === 0
    ? `; namespace ${namespace} has no service at all`
    : `; namespace ${namespace} has ${near
        .slice(0, 10)
        .map((key) => key.slice(namespace.length + 1))
        .join(', ')}`;
}
