/** Rules 1 and 2: what is exported at all, and how long an import lives. */
import { expect } from 'vitest';
import { serviceFile } from '../../kit/federation.ts';
import { clustersOf, exportOf, importOf, type Rule } from './clusterset.ts';

export const LIFETIME: readonly Rule[] = [
  {
    rule: 1,
    seen: 'a Service without a ServiceExport is imported nowhere',
    show: async ({ east, west, shared }) => {
      const shop = await shared();
      await east.service(`${shop}/quiet`);
      await east.offers(`${shop}/loud`);
      await Promise.all([east, west].map((member) => member.imported(`${shop}/loud`)));
      expect(await Promise.all([east, west].map((member) => member.import(`${shop}/quiet`)))).toEqual([undefined, undefined]);
    },
  },
  {
    rule: 1,
    seen: 'a Service of the same name that is not exported does not join, by status and by endpoints',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await Promise.all([east.service(key), east.endpoints(key, ['10.1.0.1']), west.service(key), west.endpoints(key, ['10.2.0.1'])]);
      await west.exports(key);
      expect(clustersOf(await east.imported(key))).toEqual(['west']);
      await expect.poll(() => east.served(key)).toContain('10.2.0.1');
      expect(east.served(key)).not.toContain('10.1.0.1');
    },
  },
  {
    rule: 2,
    seen: 'an import is in every cluster that has the namespace, the exporter included',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await east.offers(key);
      for (const member of [east, west]) expect(clustersOf(await member.imported(key))).toEqual(['east']);
    },
  },
  {
    rule: 2,
    seen: 'a cluster without the namespace has no import, and gets it with the namespace',
    show: async ({ east, west }) => {
      await east.namespace('only-east');
      await east.offers('only-east/web');
      await east.imported('only-east/web');
      await expect.poll(() => west.agent.loop.ready).toBe(true);
      expect(await west.import('only-east/web')).toBeUndefined();
      await west.namespace('only-east');
      expect(clustersOf(await west.imported('only-east/web'))).toEqual(['east']);
    },
  },
  {
    rule: 2,
    seen: 'in a namespace that is being deleted no import is made, and nobody is warned of it',
    show: async ({ east, west, shared }) => {
      const shop = await shared();
      // No controller is here to finish it.
      await west.kube.admin.remove({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: shop } });
      await east.offers(`${shop}/late`);
      await east.imported(`${shop}/late`);
      const other = `${await shared()}/web`;
      await east.offers(other);
      await west.imported(other);
      expect([await west.import(`${shop}/late`), west.said()]).toEqual([undefined, expect.not.stringContaining(shop)]);
    },
  },
  {
    rule: 1,
    seen: 'an export that is deleted is withdrawn at once, though a finalizer of somebody else holds it',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await east.service(key);
      await east.exports(key, undefined, { finalizers: ['example.com/hold'] });
      await west.imported(key);
      await east.withdraws(key);
      await Promise.all([east, west].map((member) => member.notImported(key)));
      expect(Object.keys(await east.exported(key))).not.toEqual([]);
      await east.edits(exportOf(key), { metadata: { finalizers: null } });
      await east.exports(key);
      await west.imported(key);
    },
  },
  {
    rule: 2,
    seen: 'an import stays while one export is left',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await Promise.all([east.offers(key), west.offers(key)]);
      const both = await east.imported(key, (found) => clustersOf(found).length === 2);
      await west.withdraws(key);
      const left = await east.imported(key, (found) => clustersOf(found).join() === 'east');
      expect(left.metadata.uid).toBe(both.metadata.uid);
    },
  },
  {
    rule: 2,
    seen: 'an import goes everywhere after the last export has gone',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await Promise.all([east.offers(key), west.offers(key)]);
      for (const member of [east, west]) await member.imported(key, (found) => clustersOf(found).length === 2);
      await Promise.all([east.withdraws(key), west.withdraws(key)]);
      for (const member of [east, west]) await member.notImported(key);
    },
  },
  {
    rule: 2,
    seen: 'an import goes with the last exported Service, whose export says so',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await east.offers(key);
      await west.imported(key);
      await east.removesService(key);
      await Promise.all([east.notImported(key), west.notImported(key)]);
      expect((await east.told(key, 'Valid', 'NoService')).status).toBe('False');
    },
  },
  {
    rule: 2,
    seen: 'a spec that a user wrote is put right',
    show: async ({ east, shared }) => {
      const key = `${await shared()}/web`;
      await east.offers(key);
      const { spec } = await east.imported(key);
      const patch = { spec: { sessionAffinity: 'ClientIP', trafficDistribution: 'PreferClose', ports: [{ name: 'other', port: 81 }] } };
      await east.edits(importOf(key), patch);
      const after = await east.imported(key, (found) => !JSON.stringify(found.spec).includes('other'));
      expect(after.spec).toEqual(spec);
    },
  },
  {
    rule: 2,
    seen: 'labels that a user wrote or removed are put right, the owner’s among them',
    show: async ({ east, shared }) => {
      const key = `${await shared()}/web`;
      await east.offers(key);
      const { metadata } = await east.imported(key);
      await east.edits(importOf(key), { metadata: { labels: { 'app.kubernetes.io/managed-by': null, mine: 'yes' } } });
      const after = await east.imported(key, (found) => found.metadata.labels?.['mine'] === undefined);
      expect(after.metadata.labels).toEqual(metadata.labels);
    },
  },
  {
    rule: 2,
    seen: 'an import that a user deleted comes again, with the address that it had',
    show: async ({ east, shared }) => {
      const key = `${await shared()}/web`;
      await east.offers(key);
      const before = await east.imported(key);
      await east.kube.admin.remove(importOf(key));
      const after = await east.imported(key, (found) => found.metadata.uid !== before.metadata.uid);
      expect(after.spec.ips).toEqual(before.spec.ips);
    },
  },
  {
    rule: 2,
    seen: 'an import that somebody else made is left as it is, and the export and the agent say so',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      const spec = { type: 'ClusterSetIP', ips: ['10.9.9.9'], ipFamilies: ['IPv4'], ports: [{ name: 'theirs', port: 8080 }] };
      await east.kube.admin.apply({ ...importOf(key), spec });
      await east.offers(key);
      const { status, message } = await east.told(key, 'Conflict', 'ImportConflict');
      expect([status, message]).toEqual(['True', expect.stringContaining('somebody else')]);
      expect(clustersOf(await west.imported(key))).toEqual(['east']);
      expect((await east.import(key))?.spec).toMatchObject({ ips: ['10.9.9.9'], ports: [{ name: 'theirs', port: 8080 }] });
      expect(east.said()).toContain(`ServiceImport ${key}: somebody else made it`);
      await east.kube.admin.remove(importOf(key));
      await east.told(key, 'Conflict', 'NoConflicts');
    },
  },
  {
    rule: 2,
    seen: 'an export of a cluster of files is imported as any other',
    show: async ({ east, west, south, shared }) => {
      const shop = await shared();
      south('web.yaml', serviceFile('web', ['10.3.0.1']).replaceAll('bookinfo', shop));
      for (const member of [east, west]) expect(clustersOf(await member.imported(`${shop}/web`))).toEqual(['south']);
      await expect.poll(() => east.served(`${shop}/web`)).toContain('10.3.0.1');
    },
  },
];
