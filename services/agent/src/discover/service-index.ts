/** The objects of a cluster by the service that they belong to. Pure but for its own state. */
import { serviceKey } from '@hawser/model/service-host.ts';
import {
  type EndpointSliceObject,
  namespaceOf,
  type RegistryObject,
  type ServiceExportObject,
  type ServiceObject,
  SLICE_SERVICE_LABEL,
  type WorkloadEntryObject,
} from './registry-kinds.ts';

/** One object that differs: as it was, and as it is. */
export interface ObjectChange {
  readonly before: RegistryObject | undefined;
  readonly after: RegistryObject | undefined;
}

/** An index of all objects, which follows what changes. */
export class ServiceIndex {
  readonly services = new Map<string, ServiceObject>();
  readonly slices = new Map<string, readonly EndpointSliceObject[]>();
  /** By `NAMESPACE/LABEL=VALUE`, for each of their labels. */
  readonly entries = new Map<string, readonly WorkloadEntryObject[]>();
  readonly exports = new Map<string, ServiceExportObject>();
  workloads: readonly WorkloadEntryObject[] = [];
  #keys: readonly string[] | undefined;

  constructor(objects: readonly RegistryObject[]) {
    this.workloads = objects.filter((object) => object.kind === 'WorkloadEntry');
    const byLabel = this.workloads.flatMap((entry) => labelKeys(entry).map((key) => ({ key, entry })));
    for (const [key, found] of Map.groupBy(byLabel, (one) => one.key))
      this.entries.set(
        key,
        found.map(({ entry }) => entry),
      );
    const slices = objects.filter((object) => object.kind === 'EndpointSlice');
    for (const [key, found] of Map.groupBy(slices, sliceKey)) this.slices.set(key, found);
    for (const object of objects) if (object.kind === 'Service' || object.kind === 'ServiceExport') this.#add(object);
  }

  /** Keys of all services, sorted; the same array while none comes or goes. */
  get keys(): readonly string[] {
    this.#keys ??= [...this.services.keys()].sort();
    return this.#keys;
  }

  /** Takes in changes; returns the keys of the services that they may concern, or undefined where that is more than can be told. */
  apply(changes: readonly ObjectChange[]): ReadonlySet<string> | undefined {
    if (changes.some(({ before, after }) => (before ?? after)?.kind === 'WorkloadEntry')) return undefined;
    const concerned = new Set<string>();
    for (const { before, after } of changes) {
      if (before !== undefined) concerned.add(this.#remove(before));
      if (after !== undefined) concerned.add(this.#add(after));
    }
    return concerned;
  }

  #add(object: RegistryObject): string {
    const key = ownerKey(object);
    if (object.kind === 'Service') {
      if (!this.services.has(key)) this.#keys = undefined;
      this.services.set(key, object);
    } else if (object.kind === 'EndpointSlice') this.slices.set(key, [...(this.slices.get(key) ?? []), object]);
    else if (object.kind === 'ServiceExport') this.exports.set(key, object);
    return key;
  }

  #remove(object: RegistryObject): string {
    const key = ownerKey(object);
    if (object.kind === 'Service') {
      this.services.delete(key);
      this.#keys = undefined;
    } else if (object.kind === 'EndpointSlice') {
      const left = (this.slices.get(key) ?? []).filter((slice) => slice !== object);
      if (left.length === 0) this.slices.delete(key);
      else this.slices.set(key, left);
    } else if (object.kind === 'ServiceExport') this.exports.delete(key);
    return key;
  }
}

/** All labels that the selectors of services may choose an entry by. */
export function labelsOf(entry: WorkloadEntryObject): Record<string, string> {
  return { ...entry.metadata.labels, ...entry.spec.labels };
}

function labelKeys(entry: WorkloadEntryObject): string[] {
  return Object.entries(labelsOf(entry)).map(([name, value]) => `${namespaceOf(entry)}/${name}=${value}`);
}

function sliceKey(slice: EndpointSliceObject): string {
  return `${namespaceOf(slice)}/${slice.metadata.labels?.[SLICE_SERVICE_LABEL] ?? ''}`;
}

function ownerKey(object: RegistryObject): string {
  return object.kind === 'EndpointSlice' ? sliceKey(object) : serviceKey({ namespace: namespaceOf(object), service: object.metadata.name });
}
