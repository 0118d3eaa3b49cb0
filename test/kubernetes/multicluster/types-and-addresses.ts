/** Rules 3 and 4: how Services are imported, and the addresses of imports; with the names of rule 10 that they stand behind. */
import { isIPv4 } from 'node:net';
import { ownLayer } from '@hawser/agent/snapshot/resource.ts';
import { ipv6Twin } from '@hawser/model/virtual-ipv6.ts';
import { expect } from 'vitest';
import { importOf, type KubeMember, named, type Rule } from './clusterset.ts';

function importedAs(type: string, spec: object): Rule {
  return {
    rule: 3,
    seen: `a Service of type ${type} is imported as ClusterSetIP`,
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await east.offers(key, spec);
      expect((await west.imported(key)).spec).toMatchObject({ type: 'ClusterSetIP', ips: [expect.any(String)] });
    },
  };
}

export const TYPES: readonly Rule[] = [
  importedAs('ClusterIP', { type: 'ClusterIP' }),
  importedAs('NodePort', { type: 'NodePort' }),
  importedAs('LoadBalancer', { type: 'LoadBalancer' }),
  {
    rule: 3,
    seen: 'a headless Service is imported as Headless, with no address',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await east.offers(key, { clusterIP: 'None' });
      for (const member of [east, west]) {
        const { spec } = await member.imported(key);
        expect([spec.type, spec.ips ?? [], spec.ipFamilies ?? []]).toEqual(['Headless', [], []]);
      }
    },
  },
  {
    rule: 3,
    seen: 'a headless import goes with its last export',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await east.offers(key, { clusterIP: 'None' });
      await west.imported(key);
      await east.withdraws(key);
      await Promise.all([east.notImported(key), west.notImported(key)]);
    },
  },
  {
    rule: 3,
    seen: 'the export of an ExternalName Service is invalid, and imported nowhere',
    show: async ({ east, west, shared }) => {
      const shop = await shared();
      await east.offers(`${shop}/outside`, { type: 'ExternalName', externalName: 'example.com', ports: [] });
      await east.offers(`${shop}/web`);
      expect((await east.told(`${shop}/outside`, 'Valid', 'InvalidServiceType')).status).toBe('False');
      expect((await east.told(`${shop}/outside`, 'Ready', 'Failed')).status).toBe('False');
      await west.imported(`${shop}/web`);
      expect(await Promise.all([east, west].map((member) => member.import(`${shop}/outside`)))).toEqual([undefined, undefined]);
    },
  },
  {
    rule: 3,
    seen: 'an ExternalName Service that becomes another is exported then',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await east.offers(key, { type: 'ExternalName', externalName: 'example.com', ports: [] });
      await east.told(key, 'Valid', 'InvalidServiceType');
      await east.removesService(key);
      await east.service(key);
      expect((await east.told(key, 'Valid', 'Valid')).status).toBe('True');
      await west.imported(key);
    },
  },
  {
    rule: 3,
    seen: 'a Service whose type is changed in place, to ExternalName and to headless, is imported as what it is',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      const service = { apiVersion: 'v1', kind: 'Service', metadata: named(key) };
      await east.offers(key);
      const before = await west.imported(key);
      const none = { clusterIP: null, clusterIPs: null, ipFamilies: null, ipFamilyPolicy: null };
      await east.edits(service, { spec: { type: 'ExternalName', externalName: 'example.com', ...none } });
      await east.told(key, 'Valid', 'InvalidServiceType');
      await Promise.all([east, west].map((member) => member.notImported(key)));
      await east.edits(service, { spec: { type: 'ClusterIP', externalName: null, clusterIP: 'None' } });
      expect((await west.imported(key)).spec).toMatchObject({ type: 'Headless' });
      await east.edits(service, { spec: { type: 'ExternalName', externalName: 'example.com', ...none } });
      await west.notImported(key);
      await east.edits(service, { spec: { type: 'ClusterIP', externalName: null } });
      expect((await west.imported(key)).spec).toMatchObject({ type: 'ClusterSetIP', ips: before.spec.ips });
    },
  },
];

export const ADDRESSES: readonly Rule[] = [
  {
    rule: 4,
    seen: 'an import has one address for each of its families, in their order, and none twice',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await west.offers(key, { ipFamilyPolicy: 'RequireDualStack' });
      const { spec } = await east.imported(key);
      const families = (spec.ips ?? []).map((ip) => (isIPv4(ip) ? 'IPv4' : 'IPv6'));
      expect(families).toEqual(spec.ipFamilies);
      expect([families, new Set(spec.ips).size]).toEqual([['IPv4', 'IPv6'], 2]);
      const other = `${named(key).namespace}/other`;
      await west.offers(other, { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6', 'IPv4'] });
      expect((await east.imported(other)).spec.ipFamilies).toEqual(['IPv6', 'IPv4']);
      for (const ip of spec.ips ?? []) expect(namesIn(east, named(key).namespace)).toContain(ip);
    },
  },
  {
    rule: 4,
    seen: 'an import that had an address of one family keeps it beside that of the other, over a restart too',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      // As agents of an earlier release left it, with an address that the name would not have by itself.
      const spec = { type: 'ClusterSetIP', ips: ['240.240.0.98'], ipFamilies: ['IPv4'], ports: [{ name: 'http', port: 80 }] };
      const metadata = { ...importOf(key).metadata, labels: { 'app.kubernetes.io/managed-by': 'hawser' } };
      await east.kube.admin.apply({ ...importOf(key), metadata, spec });
      await west.offers(key, { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6', 'IPv4'] });
      const wanted = [ipv6Twin('240.240.0.98'), '240.240.0.98'];
      await east.imported(key, (found) => found.spec.ips?.join() === wanted.join());
      await east.restart();
      expect((await east.imported(key)).spec.ips).toEqual(wanted);
      await expect.poll(() => namesIn(east, named(key).namespace), { timeout: 20_000 }).toContain(wanted[0]);
      expect(namesIn(east, named(key).namespace)).toContain(wanted[1]);
    },
  },
  {
    rule: 4,
    seen: 'exports of other families are an IPFamilyConflict, told to each',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await Promise.all([east.offers(key), west.offers(key, { ipFamilyPolicy: 'RequireDualStack' })]);
      for (const member of [east, west]) expect((await member.told(key, 'Conflict', 'IPFamilyConflict')).status).toBe('True');
    },
  },
  {
    rule: 4,
    seen: 'the address stays while exports come, differ and go',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await east.offers(key);
      const { spec } = await west.imported(key);
      await west.offers(key, { ports: [{ name: 'admin', port: 81, protocol: 'TCP' }] });
      const both = await west.imported(key, (found) => found.spec.ports.length === 2);
      await east.withdraws(key);
      const one = await west.imported(key, (found) => found.spec.ports[0]?.port === 81 && found.spec.ports.length === 1);
      expect([both.spec.ips, one.spec.ips]).toEqual([spec.ips, spec.ips]);
    },
  },
  {
    rule: 4,
    seen: 'an address that a user wrote is put right',
    show: async ({ east, shared }) => {
      const key = `${await shared()}/web`;
      await east.offers(key);
      const { spec } = await east.imported(key);
      await east.edits(importOf(key), { spec: { ips: ['240.240.0.77'] } });
      const after = await east.imported(key, (found) => found.spec.ips?.[0] !== '240.240.0.77');
      expect(after.spec.ips).toEqual(spec.ips);
    },
  },
  {
    rule: 4,
    seen: 'the address of an import is what its name has behind the local Envoy of a captured workload, and stays so over a restart',
    show: async ({ east, west, shared }) => {
      const shop = await shared();
      // An address that the name would not have by itself, as one that was in the way once.
      const spec = { type: 'ClusterSetIP', ips: ['240.240.0.99'], ipFamilies: ['IPv4'], ports: [{ name: 'http', port: 80 }] };
      const metadata = { ...importOf(`${shop}/web`).metadata, labels: { 'app.kubernetes.io/managed-by': 'hawser' } };
      const before = await west.kube.admin.apply({ ...importOf(`${shop}/web`), metadata, spec });
      await east.offers(`${shop}/web`);
      await expect.poll(() => namesIn(west, shop), { timeout: 20_000 }).toContain('240.240.0.99');
      await west.agent.stop();
      await west.start();
      await expect.poll(() => namesIn(west, shop), { timeout: 20_000 }).toContain('240.240.0.99');
      const after = await west.imported(`${shop}/web`);
      expect([after.spec.ips, after.metadata.uid]).toEqual([['240.240.0.99'], before.metadata.uid]);
    },
  },
  {
    rule: 10,
    seen: 'the name of the clusterset is known in a cluster without the Service, and its name of the own cluster is not',
    show: async ({ east, west, shared }) => {
      const shop = await shared();
      await east.offers(`${shop}/web`);
      const [ip = ''] = (await west.imported(`${shop}/web`)).spec.ips ?? [];
      await expect.poll(() => namesIn(west, shop), { timeout: 20_000 }).toContain(ip);
      expect(namesIn(west, shop)).not.toContain(`web.${shop}.svc.cluster.local`);
      expect(namesIn(east, shop)).toContain(`web.${shop}.svc.cluster.local`);
    },
  },
];

/** What a captured workload's resolver is told of the names of a namespace: from its first name to some way behind its last one. */
export function namesIn({ agent }: Pick<KubeMember, 'agent'>, namespace: string): string {
  const proxy = { role: 'sidecar', address: '10.250.0.1', name: 'caller', namespace, serviceAccount: 'default', capture: 'ipv4' } as const;
  agent.loop.attach(proxy);
  const text = Buffer.from(agent.store.get(ownLayer(proxy), 'RDS', 'names')?.bytes ?? []).toString('latin1');
  const names = [...text.matchAll(new RegExp(`[a-z-]+\\.${namespace}\\.svc`, 'g'))].map(({ index }) => index);
  return names.length === 0 ? '' : text.slice(names[0], (names.at(-1) ?? 0) + 120);
}
