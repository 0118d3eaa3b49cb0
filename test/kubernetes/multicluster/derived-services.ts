/** Gateway mode: the address of an import is the ClusterIP of a derived Service, whose endpoints are the outbound gateway's. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { ownLayer } from '@hawser/agent/snapshot/resource.ts';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { ListenerSchema } from '@hawser/xds/generated/envoy/config/listener/v3/listener_pb.ts';
import { expect } from 'vitest';
import { eventually } from '../../kit/served.ts';
import {
  type BackingObject,
  type Clusterset,
  clustersOf,
  HTTP,
  type ImportObject,
  importOf,
  type KubeMember,
  named,
  type Rule,
} from './clusterset.ts';
import { namesIn } from './types-and-addresses.ts';

const ROLE = 'hawser-agent-derived-services';
const VIRTUAL = /^240\./;

/** A rule that is seen while the agent of `west` is in gateway mode. */
function inGatewayMode(rule: number, seen: string, show: (set: Clusterset, key: string) => Promise<void>): Rule {
  return {
    rule,
    seen,
    show: async (set) => {
      const key = `${await set.shared()}/web`;
      await outboundGateway(set.west, ['10.2.9.1', '10.2.9.2']);
      await set.west.with({ gatewayMode: true }, ROLE, () => show(set, key));
    },
  };
}

/** The outbound gateway's EndpointSlice, as the controller of Kubernetes makes it. */
async function outboundGateway({ kube }: KubeMember, addresses: readonly string[]): Promise<void> {
  await kube.admin.apply({
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4', ports: [{ name: 'http', port: 15001 }] },
    metadata: { name: 'hawser-outbound-x', namespace: 'hawser-system', labels: { 'kubernetes.io/service-name': 'hawser-outbound' } },
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true, serving: true, terminating: false } })),
  });
}

/** The derived Service of an import, once the import has its address. */
async function derivedOf(member: KubeMember, key: string): Promise<BackingObject> {
  const { namespace, name } = named(key);
  let found: BackingObject | undefined;
  await member.imported(key, () => true);
  await eventually(
    async () => {
      const all = await member.list('Service', namespace);
      found = all.find(({ metadata }) => metadata.labels?.['multicluster.kubernetes.io/service-name'] === name);
      return found !== undefined && (await member.import(key))?.spec.ips?.[0] === found.spec?.clusterIP;
    },
    () => `the derived Service of ${key} is ${JSON.stringify(found)}; ${member.said()}`,
    15_000,
  );
  return found as BackingObject;
}

/** What its EndpointSlices say: `NAME:PORT` and addresses. */
async function ledTo(member: KubeMember, { metadata: { name, namespace } }: BackingObject): Promise<readonly string[]> {
  const slices = (await member.list('EndpointSlice', namespace)).filter(
    ({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === name,
  );
  return slices.flatMap(({ ports = [], endpoints = [] }) => [
    ...ports.map((port) => `${port.name}:${port.port}`),
    ...endpoints.flatMap(({ addresses }) => addresses),
  ]);
}

/** Where a sidecar that is not captured is called for a TCP service. */
function listenerPort({ agent }: KubeMember, name: string): number | undefined {
  const proxy = { role: 'sidecar', address: '10.250.0.2', name: 'plain', namespace: 'shop', serviceAccount: 'default' } as const;
  agent.loop.attach(proxy);
  const bytes = agent.store.get(ownLayer(proxy), 'LDS', name)?.bytes;
  const { address } = bytes === undefined ? {} : (fromBinary(ListenerSchema, bytes).address ?? {});
  const port = address?.case === 'socketAddress' ? address.value.portSpecifier : undefined;
  return port?.case === 'portValue' ? port.value : undefined;
}

/** Runs a block of commands at the end of docs/without-sidecars.md, as kubectl does: `kubectl delete KINDS --all-namespaces -l SELECTOR`, a line each. */
async function asTheGuideSays({ kube: { admin } }: KubeMember, block: 'helm upgrade' | 'helm uninstall'): Promise<void> {
  const guide = readFileSync(join(import.meta.dirname, '../../../docs/without-sidecars.md'), 'utf8');
  const [, text = ''] = new RegExp(`^.*after \`${block}\`.*\\n\\n\`\`\`sh\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(guide) ?? [];
  const lines = [...text.matchAll(/^kubectl delete (\S+) --all-namespaces -l '?([^'\s]+)'?$/gm)];
  expect(lines.length).toBe(text.trim().split('\n').length);
  for (const [, plural = '', selector = ''] of lines) {
    const path = `${PATHS[plural]}/${plural}?labelSelector=${encodeURIComponent(selector)}`;
    const { items } = await admin.must<{ readonly items: readonly KubeObject[] }>('GET', path);
    for (const { metadata } of items)
      await admin.must('DELETE', `${PATHS[plural]}/namespaces/${metadata.namespace}/${plural}/${metadata.name}`);
  }
}

const PATHS: Readonly<Record<string, string>> = {
  ...{ services: '/api/v1', endpointslices: '/apis/discovery.k8s.io/v1', serviceimports: '/apis/multicluster.x-k8s.io/v1beta1' },
};

/** An EndpointSlice as `--import-endpoint-slices` makes it. */
function importSlice(namespace: string): KubeObject {
  const [owner, source] = [
    { 'endpointslice.kubernetes.io/managed-by': 'hawser.dev' },
    { 'multicluster.kubernetes.io/source-cluster': 'east' },
  ];
  return {
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4', endpoints: [], ports: [] },
    metadata: { name: 'web-east-0', namespace, labels: { ...owner, ...source } },
  };
}

export const DERIVED: readonly Rule[] = [
  inGatewayMode(
    4,
    'in gateway mode an import has the address that the API server gave its derived Service, and so has its name',
    async (set, key) => {
      const { east, west } = set;
      await east.offers(key);
      const { metadata, spec } = await derivedOf(west, key);
      const found = await west.imported(key, ({ status }) => status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True');
      expect(found.spec).toMatchObject({ ips: [spec?.clusterIP], ipFamilies: ['IPv4'] });
      expect(spec).toMatchObject({ type: 'ClusterIP', clusterIP: expect.stringMatching(/^10\.97\./), ports: [{ name: 'http', port: 80 }] });
      expect(spec?.['selector']).toBeUndefined();
      expect(metadata.labels?.['app.kubernetes.io/managed-by']).toBe('hawser');
      expect(metadata['ownerReferences']).toMatchObject([{ kind: 'ServiceImport', name: 'web', uid: found.metadata.uid }]);
      await expect.poll(() => namesIn(west, named(key).namespace)).toContain(spec?.clusterIP);
    },
  ),
  inGatewayMode(
    4,
    'an import of whose families its derived Service has none is told IPFamilyNotSupported, and keeps the address that it has',
    async ({ west }, key) => {
      await west.offers(key, { ipFamilies: ['IPv6'] });
      const { spec: derived } = await derivedOf(west, key);
      const isJudged = ({ status }: ImportObject) => status?.conditions?.some(({ reason }) => reason === 'IPFamilyNotSupported') === true;
      const { spec, status } = await west.imported(key, isJudged);
      expect(spec).toMatchObject({ ips: [derived?.clusterIP], ipFamilies: ['IPv4'] });
      expect(status?.conditions).toMatchObject([
        { type: 'Ready', status: 'False', message: expect.stringContaining('of IPv6 there is none') },
      ]);
    },
  ),
  inGatewayMode(
    4,
    'a derived Service leads to the outbound gateway: HTTP to its port for HTTP, TCP to the port of the service',
    async (set, key) => {
      const { east, west } = set;
      const tcp = { name: 'tcp-data', port: 5432, protocol: 'TCP' };
      await east.offers(key, { ports: [...HTTP, tcp] });
      const service = await derivedOf(west, key);
      const port = () => listenerPort(west, `outbound_tcp|5432|web.${named(key).namespace}.svc.clusterset.local`);
      await expect.poll(port).toBeGreaterThanOrEqual(16_000);
      const wanted = ['http:15001', `tcp-data:${port()}`, '10.2.9.1', '10.2.9.2'];
      await expect.poll(() => ledTo(west, service), { timeout: 10_000 }).toEqual(wanted);
      await outboundGateway(west, ['10.2.9.2', '10.2.9.3']);
      await expect.poll(() => ledTo(west, service), { timeout: 10_000 }).toEqual([...wanted.slice(0, 2), '10.2.9.2', '10.2.9.3']);
    },
  ),
  inGatewayMode(
    4,
    'a derived Service that a user edited is put right, one that was deleted comes again with its address',
    async (set, key) => {
      const { east, west } = set;
      await east.offers(key);
      const before = await derivedOf(west, key);
      const object = { apiVersion: 'v1', kind: 'Service', metadata: before.metadata };
      await west.edits(object, {
        metadata: { labels: { 'app.kubernetes.io/managed-by': null } },
        spec: { type: 'NodePort', selector: { app: 'mine' }, ports: [{ port: 81, protocol: 'TCP' }] },
      });
      const now = async () => (await west.kube.admin.read(object)) as BackingObject | undefined;
      const said = async () => {
        const { metadata, spec } = (await now()) ?? {};
        return [
          metadata?.labels?.['app.kubernetes.io/managed-by'],
          spec?.['type'],
          spec?.['selector'],
          spec?.ports.map(({ port }) => port),
        ];
      };
      await expect.poll(said, { timeout: 15_000 }).toEqual(['hawser', 'ClusterIP', undefined, [80]]);
      await west.kube.admin.remove(object);
      await expect.poll(async () => (await now())?.spec?.clusterIP, { timeout: 15_000 }).toBe(before.spec?.clusterIP);
      expect((await west.imported(key)).spec.ips).toEqual([before.spec?.clusterIP]);
    },
  ),
  inGatewayMode(4, 'an import keeps its derived address over a restart, and when it is deleted', async (set, key) => {
    const { east, west } = set;
    await east.offers(key);
    const { spec, metadata } = await derivedOf(west, key);
    await west.restart({ gatewayMode: true });
    const before = await west.imported(key);
    await west.kube.admin.remove(importOf(key));
    const after = await west.imported(key, ({ metadata: { uid } }) => uid !== before.metadata.uid);
    expect([before.spec.ips, after.spec.ips]).toEqual([[spec?.clusterIP], [spec?.clusterIP]]);
    const owners = async () => (await west.kube.admin.read({ apiVersion: 'v1', kind: 'Service', metadata }))?.metadata['ownerReferences'];
    await expect.poll(owners, { timeout: 10_000 }).toMatchObject([{ uid: after.metadata.uid }]);
  }),
  inGatewayMode(2, 'a derived Service goes with its import, and with its EndpointSlices', async (set, key) => {
    const { east, west } = set;
    await east.offers(key);
    const { metadata } = await derivedOf(west, key);
    await expect.poll(async () => (await west.leftBehind(metadata.namespace)).length, { timeout: 10_000 }).toBe(2);
    await east.withdraws(key);
    await west.notImported(key);
    await expect.poll(() => west.leftBehind(metadata.namespace), { timeout: 10_000 }).toEqual([]);
  }),
  inGatewayMode(
    0,
    'a Service of the name of a derived one that somebody else made is left as it is, and the agent says so',
    async (set, key) => {
      const { east, west } = set;
      await east.offers(key);
      const { metadata } = await derivedOf(west, key);
      const theirs = `${await set.shared()}/${metadata.name}`;
      await west.service(theirs, { selector: { app: 'mine' } });
      await east.offers(`${named(theirs).namespace}/web`);
      await eventually(
        () => west.said().includes(`Service ${theirs} could not be written`),
        () => west.said(),
        15_000,
      );
      const found = (await west.list('Service', named(theirs).namespace)).find((one) => one.metadata.name === metadata.name);
      expect(found?.spec?.['selector']).toEqual({ app: 'mine' });
      expect(await west.leftBehind(named(theirs).namespace)).toEqual([]);
      await east.withdraws(`${named(theirs).namespace}/web`);
      await west.notImported(`${named(theirs).namespace}/web`);
    },
  ),
  inGatewayMode(
    0,
    'derived Services and their EndpointSlices are nothing that serves here: exported, one is told that it is none',
    async (set, key) => {
      const { east, west } = set;
      const { namespace } = named(key);
      await east.offers(key);
      const { metadata } = await derivedOf(west, key);
      await expect.poll(async () => (await west.leftBehind(namespace)).length, { timeout: 10_000 }).toBe(2);
      await west.exports(`${namespace}/${metadata.name}`);
      await west.told(`${namespace}/${metadata.name}`, 'Valid', 'NoService');
      await west.offers(`${namespace}/own`);
      await east.imported(`${namespace}/own`);
      expect(await east.import(`${namespace}/${metadata.name}`)).toBeUndefined();
      expect(
        Object.keys(west.agent.world().shards)
          .filter((one) => one.startsWith(`${namespace}/`))
          .sort(),
      ).toEqual([`${namespace}/own`, key]);
      expect(clustersOf(await west.imported(key))).toEqual(['east']);
    },
  ),
  inGatewayMode(0, 'of two agents in gateway mode both have the addresses, and the other takes over derived Services', async (set, key) => {
    const { east, west } = set;
    const { namespace } = named(key);
    const second = await west.start('second', { gatewayMode: true });
    await east.offers(key);
    const { spec } = await derivedOf(west, key);
    await expect.poll(() => namesIn({ agent: second }, namespace), { timeout: 10_000 }).toContain(spec?.clusterIP);
    await west.agent.stop();
    await east.offers(`${namespace}/then`);
    await derivedOf(west, `${namespace}/then`);
    expect((await west.imported(key)).spec.ips).toEqual([spec?.clusterIP]);
    await west.start(undefined, { gatewayMode: true });
    await second.stop();
  }),
  inGatewayMode(
    0,
    'an agent that has lost its right with gateway mode names what it leaves, and the lines of docs/without-sidecars.md take that away',
    async (set, key) => {
      const { east, west } = set;
      const { namespace } = named(key);
      const slice = importSlice(namespace);
      await east.offers(key);
      await derivedOf(west, key);
      await west.kube.admin.apply(slice);
      await west.kube.admin.remove({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: { name: ROLE } });
      await west.restart();
      await eventually(
        () => /Service [\w/-]+ could not be written: .*cannot delete resource/.test(west.said()),
        () => west.said(),
        15_000,
      );
      await asTheGuideSays(west, 'helm upgrade');
      expect(await west.leftBehind()).toEqual([slice.metadata.name]);
      await west.agent.stop();
      await asTheGuideSays(west, 'helm uninstall');
      expect([await west.leftBehind(), await west.import(key)]).toEqual([[], undefined]);
      await west.start();
      await west.imported(key);
    },
  ),
  {
    rule: 4,
    seen: 'out of gateway mode derived Services are taken away, and the import has a virtual address again',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await east.offers(key);
      const first = await west.imported(key);
      expect(first.spec.ips?.[0]).toMatch(VIRTUAL);
      await outboundGateway(west, ['10.2.9.1']);
      await west.with({ gatewayMode: true }, ROLE, () => derivedOf(west, key).then(() => undefined));
      expect((await west.imported(key, ({ spec }) => VIRTUAL.test(spec.ips?.[0] ?? ''))).spec.ips).toEqual(first.spec.ips);
      expect(await west.leftBehind()).toEqual([]);
    },
  },
];
