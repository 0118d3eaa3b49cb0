/** Rule 8: what exports and imports are told. */
import { expect } from 'vitest';
import { clustersOf, exportOf, importOf, type Rule } from './clusterset.ts';

export const CONDITIONS: readonly Rule[] = [
  {
    rule: 8,
    seen: 'an export without a Service is not Valid, NoService; with it, it is',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/late`;
      await east.exports(key);
      expect((await east.told(key, 'Valid', 'NoService')).status).toBe('False');
      expect((await east.told(key, 'Ready', 'Pending')).status).toBe('False');
      await east.service(key);
      expect((await east.told(key, 'Valid', 'Valid')).status).toBe('True');
      await west.imported(key);
    },
  },
  {
    rule: 8,
    seen: 'an export of a Service is Valid, Ready (Exported) and without Conflict, for its generation',
    show: async ({ east, shared }) => {
      const key = `${await shared()}/web`;
      await east.offers(key);
      expect((await east.told(key, 'Ready', 'Exported')).status).toBe('True');
      await east.exports(key, { exportedLabels: { team: 'a' } });
      const generation = (await east.kube.admin.read(exportOf(key)))?.metadata['generation'];
      await expect.poll(async () => (await east.exported(key))['Valid']?.observedGeneration, { timeout: 20_000 }).toBe(generation);
      const { Valid, Conflict } = await east.exported(key);
      expect([Valid?.status, Conflict?.status, Conflict?.reason]).toEqual(['True', 'False', 'NoConflicts']);
    },
  },
  {
    rule: 8,
    seen: 'a condition has its time of the last change of its status, whatever its reason became',
    show: async ({ east, shared }) => {
      const key = `${await shared()}/web`;
      await east.exports(key);
      const before = await east.told(key, 'Valid', 'NoService');
      const since = Date.parse(before.lastTransitionTime);
      await expect.poll(() => Date.now() - since, { timeout: 20_000 }).toBeGreaterThan(3_500);
      await east.service(key, { type: 'ExternalName', externalName: 'example.com', ports: [] });
      const after = await east.told(key, 'Valid', 'InvalidServiceType');
      expect(after.lastTransitionTime).toBe(before.lastTransitionTime);
      await east.removesService(key);
      await east.service(key);
      expect(Date.parse((await east.told(key, 'Valid', 'Valid')).lastTransitionTime)).toBeGreaterThan(since);
    },
  },
  {
    rule: 8,
    seen: 'conditions that others wrote on an export stay',
    show: async ({ east, shared }) => {
      const key = `${await shared()}/web`;
      await east.offers(key);
      await east.told(key, 'Ready', 'Exported');
      const conditions = Object.values(await east.exported(key));
      const other = { type: 'Audited', status: 'True', reason: 'Seen', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' };
      await east.kube.admin.must('PATCH', `${await east.kube.admin.pathOf(exportOf(key))}/status`, {
        status: { conditions: [...conditions, other] },
      });
      await east.removesService(key);
      await east.told(key, 'Valid', 'NoService');
      expect((await east.exported(key))['Audited']).toMatchObject(other);
    },
  },
  {
    rule: 8,
    seen: 'an import is Ready, names the clusters that export it, and says that no EndpointSlices are made of it',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await Promise.all([east.offers(key), west.offers(key)]);
      const found = await east.imported(key, (one) => clustersOf(one).length === 2);
      expect(found.status).toMatchObject({
        endpointSliceObjects: 'Absent',
        conditions: [{ type: 'Ready', status: 'True', reason: 'Ready' }],
      });
      expect(clustersOf(found)).toEqual(['east', 'west']);
    },
  },
  {
    rule: 8,
    seen: 'a status that a user wrote on an import is put right',
    show: async ({ east, shared }) => {
      const key = `${await shared()}/web`;
      await east.offers(key);
      await east.imported(key);
      const path = `${await east.kube.admin.pathOf(importOf(key))}/status`;
      await east.kube.admin.must('PATCH', path, { status: { clusters: [{ cluster: 'nowhere' }], endpointSliceObjects: 'Present' } });
      const after = await east.imported(key, (found) => clustersOf(found).join() === 'east');
      expect(after.status?.endpointSliceObjects).toBe('Absent');
    },
  },
  {
    rule: 8,
    seen: 'a Service with ports of UDP alone is told that it cannot be called, and others go on',
    show: async ({ east, west, shared }) => {
      const shop = await shared();
      await east.offers(`${shop}/dns`, { ports: [{ name: 'dns', port: 53, protocol: 'UDP' }] });
      await east.offers(`${shop}/web`);
      expect(await east.told(`${shop}/dns`, 'Ready', 'Failed')).toMatchObject({
        status: 'False',
        message: expect.stringContaining('53/UDP'),
      });
      await west.imported(`${shop}/web`);
    },
  },
];
