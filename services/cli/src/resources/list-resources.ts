import type { Resource } from '@hawser/model/resource.ts';
import type { HubClient } from '../client/hub-client.ts';
import { type ResourceAddress, resourcePath } from '../client/resource-path.ts';

const PAGE = 500;

/** Every resource of a kind that a label selector chooses, page by page; sorted by namespace and name. */
export async function listResources(hub: HubClient, address: ResourceAddress, selector?: string): Promise<Resource[]> {
  return (await listWithRevision(hub, address, selector)).items;
}

/** As `listResources`, of one name when the address has one, with the revision that all of it is of. */
export async function listWithRevision(
  hub: HubClient,
  { name, ...address }: ResourceAddress,
  selector?: string,
): Promise<{ readonly items: Resource[]; readonly revision: string }> {
  const items: Resource[] = [];
  let revision = '0';
  let token: string | undefined;
  do {
    const query = new URLSearchParams({ limit: String(PAGE) });
    if (selector !== undefined) query.set('labelSelector', selector);
    if (name !== undefined) query.set('fieldSelector', `metadata.name=${name}`);
    if (token !== undefined) query.set('continue', token);
    const page = (await hub.send({ path: `${resourcePath(address)}?${query}` })) as {
      items: Resource[];
      metadata?: { continue?: string; resourceVersion?: string };
    };
    revision = page.metadata?.resourceVersion ?? '0';
    items.push(...page.items);
    token = page.metadata?.continue === '' ? undefined : page.metadata?.continue;
  } while (token !== undefined);
  items.sort((a, b) => compare(a.metadata.namespace ?? '', b.metadata.namespace ?? '') || compare(a.metadata.name, b.metadata.name));
  return { items, revision };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
