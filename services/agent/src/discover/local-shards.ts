/** Registry objects and health → one endpoint shard for each local service. Pure; same objects in any order, same shards. */
import { isDeepStrictEqual } from 'node:util';
import type { Endpoint, EndpointHealth, EndpointShard, ServicePort } from '@hawser/model/endpoint-shard.ts';
import { type ServiceName, serviceKey } from '@hawser/model/service-host.ts';
import { canonicalIp } from '@hawser/runtime/canonical-ip.ts';
import { isBare } from './bare-endpoints.ts';
import {
  type CheckTarget,
  checkPorts,
  checkTargets,
  HEALTH_CHECK_ANNOTATION,
  type HealthCheck,
  type HealthOf,
  healthCheckOf,
  networkOf,
  readinessOf,
  zoneOf,
} from './health-check.ts';
import { isHeadless, type OfferedService, offeredService } from './offered-service.ts';
import { spokenOn } from './port-protocol.ts';
import {
  type EndpointSliceObject,
  type EndpointWorkload,
  namespaceOf,
  type RegistryObject,
  type ServiceExportObject,
  type ServiceObject,
  SLICE_SERVICE_LABEL,
  type WorkloadEntryObject,
} from './registry-kinds.ts';
import { labelsOf, type ObjectChange, ServiceIndex } from './service-index.ts';
import { type StrayWorkloads, strayWorkloads } from './stray-workloads.ts';

/** What the local registry amounts to. Shards by service key; targets are what the checks watch. */
export interface LocalServices {
  readonly shards: ReadonlyMap<string, EndpointShard>;
  readonly targets: readonly CheckTarget[];
  readonly warnings: readonly string[];
}

/** How services are built: health comes from outside; what was built before is used again where nothing differs. */
export interface BuildOptions {
  readonly healthOf: HealthOf;
  /** The cluster's own network, once it is known. */
  readonly network?: string | undefined;
  /** Whether the cluster's gateways speak for workloads without a sidecar; the same in all calls with one memory. */
  readonly gatewayMode?: boolean;
  /** Kept from one call to the next of one cluster; the result is the same without it. */
  readonly memory?: ServiceMemory;
  /** Shards as they are elsewhere: an equal one is given as that object. */
  readonly known?: ReadonlyMap<string, EndpointShard>;
  /** All that differs from the objects of the last call with this memory, where that is known: nothing else is looked at, nor anybody's health. */
  readonly changes?: readonly ObjectChange[] | undefined;
}

/** What one service came to, and everything that it came from. */
interface BuiltService {
  readonly inputs: readonly (RegistryObject | string | undefined)[];
  readonly health: readonly { readonly address: string; readonly ports: readonly number[]; readonly health: EndpointHealth | undefined }[];
  readonly shard: EndpointShard;
  readonly targets: ReadonlyMap<string, CheckTarget>;
  readonly warnings: readonly string[];
}

/** The services as they were built last. */
export class ServiceMemory {
  built: ReadonlyMap<string, BuiltService> = new Map();
  targets: readonly CheckTarget[] = [];
  index: ServiceIndex | undefined;
  #strays: StrayWorkloads = { shards: [], targets: [] };
  #all: readonly CheckTarget[] = [];

  /** The index of these objects, and which services they may differ in from the last call; undefined: any. */
  indexed(objects: readonly RegistryObject[], changes: readonly ObjectChange[] | undefined) {
    const concerned = changes === undefined ? undefined : this.index?.apply(changes);
    if (this.index === undefined || concerned === undefined) this.index = new ServiceIndex(objects);
    return { index: this.index, concerned };
  }

  /** The shards of strays, and all targets; what is as it was is the same object. */
  withStrays(strays: StrayWorkloads): StrayWorkloads {
    if (!isDeepStrictEqual(strays, this.#strays)) this.#strays = strays;
    if (strays.targets.length === 0) return { shards: this.#strays.shards, targets: this.targets };
    const all = [...this.targets, ...strays.targets];
    if (!isDeepStrictEqual(all, this.#all)) this.#all = all;
    return { shards: this.#strays.shards, targets: this.#all };
  }
}

/** Builds the shards of one cluster; with a memory, only those whose objects or health differ. */
export function localServices(cluster: string, objects: readonly RegistryObject[], options: BuildOptions): LocalServices {
  const { healthOf, network, gatewayMode = false, memory = new ServiceMemory(), known } = options;
  const { index, concerned } = memory.indexed(objects, options.changes);
  const before = memory.built;
  const built = new Map<string, BuiltService>();
  const warnings: string[] = [];
  for (const key of index.keys) {
    const service = index.services.get(key);
    if (service === undefined) continue;
    if (service.spec.type === 'ExternalName') {
      warnings.push(`Service ${key}: spec.type ExternalName cannot be served or exported; the service is ignored`);
      continue;
    }
    const last = before.get(key);
    const isAside = last !== undefined && concerned?.has(key) === false;
    const one = isAside ? last : current(last, { ...partsOf(key, service, index), network });
    built.set(key, one);
    warnings.push(...one.warnings);
  }
  const isSame = built.size === before.size && [...built].every(([key, one]) => before.get(key) === one);
  if (!isSame) {
    memory.built = built;
    memory.targets = [...new Map([...built.values()].flatMap(({ targets }) => [...targets])).values()];
  }
  for (const key of without(built, index.exports.keys())) warnings.push(`ServiceExport ${key}: there is no Service of this name to export`);
  for (const key of without(built, index.slices.keys()))
    warnings.push(`EndpointSlice of ${key}: there is no Service of this name in the registry`);
  const strays = memory.withStrays(strayWorkloads(cluster, untaken(index.workloads, built), { healthOf, network }));
  const shards = new Map([...[...built].map(([key, { shard }]) => [key, shard] as const), ...strays.shards]);
  const { targets } = strays;
  return { shards, targets, warnings: [...new Set(warnings)] };

  function current(last: BuiltService | undefined, parts: ServiceParts): BuiltService {
    if (last !== undefined && isCurrent(last, parts, healthOf)) return last;
    return build(cluster, parts, { healthOf, gatewayMode, known: known?.get(serviceKey(parts.name)) });
  }
}

/** Keys of no service that was built, sorted. */
function without(built: ReadonlyMap<string, BuiltService>, keys: Iterable<string>): string[] {
  return [...keys].filter((key) => !built.has(key)).sort();
}

/** Workloads that no service has. */
function untaken(workloads: readonly WorkloadEntryObject[], built: ReadonlyMap<string, BuiltService>): readonly WorkloadEntryObject[] {
  if (workloads.length === 0) return workloads;
  const taken = new Set([...built.values()].flatMap(({ inputs }) => inputs));
  return workloads.filter((entry) => !taken.has(entry));
}

/** The objects of one service, each kind by name. */
interface ServiceParts {
  readonly name: ServiceName;
  readonly service: ServiceObject;
  readonly slices: readonly EndpointSliceObject[];
  readonly entries: readonly WorkloadEntryObject[];
  readonly exported: ServiceExportObject | undefined;
  /** The cluster's own. */
  readonly network: string | undefined;
}

function partsOf(key: string, service: ServiceObject, index: ServiceIndex): Omit<ServiceParts, 'network'> {
  const name = { namespace: namespaceOf(service), service: service.metadata.name };
  const [first] = Object.entries(service.spec.selector ?? {});
  const entries = first === undefined ? [] : (index.entries.get(`${name.namespace}/${first[0]}=${first[1]}`) ?? []);
  return { name, service, slices: byName(index.slices.get(key) ?? []), entries: byName(entries), exported: index.exports.get(key) };
}

function byName<T extends RegistryObject>(objects: readonly T[]): readonly T[] {
  return objects.length < 2 ? objects : [...objects].sort((a, b) => compare(a.metadata.name, b.metadata.name));
}

function inputsOf({ service, slices, entries, exported, network }: ServiceParts): BuiltService['inputs'] {
  return [service, exported, network, ...slices, ...entries];
}

/** Objects are never changed in place: the same ones, in the same health, make the same shard. */
function isCurrent(last: BuiltService, parts: ServiceParts, healthOf: HealthOf): boolean {
  const inputs = inputsOf(parts);
  return (
    inputs.length === last.inputs.length &&
    inputs.every((input, at) => last.inputs[at] === input) &&
    last.health.every(({ address, ports, health }) => healthOf(address, ports) === health)
  );
}

function build(
  cluster: string,
  parts: ServiceParts,
  { healthOf, gatewayMode, known }: { healthOf: HealthOf; gatewayMode: boolean; known: EndpointShard | undefined },
): BuiltService {
  const health: { address: string; ports: readonly number[]; health: EndpointHealth | undefined }[] = [];
  const asked: HealthOf = (address, ports) => {
    const found = healthOf(address, ports);
    health.push({ address, ports, health: found });
    return found;
  };
  const warnings: string[] = [];
  const targets = new Map<string, CheckTarget>();
  const builder = new ShardBuilder(parts.name, parts.service, { healthOf: asked, network: parts.network, gatewayMode, warnings, targets });
  const isNamed = parts.exported !== undefined && isHeadless(parts.service);
  for (const slice of firstFamilyFirst(parts)) builder.addSlice(slice, isNamed);
  for (const entry of parts.entries) builder.addEntry(entry);
  const { facts, warnings: unserved } =
    parts.exported === undefined ? UNOFFERED : offeredService(parts.service, parts.exported, builder.ports);
  warnings.push(...unserved);
  const made: EndpointShard = {
    ...{ cluster, ...parts.name, exported: parts.exported !== undefined, ports: builder.ports, endpoints: builder.endpoints() },
    ...(facts === undefined ? {} : { export: facts }),
  };
  if (made.endpoints.length > MANY_ENDPOINTS) warnings.push(`Service ${serviceKey(parts.name)}: ${TOO_MANY}`);
  const shard = known !== undefined && isDeepStrictEqual(known, made) ? known : made;
  return { inputs: inputsOf(parts), health, shard, targets, warnings };
}

const UNOFFERED: OfferedService = { facts: undefined, warnings: [] };

/** A service of more endpoints works, at a price that its owner should know. */
const MANY_ENDPOINTS = 5_000;
const TOO_MANY = `over ${MANY_ENDPOINTS} endpoints: each change of one sends all of them to every proxy that calls it; divide the service`;

/** The first of the service's families, which is that of its cluster IP; IPv4 where nobody says. */
function firstFamilyFirst({ service, slices }: ServiceParts): readonly EndpointSliceObject[] {
  const [named] = service.spec.ipFamilies ?? [];
  const first = named ?? (service.spec.clusterIP?.includes(':') === true ? 'IPv6' : 'IPv4');
  return [...slices].sort((a, b) => Number(b.addressType === first) - Number(a.addressType === first));
}

interface Sinks {
  readonly healthOf: HealthOf;
  readonly network: string | undefined;
  readonly gatewayMode: boolean;
  readonly warnings: string[];
  readonly targets: Map<string, CheckTarget>;
}

type PortSpec = NonNullable<ServiceObject['spec']['ports']>[number];

/** The kubelet checks its Pods; a drain is heard of all the same. */
const UNCHECKED: HealthCheck = { kind: 'none' };
const NO_PORTS: readonly number[] = [];

/** Collects the endpoints of one service. */
class ShardBuilder {
  readonly ports: ServicePort[];
  readonly #key: string;
  readonly #service: ServiceObject;
  readonly #sinks: Sinks;
  readonly #endpoints = new Map<string, Endpoint>();
  /** Address family of each workload. */
  readonly #families = new Map<string, EndpointSliceObject['addressType']>();

  constructor(name: ServiceName, service: ServiceObject, sinks: Sinks) {
    this.#key = serviceKey(name);
    this.#service = service;
    this.#sinks = sinks;
    this.ports = this.#specs().map((port) => ({
      ...(port.name === undefined ? {} : { name: port.name }),
      port: port.port,
      ...spokenOn(port),
    }));
  }

  /** Endpoints sorted by address. */
  endpoints(): Endpoint[] {
    return [...this.#endpoints.values()].sort((a, b) => compare(a.address, b.address));
  }

  /** KEP-0752: the slice's ports are the target ports, matched to the service's by name. Where endpoints are named, DNS tells them apart. */
  addSlice(slice: EndpointSliceObject, isNamed: boolean): void {
    // Of a service without workloads Kubernetes keeps a slice without ports, too.
    if (slice.endpoints.length === 0) return;
    const place = `EndpointSlice ${this.#key.split('/')[0]}/${slice.metadata.name}`;
    const targetPorts = this.#targetPorts(
      place,
      (spec) => slice.ports?.find((port) => isTcp(port) && (port.name ?? '') === (spec.name ?? ''))?.port,
    );
    // What cannot be called serves nobody; but the endpoints of a headless service have names without a port, too.
    if (Object.keys(targetPorts).length === 0 && !(isNamed && this.ports.length === 0)) return;
    const labels = Object.fromEntries(Object.entries(slice.metadata.labels ?? {}).filter(([name]) => name !== SLICE_SERVICE_LABEL));
    for (const { workload, conditions = {}, addresses, zone, hostname } of slice.endpoints) {
      const [address] = addresses;
      if (address === undefined || (workload !== undefined && this.#isSecondAddress(workload, slice.addressType))) continue;
      const unready = conditions.ready === false;
      const source = conditions.terminating === true ? 'DRAINING' : unready ? 'UNHEALTHY' : undefined;
      const who = { ...this.#who(workload?.labels ?? labels), serviceAccount: workload?.serviceAccount ?? 'default', ...zoneOf(zone) };
      // What the kubelet says of a Pod is the Pod's own word.
      const said = workload !== undefined && source === 'UNHEALTHY' ? ({ ready: false } as const) : {};
      const check = workload === undefined || this.#isAnnotated(this.#service) ? this.#checkOf(this.#service) : UNCHECKED;
      const called = isNamed && hostname !== undefined && hostname !== '' ? { hostname } : {};
      this.#add({ address, targetPorts, ...who, ...said, ...called }, source, check);
    }
  }

  /** A workload of a dual-stack service is in a slice of each family: it is one endpoint, of the family that came first. */
  #isSecondAddress({ id }: EndpointWorkload, family: EndpointSliceObject['addressType']): boolean {
    const known = this.#families.get(id);
    if (known === undefined) this.#families.set(id, family);
    return known !== undefined && known !== family;
  }

  addEntry(entry: WorkloadEntryObject): void {
    const selector = Object.entries(this.#service.spec.selector ?? {});
    const labels = labelsOf(entry);
    if (selector.length === 0 || !selector.every(([name, value]) => labels[name] === value)) return;
    const name = `WorkloadEntry ${this.#key.split('/')[0]}/${entry.metadata.name}`;
    const targetPorts = this.#targetPorts(name, (spec) => entryPort(entry, spec));
    if (Object.keys(targetPorts).length === 0) return;
    const { address, serviceAccount = 'default', locality, weight } = entry.spec;
    const weighted = weight === undefined || weight === 0 ? {} : { weight };
    const said = readinessOf(entry);
    const place = { ...zoneOf(locality?.split('/')[1]), ...networkOf(entry, this.#sinks.network) };
    const found = {
      address,
      targetPorts,
      ...this.#who(labels, entry.metadata.annotations),
      serviceAccount,
      ...place,
      ...weighted,
      ...said,
    };
    this.#add(found, said.ready === false ? 'UNHEALTHY' : undefined, this.#checkOf(entry));
  }

  #who(labels: Endpoint['labels'], annotations?: Readonly<Record<string, string>>): Pick<Endpoint, 'labels' | 'bare'> {
    return isBare(labels, { gatewayMode: this.#sinks.gatewayMode, annotations }) ? { labels, bare: true } : { labels };
  }

  #add(said: Omit<Endpoint, 'health'>, source: EndpointHealth | undefined, check: HealthCheck): void {
    const found = { ...said, address: canonicalIp(said.address) };
    const ports = [...new Set(Object.values(found.targetPorts))];
    const checked = this.#sinks.healthOf(found.address, check.kind === 'none' ? NO_PORTS : checkPorts(ports, check));
    this.#endpoints.set(found.address, { ...found, health: source ?? checked ?? 'HEALTHY' });
    // In another network the address is another machine's, or nobody's.
    if (found.network !== undefined) return;
    for (const target of checkTargets(found.address, ports, check))
      this.#sinks.targets.set(`${target.address}|${target.port}`, found.bare === true ? { ...target, bare: true } : target);
  }

  #isAnnotated(object: ServiceObject | WorkloadEntryObject): boolean {
    return object.metadata.annotations?.[HEALTH_CHECK_ANNOTATION] !== undefined;
  }

  #checkOf(annotated: ServiceObject | WorkloadEntryObject): HealthCheck {
    const { annotations } = this.#isAnnotated(annotated) ? annotated.metadata : this.#service.metadata;
    const text = annotations?.[HEALTH_CHECK_ANNOTATION];
    const check = healthCheckOf(annotations);
    if (text === undefined || check !== undefined) return check ?? { kind: 'tcp' };
    const place = `${annotated.kind} ${namespaceOf(annotated)}/${annotated.metadata.name}`;
    this.#warn(
      `${place}: metadata.annotations[${HEALTH_CHECK_ANNOTATION}]: ${JSON.stringify(text)} is not tcp, http:/PATH or none; tcp is used`,
    );
    return { kind: 'tcp' };
  }

  #specs(): readonly PortSpec[] {
    return (this.#service.spec.ports ?? []).filter(isTcp);
  }

  #targetPorts(place: string, named: (spec: PortSpec) => number | undefined): Readonly<Record<string, number>> {
    const result: Record<string, number> = {};
    for (const spec of this.#specs()) {
      const target = named(spec) ?? (typeof spec.targetPort === 'string' ? undefined : (spec.targetPort ?? spec.port));
      if (target !== undefined) result[String(spec.port)] = target;
      else this.#warn(`${place}: no port named ${String(spec.targetPort)}, which Service ${this.#key} wants for port ${spec.port}`);
    }
    return oneOf(result);
  }

  #warn(message: string): void {
    if (!this.#sinks.warnings.includes(message)) this.#sinks.warnings.push(message);
  }
}

function isTcp({ protocol = 'TCP' }: { readonly protocol?: string }): boolean {
  return protocol === 'TCP';
}

/** Equal ports are one object: V8 gives one with the key 80 room for all numbers up to it, a kilobyte for each service. */
const knownPorts = new Map<string, Readonly<Record<string, number>>>();
const MAX_KNOWN_PORTS = 1_000;

function oneOf(ports: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  const text = JSON.stringify(ports);
  const known = knownPorts.get(text);
  if (known !== undefined) return known;
  if (knownPorts.size >= MAX_KNOWN_PORTS) knownPorts.clear();
  knownPorts.set(text, ports);
  return ports;
}

/** Istio's rule: the entry's ports by the service port's name, then by a named target port, else the number. */
function entryPort(entry: WorkloadEntryObject, spec: PortSpec): number | undefined {
  const ports = entry.spec.ports ?? {};
  return (
    (spec.name === undefined ? undefined : ports[spec.name]) ?? (typeof spec.targetPort === 'string' ? ports[spec.targetPort] : undefined)
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
