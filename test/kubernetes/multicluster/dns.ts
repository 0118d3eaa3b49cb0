/** Rule 10: what the resolver of a captured workload answers, by the names that the agent hands it. */
import { fromBinary } from '@bufbuild/protobuf';
import { ownLayer } from '@hawser/agent/snapshot/resource.ts';
import { judge } from '@hawser/cli/proxy/names/answer.ts';
import { parseNameTable } from '@hawser/cli/proxy/names/name-table.ts';
import { RouteConfigurationSchema } from '@hawser/xds/generated/envoy/config/route/v3/route_pb.ts';
import { decode, encode } from 'dns-packet';
import { expect } from 'vitest';
import { HTTP, type KubeMember, named, type Rule } from './clusterset.ts';

const TWO = [
  ['db-0', '10.1.0.1'],
  ['db-1', '10.1.0.2'],
] as const;

/** Endpoints of a headless Service with a host name each, as those of a StatefulSet have. */
async function members(
  { kube }: KubeMember,
  key: string,
  endpoints: readonly (readonly [hostname: string, address: string])[],
): Promise<void> {
  const [namespace = '', name = ''] = key.split('/');
  await kube.admin.apply({
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4', ports: [{ name: 'http', port: 8080 }] },
    metadata: { name: `${name}-1`, namespace, labels: { 'kubernetes.io/service-name': name } },
    endpoints: endpoints.map(([hostname, address]) => ({ addresses: [address], hostname, conditions: { ready: true } })),
  });
}

/** An exported headless Service with these endpoints: its key, and its name in the clusterset. */
async function headless(
  member: KubeMember,
  namespace: string,
  endpoints: Parameters<typeof members>[2],
): Promise<{ readonly key: string; readonly host: string }> {
  const key = `${namespace}/db`;
  await member.offers(key, { clusterIP: 'None' });
  await members(member, key, endpoints);
  return { key, host: `db.${namespace}.svc.clusterset.local` };
}

/** What a workload of the cluster is answered: the response code, then records as text; `forward` where its own resolver is asked. */
function answered({ agent }: KubeMember, name: string, type: 'A' | 'SRV' | 'TXT'): readonly string[] {
  const proxy = {
    role: 'sidecar',
    address: '10.250.0.3',
    name: 'asker',
    namespace: 'shop',
    serviceAccount: 'default',
    capture: 'ipv4',
  } as const;
  agent.loop.attach(proxy);
  const routes = fromBinary(RouteConfigurationSchema, agent.store.get(ownLayer(proxy), 'RDS', 'names')?.bytes ?? new Uint8Array());
  const bodies = routes.virtualHosts.flatMap((host) =>
    host.routes.flatMap(({ match, action }) => {
      const body = action.case === 'directResponse' ? action.value.body?.specifier : undefined;
      return match?.pathSpecifier.value === '/names' && body?.case === 'inlineString' ? [body.value] : [];
    }),
  );
  const query = encode({ type: 'query', id: 0, flags: 0x100, questions: [{ name, type, class: 'IN' }] });
  const verdict = judge(query, parseNameTable(bodies[0] ?? ''), 'tcp');
  if (typeof verdict === 'string') return [verdict];
  const { rcode, answers } = decode(verdict.answer);
  const texts = answers.map((one) => (one.type === 'SRV' ? `${one.data.target}:${one.data.port}` : String(one.data)));
  return [String(rcode), ...texts.sort()];
}

/** Resolves when this is what a workload is answered. */
async function answers(member: KubeMember, name: string, type: 'A' | 'SRV' | 'TXT', wanted: readonly string[]): Promise<void> {
  await expect.poll(() => answered(member, name, type), { timeout: 20_000 }).toEqual(wanted);
}

export const DNS: readonly Rule[] = [
  {
    rule: 10,
    seen: 'a ClusterSetIP has an A record, and an SRV record for each of its named ports',
    show: async ({ east, west, shared }) => {
      const shop = await shared();
      const host = `web.${shop}.svc.clusterset.local`;
      await east.offers(`${shop}/web`, { ports: [...HTTP, { name: 'admin', port: 81, protocol: 'TCP' }] });
      const { spec } = await west.imported(`${shop}/web`);
      await answers(west, host, 'A', ['NOERROR', ...(spec.ips ?? [])]);
      await answers(west, `_admin._tcp.${host}`, 'SRV', ['NOERROR', `${host}:81`]);
      await answers(west, host, 'SRV', ['NOERROR', `${host}:80`, `${host}:81`]);
      await answers(west, `_other._tcp.${host}`, 'SRV', ['NXDOMAIN']);
    },
  },
  {
    rule: 10,
    seen: 'a ClusterSetIP has no name of one cluster, and what is not imported no name at all',
    show: async ({ east, west, shared }) => {
      const shop = await shared();
      await east.offers(`${shop}/web`);
      await east.service(`${shop}/quiet`);
      const { spec } = await west.imported(`${shop}/web`);
      await answers(west, `web.${shop}.svc.clusterset.local`, 'A', ['NOERROR', ...(spec.ips ?? [])]);
      for (const name of ['east.web', 'quiet']) await answers(west, `${name}.${shop}.svc.clusterset.local`, 'A', ['NXDOMAIN']);
    },
  },
  {
    rule: 10,
    seen: 'a headless import has an A record of each ready endpoint, and of each by its host name and cluster',
    show: async ({ east, shared }) => {
      const { host } = await headless(east, await shared(), TWO);
      await answers(east, host, 'A', ['NOERROR', '10.1.0.1', '10.1.0.2']);
      await answers(east, `db-1.east.${host}`, 'A', ['NOERROR', '10.1.0.2']);
      await answers(east, `db-1.west.${host}`, 'A', ['NXDOMAIN']);
    },
  },
  {
    rule: 10,
    seen: 'a headless import has an SRV record for each port and endpoint, with the port where the endpoint listens',
    show: async ({ east, shared }) => {
      const { host } = await headless(east, await shared(), TWO);
      await answers(east, `_http._tcp.${host}`, 'SRV', ['NOERROR', `db-0.east.${host}:8080`, `db-1.east.${host}:8080`]);
    },
  },
  {
    rule: 10,
    seen: 'a headless import without ports has the names of its endpoints all the same',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/peers`;
      const { namespace, name } = named(key);
      await east.offers(key, { clusterIP: 'None', ports: [] });
      await east.kube.admin.apply({
        ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4', ports: [] },
        metadata: { name, namespace, labels: { 'kubernetes.io/service-name': name } },
        endpoints: [{ addresses: ['10.1.0.7'], hostname: 'peer-0', conditions: { ready: true } }],
      });
      const host = `${name}.${namespace}.svc.clusterset.local`;
      await answers(east, host, 'A', ['NOERROR', '10.1.0.7']);
      await answers(east, `peer-0.east.${host}`, 'A', ['NOERROR', '10.1.0.7']);
      expect((await west.imported(key)).spec).toMatchObject({ type: 'Headless', ports: [] });
    },
  },
  {
    rule: 10,
    seen: 'a headless import without a ready endpoint has no name',
    show: async ({ east, shared }) => {
      const { key, host } = await headless(east, await shared(), TWO.slice(0, 1));
      await answers(east, host, 'A', ['NOERROR', '10.1.0.1']);
      await members(east, key, []);
      await answers(east, host, 'A', ['NXDOMAIN']);
    },
  },
  {
    rule: 10,
    seen: 'the version of the names is told, and names of the own cluster that the mesh does not have are left to its resolver',
    show: async ({ east, west, shared }) => {
      const shop = await shared();
      await east.offers(`${shop}/web`);
      await west.imported(`${shop}/web`);
      await answers(west, 'dns-version.clusterset.local', 'TXT', ['NOERROR', '1.0.0']);
      await answers(west, `web.${shop}.svc.cluster.local`, 'A', ['forward']);
      await answers(west, '10-1-0-1.default.pod.cluster.local', 'A', ['forward']);
    },
  },
];
