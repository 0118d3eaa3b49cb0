/** Rule 9: EndpointSlices of imports. */
import { expect } from 'vitest';
import { serviceFile } from '../../kit/federation.ts';
import { type BackingObject, type Clusterset, HTTP, type KubeMember, named, type Rule } from './clusterset.ts';

const SOURCE = 'multicluster.kubernetes.io/source-cluster';

/** A rule that is seen while the agent of `east` gives imports EndpointSlices; `south` is in the network of `east`, `west` in its own. */
function withSlices(rule: number, seen: string, show: (set: Clusterset, key: string) => Promise<void>): Rule {
  const during = async (set: Clusterset) => {
    const key = `${await set.shared()}/web`;
    await set.east.with({ importEndpointSlices: true }, 'hawser-agent-import-slices', () => show(set, key));
  };
  return { rule, seen, show: during };
}

/** The import's slices, in the order of their names. */
async function slicesOf(member: KubeMember, key: string): Promise<readonly BackingObject[]> {
  const { namespace, name } = named(key);
  const all = await member.list('EndpointSlice', namespace);
  return all.filter(({ metadata }) => metadata.labels?.['multicluster.kubernetes.io/service-name'] === name);
}

const sourcesOf = (slices: readonly BackingObject[]) => slices.map(({ metadata }) => metadata.labels?.[SOURCE]).sort();
const addressesOf = (slices: readonly BackingObject[]) =>
  slices.flatMap(({ endpoints = [] }) => endpoints.flatMap(({ addresses }) => addresses)).sort();

/** Resolves once the slices are of these addresses. */
async function holds(member: KubeMember, key: string, addresses: readonly string[]): Promise<readonly BackingObject[]> {
  await expect.poll(async () => addressesOf(await slicesOf(member, key)), { timeout: 15_000 }).toEqual([...addresses].sort());
  return slicesOf(member, key);
}

/** An export of `south`, at these addresses. */
function inSouth(set: Clusterset, key: string, addresses: readonly string[]): void {
  set.south('web.yaml', serviceFile('web', addresses, named(key).namespace));
}

/** An empty file would be one that is just being written. */
function noneInSouth(set: Clusterset): void {
  set.south('web.yaml', serviceFile('other', []));
}

export const SLICES: readonly Rule[] = [
  withSlices(9, 'an import has EndpointSlices, each of one cluster, that name the service and the cluster', async (set, key) => {
    await set.east.offers(key);
    await set.east.endpoints(key, ['10.1.0.1']);
    inSouth(set, key, ['10.3.0.1', '10.3.0.2']);
    const slices = await holds(set.east, key, ['10.1.0.1', '10.3.0.1', '10.3.0.2']);
    expect(sourcesOf(slices)).toEqual(['east', 'south']);
    const south = slices.find(({ metadata }) => metadata.labels?.[SOURCE] === 'south');
    expect(south).toMatchObject({ addressType: 'IPv4', ports: [{ name: 'http', port: 9080, protocol: 'TCP' }] });
    expect(south?.endpoints?.[0]?.conditions).toEqual({ ready: true, serving: true, terminating: false });
    const { status, metadata } = await set.east.imported(key, (found) => found.status?.clusters?.length === 2);
    expect(status?.endpointSliceObjects).toBe('Present');
    expect(south?.metadata['ownerReferences']).toMatchObject([{ kind: 'ServiceImport', name: 'web', uid: metadata.uid }]);
  }),
  withSlices(9, 'endpoints behind gateways are in no EndpointSlice, and the import says so', async (set, key) => {
    const { east, west } = set;
    await Promise.all([east.offers(key), west.offers(key)]);
    await Promise.all([east.endpoints(key, ['10.1.0.1']), west.endpoints(key, ['10.2.0.1'])]);
    await expect.poll(() => east.served(key)).toContain('10.2.0.1');
    await holds(east, key, ['10.1.0.1']);
    const found = await east.imported(key, ({ status }) => status?.clusters?.length === 2);
    const [{ message } = { message: '' }] = found.status?.conditions ?? [];
    expect(message).toBe('exported by 2 clusters; endpoints of west are behind gateways, and in no EndpointSlice');
  }),
  withSlices(
    9,
    'an EndpointSlice has at most 100 endpoints, and one that leaves changes the slice alone that it was in',
    async (set, key) => {
      const { east } = set;
      const addresses = Array.from({ length: 250 }, (_, at) => `10.3.${Math.floor(at / 100)}.${(at % 100) + 1}`);
      inSouth(set, key, addresses);
      const before = await holds(east, key, addresses);
      expect(before.map(({ endpoints = [] }) => endpoints.length).sort()).toEqual([100, 100, 50]);
      inSouth(set, key, addresses.slice(1));
      const after = await holds(east, key, addresses.slice(1));
      const versions = new Map(before.map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
      expect(after.filter(({ metadata }) => versions.get(metadata.name) !== metadata.resourceVersion)).toHaveLength(1);
      expect(after).toHaveLength(3);
    },
  ),
  withSlices(9, 'EndpointSlices go with the export of their cluster, and all with the import', async (set, key) => {
    const { east } = set;
    await east.offers(key);
    await east.endpoints(key, ['10.1.0.1']);
    inSouth(set, key, ['10.3.0.1']);
    await holds(east, key, ['10.1.0.1', '10.3.0.1']);
    await east.withdraws(key);
    expect(sourcesOf(await holds(east, key, ['10.3.0.1']))).toEqual(['south']);
    noneInSouth(set);
    await east.notImported(key);
    await holds(east, key, []);
  }),
  withSlices(9, 'EndpointSlices of a cluster that is silent stay, over a restart too', async (set, key) => {
    const { east } = set;
    inSouth(set, key, ['10.3.0.1']);
    const [before] = await holds(east, key, ['10.3.0.1']);
    await set.southSilent(async () => {
      await east.restart({ importEndpointSlices: true });
      await east.offers(`${named(key).namespace}/near`);
      await east.endpoints(`${named(key).namespace}/near`, ['10.1.0.1']);
      await holds(east, `${named(key).namespace}/near`, ['10.1.0.1']);
      expect((await holds(east, key, ['10.3.0.1']))[0]?.metadata.uid).toBe(before?.metadata.uid);
    });
    noneInSouth(set);
  }),
  withSlices(9, 'an EndpointSlice that a user edited or deleted is put right', async (set, key) => {
    const { east } = set;
    inSouth(set, key, ['10.3.0.1']);
    const [slice] = (await holds(east, key, ['10.3.0.1'])) as [BackingObject];
    const object = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: slice.metadata };
    await east.edits(object, { endpoints: [{ addresses: ['10.9.9.9'] }], metadata: { labels: { [SOURCE]: 'mine' } } });
    await expect.poll(async () => sourcesOf(await slicesOf(east, key)), { timeout: 15_000 }).toEqual(['south']);
    await holds(east, key, ['10.3.0.1']);
    await east.kube.admin.remove(object);
    await expect
      .poll(async () => (await slicesOf(east, key))[0]?.metadata.uid ?? slice.metadata.uid, { timeout: 15_000 })
      .not.toBe(slice.metadata.uid);
    await holds(east, key, ['10.3.0.1']);
  }),
  withSlices(9, 'EndpointSlices of imports are no endpoints of this cluster', async (set, key) => {
    const { east, west } = set;
    await east.offers(key, { ports: HTTP });
    inSouth(set, key, ['10.3.0.1']);
    await holds(east, key, ['10.3.0.1']);
    await east.endpoints(key, ['10.1.0.1']);
    await holds(east, key, ['10.1.0.1', '10.3.0.1']);
    await expect.poll(() => west.served(key)).toContain('10.1.0.1');
    const own = (east.agent.world().shards[key] ?? []).filter(({ cluster }) => cluster === 'east');
    expect(own.flatMap(({ endpoints }) => endpoints.map(({ address }) => address))).toEqual(['10.1.0.1']);
    noneInSouth(set);
  }),
  {
    rule: 9,
    seen: 'without the switch there are no EndpointSlices, and those that there were are taken away',
    show: async (set) => {
      const key = `${await set.shared()}/web`;
      inSouth(set, key, ['10.3.0.1']);
      await set.east.with({ importEndpointSlices: true }, 'hawser-agent-import-slices', () =>
        holds(set.east, key, ['10.3.0.1']).then(() => undefined),
      );
      const { status } = await set.east.imported(key, (found) => found.status?.endpointSliceObjects === 'Absent');
      expect([status?.endpointSliceObjects, await slicesOf(set.east, key)]).toEqual(['Absent', []]);
      noneInSouth(set);
    },
  },
];
