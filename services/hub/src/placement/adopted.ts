/** Whose word counts where: what a member cluster owns goes there alone, and before what the hub has of the same name. Pure. */
import { bareName, ownerOf } from '@hawser/model/adoption.ts';
import { type Resource, resourceKey } from '@hawser/model/resource.ts';

/** Adopted resources by the key of what they take the place of (`KIND/NAMESPACE/NAME`), then by cluster. */
export type AdoptedIndex = ReadonlyMap<string, ReadonlyMap<string, Resource>>;

/** Those among resources. */
export function adoptedIn(resources: Iterable<Resource>): AdoptedIndex {
  const index = new Map<string, Map<string, Resource>>();
  for (const resource of resources) {
    const owner = ownerOf(resource.metadata.name);
    if (owner === undefined) continue;
    const key = placeKey(resource);
    const clusters = index.get(key) ?? new Map<string, Resource>();
    index.set(key, clusters.set(owner.cluster, resource));
  }
  return index;
}

/** The key by which agents know a resource: that of its owner's object. */
export function placeKey({ kind, metadata }: Pick<Resource, 'kind' | 'metadata'>): string {
  return resourceKey(kind, metadata.namespace, bareName(metadata.name));
}

/** Whether a cluster has its own of this resource of the hub's, which goes before it there. */
export function isDisplaced(resource: Resource, cluster: string, adopted: AdoptedIndex | undefined): boolean {
  if (adopted === undefined || adopted.size === 0 || ownerOf(resource.metadata.name) !== undefined) return false;
  return adopted.get(placeKey(resource))?.has(cluster) ?? false;
}
