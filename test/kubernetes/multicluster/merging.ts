/** Rules 5, 6 and 7: what exports together make, and what they are told where they do not agree. */
import { expect } from 'vitest';
import { type Clusterset, HTTP, importOf, nextSecond, type Rule } from './clusterset.ts';

const ADMIN = [{ name: 'admin', port: 81, protocol: 'TCP' }];

/** A field that exports do not agree about: of the older export in west, of the younger in east, and what is in force then. */
interface Disagreement {
  readonly name: string;
  readonly field: string;
  readonly reason: string;
  readonly older: { readonly service?: object; readonly exports?: object };
  readonly younger: { readonly service?: object; readonly exports?: object };
  readonly inForce: object;
}

const affinity = (timeoutSeconds: number) => ({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds } } });

const DISAGREEMENTS: readonly Disagreement[] = [
  {
    ...{ name: 'by-type', field: 'type', reason: 'TypeConflict', inForce: { spec: { type: 'Headless' } } },
    ...{ older: { service: { clusterIP: 'None' } }, younger: {} },
  },
  {
    ...{
      name: 'by-affinity',
      field: 'sessionAffinity',
      reason: 'SessionAffinityConflict',
      inForce: { spec: { sessionAffinity: 'ClientIP' } },
    },
    ...{ older: { service: { sessionAffinity: 'ClientIP' } }, younger: {} },
  },
  {
    ...{ name: 'by-timeout', field: 'sessionAffinityConfig', reason: 'SessionAffinityConfigConflict', inForce: { spec: affinity(60) } },
    ...{ older: { service: affinity(60) }, younger: { service: affinity(120) } },
  },
  {
    ...{ name: 'by-internal', field: 'internalTrafficPolicy', reason: 'InternalTrafficPolicyConflict' },
    ...{ older: { service: { internalTrafficPolicy: 'Local' } }, younger: {}, inForce: { spec: { internalTrafficPolicy: 'Local' } } },
  },
  {
    ...{ name: 'by-distribution', field: 'trafficDistribution', reason: 'TrafficDistributionConflict' },
    ...{
      older: { service: { trafficDistribution: 'PreferClose' } },
      younger: {},
      inForce: { spec: { trafficDistribution: 'PreferClose' } },
    },
  },
  {
    ...{ name: 'by-labels', field: 'exported labels', reason: 'LabelsConflict', inForce: { metadata: { labels: { team: 'west' } } } },
    ...{ older: { exports: { exportedLabels: { team: 'west' } } }, younger: { exports: { exportedLabels: { team: 'east' } } } },
  },
  {
    ...{ name: 'by-annotations', field: 'exported annotations', reason: 'AnnotationsConflict' },
    ...{ older: { exports: { exportedAnnotations: { team: 'west' } } }, younger: { exports: { exportedAnnotations: { team: 'east' } } } },
    inForce: { metadata: { annotations: { team: 'west' } } },
  },
  {
    ...{ name: 'by-port', field: 'a port of the same name', reason: 'PortConflict' },
    ...{ older: {}, younger: { service: { ports: [{ name: 'http', port: 8080, protocol: 'TCP' }] } } },
    inForce: { spec: { ports: [{ name: 'http', port: 80, protocol: 'TCP' }] } },
  },
];

const scenes = new WeakMap<Clusterset, Promise<string>>();

/** All disagreements at once, in a namespace of their own: creation times are whole seconds. */
function scene(set: Clusterset): Promise<string> {
  const known = scenes.get(set);
  if (known !== undefined) return known;
  const made = disagree(set);
  scenes.set(set, made);
  return made;
}

async function disagree({ east, west, shared }: Clusterset): Promise<string> {
  const shop = await shared();
  const write = (member: typeof east, of: 'older' | 'younger') =>
    Promise.all(
      DISAGREEMENTS.map(async (one) => {
        await member.service(`${shop}/${one.name}`, one[of].service);
        await member.exports(`${shop}/${one.name}`, one[of].exports);
      }),
    );
  await write(west, 'older');
  await nextSecond();
  await write(east, 'younger');
  return shop;
}

const CONFLICTS = DISAGREEMENTS.map(
  ({ name, field, reason, inForce }): Rule => ({
    rule: reason === 'PortConflict' ? 5 : 6,
    seen: `exports that differ in ${field}: the oldest one’s word is in force, and each is told ${reason}`,
    show: async (set) => {
      const key = `${await scene(set)}/${name}`;
      for (const member of [set.east, set.west]) expect((await member.told(key, 'Conflict', reason)).status).toBe('True');
      for (const member of [set.east, set.west]) expect(await member.imported(key)).toMatchObject(inForce);
    },
  }),
);

export const PORTS: readonly Rule[] = [
  {
    rule: 5,
    seen: 'an import has the union of all ports, those of the same name and number once; exports that differ are told PortConflict',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await Promise.all([east.offers(key), west.offers(key, { ports: [...HTTP, ...ADMIN] })]);
      const { spec } = await east.imported(key, (found) => found.spec.ports.length === 2);
      expect(spec.ports.map(({ name, port }) => [name, port]).sort()).toEqual([
        ['admin', 81],
        ['http', 80],
      ]);
      for (const member of [east, west]) expect((await member.told(key, 'Conflict', 'PortConflict')).status).toBe('True');
    },
  },
  {
    rule: 5,
    seen: 'callers of a port are given endpoints of clusters that expose it, and no others',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await Promise.all([east.endpoints(key, ['10.1.0.1']), west.endpoints(key, ['10.2.0.1'], [...HTTP, ...ADMIN])]);
      await Promise.all([east.offers(key), west.offers(key, { ports: [...HTTP, ...ADMIN] })]);
      await expect.poll(() => east.served(key, 81), { timeout: 20_000 }).toContain('10.2.0.1');
      expect(east.served(key, 81)).not.toContain('10.1.0.1');
      for (const address of ['10.1.0.1', '10.2.0.1']) await expect.poll(() => east.served(key), { timeout: 20_000 }).toContain(address);
    },
  },
  {
    rule: 5,
    seen: 'a port of UDP is in the import, and the export is told that it cannot be called',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/dns`;
      await east.offers(key, { ports: [...HTTP, { name: 'dns', port: 53, protocol: 'UDP' }] });
      const { spec } = await west.imported(key);
      expect(spec.ports).toContainEqual({ name: 'dns', port: 53, protocol: 'UDP' });
      expect(await east.told(key, 'Ready', 'Exported')).toMatchObject({ status: 'True', message: expect.stringContaining('53/UDP') });
    },
  },
];

export const MERGING: readonly Rule[] = [
  ...CONFLICTS,
  {
    rule: 6,
    seen: 'becoming conflicted disturbs nobody: address, type and endpoints of both stay',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await Promise.all([east.endpoints(key, ['10.1.0.1']), west.endpoints(key, ['10.2.0.1'])]);
      await Promise.all([east.offers(key), west.offers(key)]);
      const before = await east.imported(key, (found) => found.status?.clusters?.length === 2);
      await expect.poll(() => east.served(key), { timeout: 20_000 }).toContain('10.2.0.1');
      await west.service(key, { sessionAffinity: 'ClientIP' });
      await east.told(key, 'Conflict', 'SessionAffinityConflict');
      const after = await east.imported(key);
      expect([after.spec.type, after.spec.ips, after.metadata.uid]).toEqual([before.spec.type, before.spec.ips, before.metadata.uid]);
      expect(east.served(key)).toContain('10.1.0.1');
      expect(east.served(key)).toContain('10.2.0.1');
    },
  },
  {
    rule: 6,
    seen: 'when a conflict clears, every export is told',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await Promise.all([east.offers(key), west.offers(key, { ports: ADMIN })]);
      for (const member of [east, west]) await member.told(key, 'Conflict', 'PortConflict');
      await west.withdraws(key);
      expect((await east.told(key, 'Conflict', 'NoConflicts')).status).toBe('False');
    },
  },
  {
    rule: 6,
    seen: 'an import has the session affinity, internalTrafficPolicy and trafficDistribution that all exports agree about',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      const spec = { ...affinity(90), internalTrafficPolicy: 'Local', trafficDistribution: 'PreferClose' };
      await Promise.all([east.offers(key, spec), west.offers(key, spec)]);
      expect((await east.imported(key, (found) => found.status?.clusters?.length === 2)).spec).toMatchObject(spec);
      expect((await west.told(key, 'Conflict', 'NoConflicts')).status).toBe('False');
    },
  },
  {
    rule: 7,
    seen: 'labels and annotations of an import are the exported ones, and none of metadata',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await east.service(key, {}, { labels: { own: 'service' }, annotations: { own: 'service' } });
      const metadata = { labels: { own: 'export' }, annotations: { own: 'export' } };
      await east.exports(key, { exportedLabels: { team: 'a' }, exportedAnnotations: { note: 'b' } }, metadata);
      const found = await west.imported(key);
      expect(found.metadata.labels).toEqual({ team: 'a', 'app.kubernetes.io/managed-by': 'hawser' });
      expect(found.metadata.annotations).toEqual({ note: 'b' });
    },
  },
  {
    rule: 7,
    seen: 'a label that is exported no more leaves the import',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await east.service(key);
      await east.exports(key, { exportedLabels: { team: 'a', tier: 'b' } });
      await west.imported(key, (found) => found.metadata.labels?.['tier'] === 'b');
      await east.exports(key, { exportedLabels: { team: 'a' } });
      const { metadata } = await west.imported(key, (found) => found.metadata.labels?.['tier'] === undefined);
      expect(metadata.labels).toMatchObject({ team: 'a' });
      expect(importOf(key).metadata.name).toBe(metadata.name);
    },
  },
];
