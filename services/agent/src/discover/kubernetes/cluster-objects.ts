/** All that is known of a cluster's objects, as the registry has them: of a change, only what depends on it is made anew. Pure. */
import { isDeepStrictEqual } from 'node:util';
import { Compile } from 'typebox/compile';
import type { ObjectsByFile } from '../registry-files.ts';
import {
  type EndpointSliceObject,
  type EndpointWorkload,
  type RegistryObject,
  type SecretObject,
  type ServiceExportObject,
  type ServiceObject,
  SLICE_SERVICE_LABEL,
  SOURCE_KINDS,
} from '../registry-kinds.ts';
import type { ObjectChange } from '../service-index.ts';
import { KnownFacts } from './known-facts.ts';
import type { SliceEndpoint, SliceFacts } from './slice-facts.ts';
import type { NodeFacts, PodFacts } from './workload-facts.ts';

const shapes = new Map([...SOURCE_KINDS].map(([kind, schema]) => [kind, Compile(schema)]));

/** Tables by kind, and what they come to. */
export class ClusterObjects {
  readonly services = new KnownFacts<ServiceObject>((key) => this.#service(key));
  readonly exports = new KnownFacts<ServiceExportObject>((key, object) => {
    this.#emit(`ServiceExport/${key}`, object);
    this.#service(key);
  });
  readonly secrets = new KnownFacts<SecretObject>((key, object) => this.#emit(`Secret/${key}`, object));
  readonly slices = new KnownFacts<SliceFacts>((key, facts, before) => {
    this.#depend(key, before, facts);
    this.#slice(key);
  });
  readonly pods = new KnownFacts<PodFacts>((key) => this.#dependents(`Pod/${key}`));
  readonly nodes = new KnownFacts<NodeFacts>((key) => this.#dependents(`Node/${key}`));
  /** Each object by its key, as the state is saved. */
  readonly #objects = new Map<string, readonly [RegistryObject]>();
  readonly #warnings = new Map<string, readonly string[]>();
  /** Keys of slices, by the Pod or Node that they name: of most Pods it is one. */
  readonly #users = new Map<string, string | Set<string>>();
  /** Slices with endpoints whose Pods are not known, and those Pods. */
  readonly #waiting = new Map<string, readonly string[]>();
  /** What differs since this was asked last: as it was then, by key. */
  readonly #changes = new Map<string, RegistryObject | undefined>();
  #all: readonly RegistryObject[] | undefined;
  #changed = false;

  /** All objects; the same array while none differs. */
  get objects(): readonly RegistryObject[] {
    this.#all ??= [...this.#objects.values()].map(([object]) => object);
    return this.#all;
  }

  /** The objects as they are saved: one entry each. */
  get byFile(): ObjectsByFile {
    return this.#objects;
  }

  /** `NAMESPACE/NAME` of Pods that endpoints name and nobody knows. Such an endpoint is left out: who serves there is not proven. */
  get unknownPods(): readonly string[] {
    return [...this.#waiting.values()].flat();
  }

  /** What cannot be served, sorted. */
  get warnings(): readonly string[] {
    const tables = [this.services, this.exports, this.secrets, this.slices, this.pods, this.nodes];
    return [...tables.flatMap((table) => [...table.problems()]), ...[...this.#warnings.values()].flat()].sort();
  }

  /** The objects that differ since this was asked last; undefined when not even a warning does. */
  takeChanges(): readonly ObjectChange[] | undefined {
    const changes = [...this.#changes].map(([key, before]) => ({ before, after: this.#objects.get(key)?.[0] }));
    const changed = this.#changed;
    this.#changed = false;
    this.#changes.clear();
    return changed ? changes : undefined;
  }

  /** What is said of the objects differs. */
  touch(): void {
    this.#changed = true;
  }

  /** Most clusters have Services that stand for a name elsewhere: only an exported one is worth a word. */
  #service(key: string): void {
    const service = this.services.get(key);
    this.#warn(`Service/${key}`, []);
    this.#emit(`Service/${key}`, service?.spec.type === 'ExternalName' && this.exports.get(key) === undefined ? undefined : service);
  }

  #dependents(named: string): void {
    const users = this.#users.get(named) ?? [];
    for (const key of typeof users === 'string' ? [users] : users) this.#slice(key);
  }

  #depend(key: string, before: SliceFacts | undefined, after: SliceFacts | undefined): void {
    const [was, is] = [usedBy(before), usedBy(after)];
    for (const used of was) if (!is.has(used)) this.#forget(used, key);
    for (const used of is) {
      const users = this.#users.get(used);
      if (users === undefined) this.#users.set(used, key);
      else if (typeof users !== 'string') users.add(key);
      else if (users !== key) this.#users.set(used, new Set([users, key]));
    }
  }

  #forget(used: string, key: string): void {
    const users = this.#users.get(used);
    if (users === key) this.#users.delete(used);
    else if (users instanceof Set && users.delete(key) && users.size === 0) this.#users.delete(used);
  }

  #slice(key: string): void {
    const facts = this.slices.get(key);
    const object = `EndpointSlice/${key}`;
    this.#warn(object, facts?.service === undefined ? [] : facts.warnings);
    this.#waiting.delete(key);
    if (facts?.service === undefined) {
      this.#emit(object, undefined);
      return;
    }
    const [before] = this.#objects.get(object) ?? [];
    const unknown: string[] = [];
    const endpoints = facts.endpoints.flatMap((endpoint) => {
      const workload = this.#workload(endpoint, before as EndpointSliceObject | undefined);
      if (workload === 'unknown') unknown.push(endpoint.pod ?? '');
      return workload === 'unknown' ? [] : [this.#endpoint(endpoint, workload)];
    });
    if (unknown.length > 0) this.#waiting.set(key, unknown);
    this.#emit(object, sliceObject(facts, endpoints));
  }

  #endpoint(
    { address, conditions, zone, node, hostname }: SliceEndpoint,
    workload: EndpointWorkload | undefined,
  ): EndpointSliceObject['endpoints'][number] {
    const where = zone ?? (node === undefined ? undefined : this.nodes.get(node)?.zone);
    return {
      ...{ addresses: [address], conditions },
      ...(where ? { zone: where } : {}),
      ...(hostname === undefined ? {} : { hostname }),
      ...(workload === undefined ? {} : { workload }),
    };
  }

  /** Who serves at an endpoint. A Pod that is gone already was who it was: its endpoint goes when its slice says so. */
  #workload({ address, pod, uid }: SliceEndpoint, before: EndpointSliceObject | undefined): EndpointWorkload | 'unknown' | undefined {
    if (pod === undefined) return undefined;
    const facts = this.pods.get(pod);
    if (facts !== undefined && (uid === undefined || facts.uid === uid)) {
      return { id: facts.uid, serviceAccount: facts.serviceAccount, labels: facts.labels };
    }
    const known = before?.endpoints.find(({ addresses }) => addresses[0] === address)?.workload;
    return known !== undefined && (uid === undefined || known.id === uid) ? known : 'unknown';
  }

  #warn(key: string, warnings: readonly string[]): void {
    if (isDeepStrictEqual(this.#warnings.get(key) ?? [], warnings)) return;
    this.#changed = true;
    if (warnings.length === 0) this.#warnings.delete(key);
    else this.#warnings.set(key, warnings);
  }

  /** An object that the saved state would refuse is left as it was. */
  #emit(key: string, object: RegistryObject | undefined): void {
    const [before] = this.#objects.get(key) ?? [];
    if (object === undefined ? before === undefined : isDeepStrictEqual(before, object)) return;
    this.#changed = true;
    if (object !== undefined && shapes.get(object.kind)?.Check(object) !== true) {
      this.#refuse(key, object);
      return;
    }
    this.#all = undefined;
    if (!this.#changes.has(key)) this.#changes.set(key, before);
    if (object === undefined) this.#objects.delete(key);
    else this.#objects.set(key, [object]);
  }

  #refuse(key: string, object: RegistryObject): void {
    const [error] = shapes.get(object.kind)?.Errors(object) ?? [];
    const field = (error?.instancePath ?? '').slice(1).replaceAll('/', '.');
    this.#warn(key, [`${key.replace('/', ' ')}: ${field}: ${error?.message ?? 'is not usable'}; its last good state is kept`]);
  }
}

/** The Pods and Nodes that a slice names. */
function usedBy(facts: SliceFacts | undefined): ReadonlySet<string> {
  return new Set((facts?.endpoints ?? []).flatMap(({ pod, node }) => [...named('Pod', pod), ...named('Node', node)]));
}

function named(kind: string, name: string | undefined): string[] {
  return name === undefined ? [] : [`${kind}/${name}`];
}

function sliceObject({ name, namespace, ...facts }: SliceFacts, endpoints: EndpointSliceObject['endpoints']): EndpointSliceObject {
  return {
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' },
    metadata: { name, namespace, labels: { ...facts.labels, [SLICE_SERVICE_LABEL]: facts.service ?? '' } },
    ...{ addressType: facts.addressType, endpoints, ports: facts.ports },
  };
}
