/** What is promised beyond the rules: what is not known is not taken for gone, and whoever writes can fail, stop or be replaced. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { expect } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { eventually } from '../../kit/served.ts';
import { clustersOf, exportOf, importOf, type KubeMember, type Rule } from './clusterset.ts';

const POLICY = join(import.meta.dirname, '../../../deploy/kubernetes/deny-import-writes.yaml');
const LABELS = { 'app.kubernetes.io/managed-by': 'hawser' };

/** An import as an agent of before would have left it. */
async function leftBehind({ kube }: KubeMember, key: string, cluster: string): Promise<void> {
  const spec = { type: 'ClusterSetIP', ips: ['240.240.1.1'], ipFamilies: ['IPv4'], ports: [{ name: 'http', port: 80 }] };
  const object = importOf(key);
  await kube.admin.apply({ ...object, metadata: { ...object.metadata, labels: LABELS }, spec });
  const status = { clusters: [{ cluster }], endpointSliceObjects: 'Absent' };
  await kube.admin.must('PATCH', `${await kube.admin.pathOf(object)}/status`, { status });
}

export const FAULTS: readonly Rule[] = [
  {
    rule: 11,
    seen: 'an import of a cluster id that is no member goes, one of a member that was never heard of stays',
    show: async ({ east, shared }) => {
      const shop = await shared();
      await leftBehind(east, `${shop}/unheard`, 'north');
      await leftBehind(east, `${shop}/unknown`, 'nobody');
      await east.notImported(`${shop}/unknown`);
      expect(clustersOf((await east.import(`${shop}/unheard`)) as never)).toEqual(['north']);
    },
  },
  {
    rule: 0,
    seen: 'a cluster that falls silent keeps its part of imports, over a restart of the others too',
    show: async ({ east, west, shared }) => {
      const shop = await shared();
      await west.offers(`${shop}/far`);
      const before = await east.imported(`${shop}/far`);
      await west.agent.stop();
      await east.agent.stop();
      await east.start();
      await east.offers(`${shop}/near`);
      await east.imported(`${shop}/near`);
      const after = await east.import(`${shop}/far`);
      expect([after?.metadata.uid, after?.spec.ips, clustersOf(after as never)]).toEqual([before.metadata.uid, before.spec.ips, ['west']]);
      await west.start();
    },
  },
  {
    rule: 0,
    seen: 'a right that is withdrawn is a warning that names the object, and what could not be written is written when it is back',
    show: async ({ east, shared }) => {
      const key = `${await shared()}/web`;
      const named = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'hawser-agent' } };
      const role = (await east.kube.admin.read(named)) as KubeObject & { readonly rules: readonly { readonly verbs: readonly string[] }[] };
      const readable = role.rules.map((rule) => ({ ...rule, verbs: rule.verbs.filter((verb) => verb !== 'create') }));
      await east.edits(named, { rules: readable.filter(({ verbs }) => verbs.length > 0) });
      try {
        await east.offers(key);
        await eventually(
          () => east.said().includes(`ServiceImport ${key} could not be written`),
          () => east.said(),
        );
      } finally {
        await east.edits(named, { rules: role.rules });
      }
      await east.imported(key);
      await eventually(
        () => !east.said().includes('could not be written'),
        () => east.said(),
      );
    },
  },
  {
    rule: 0,
    seen: 'rights to read that an older role did not give are said once each, with kind, verb and the way out, while all else goes on',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      const named = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'hawser-agent' } };
      const role = (await east.kube.admin.read(named)) as KubeObject & {
        readonly rules: readonly { readonly resources: readonly string[]; readonly verbs: readonly string[] }[];
      };
      const older = role.rules.flatMap(({ resources, verbs, ...rule }) => {
        const left = verbs.filter((verb) => verb !== 'watch' || !resources.includes('serviceimports'));
        return resources.includes('namespaces') ? [] : [{ ...rule, resources, verbs: left }];
      });
      const said = () => east.agent.world().warnings.filter(({ message }) => message.includes('upgrade the chart hawser-agent'));
      const missing = () =>
        said()
          .map(({ message }) => message)
          .sort();
      const wanted = [
        expect.stringMatching(/^namespaces: .*cannot list resource "namespaces".*what is known of them is kept$/),
        expect.stringMatching(/^serviceimports: .*cannot watch resource "serviceimports".*what is known of them is kept$/),
      ];
      await east.edits(named, { rules: older });
      try {
        await east.restart();
        await expect.poll(missing, { timeout: 15_000 }).toEqual(wanted);
        const first = said();
        await east.offers(key);
        expect(clustersOf(await west.imported(key))).toEqual(['east']);
        expect([said(), await east.import(key)]).toEqual([first, undefined]);
      } finally {
        await east.edits(named, { rules: role.rules });
      }
      await east.imported(key);
      await expect.poll(missing, { timeout: 15_000 }).toEqual([]);
    },
  },
  {
    rule: 0,
    seen: 'an API server that was away has what was exported meanwhile when it is back',
    show: async ({ east, west, shared }) => {
      const key = `${await shared()}/web`;
      await east.kube.kill();
      await west.offers(key);
      await west.imported(key);
      await east.kube.restart();
      expect(clustersOf(await east.imported(key))).toEqual(['west']);
    },
  },
  {
    rule: 0,
    seen: 'of two agents the one that publishes writes, and the other takes over from it',
    show: async ({ east, west, shared }) => {
      const shop = await shared();
      const second = await east.start('second');
      await west.offers(`${shop}/first`);
      await east.imported(`${shop}/first`);
      expect([east.agent.publishes, second.publishes]).toEqual([true, false]);
      await east.agent.stop();
      await west.offers(`${shop}/then`);
      await east.imported(`${shop}/then`);
      await east.start();
      await second.stop();
      await west.withdraws(`${shop}/then`);
      await east.notImported(`${shop}/then`);
    },
  },
  {
    rule: 2,
    seen: 'with the delivered admission policy a user is refused to write an import of the agent, and the agent writes on',
    show: async ({ east, shared }) => {
      const shop = await shared();
      await east.offers(`${shop}/web`);
      const { metadata } = await east.imported(`${shop}/web`);
      const documents = parseAllDocuments(readFileSync(POLICY, 'utf8')).map((one) => one.toJS() as KubeObject);
      for (const one of documents) await east.kube.admin.apply(one);
      const path = await east.kube.admin.pathOf(importOf(`${shop}/web`));
      // The server takes a policy up within moments; until then the agent puts right what is written.
      const edit = { metadata: { annotations: { mine: 'yes' } } };
      await expect.poll(async () => (await east.kube.admin.ask('PATCH', path, edit)).code, { interval: 300, timeout: 20_000 }).toBe(403);
      expect(await east.kube.admin.ask('DELETE', path)).toMatchObject({
        code: 403,
        body: { message: expect.stringContaining('change the exports') },
      });
      const theirs = { ...importOf(`${shop}/theirs`), spec: { type: 'Headless', ports: [{ port: 80 }] } };
      await east.kube.admin.apply(theirs);
      await east.service(`${shop}/web`, { ports: [{ name: 'admin', port: 81, protocol: 'TCP' }] });
      const after = await east.imported(`${shop}/web`, (found) => found.spec.ports[0]?.port === 81);
      expect(after.metadata.uid).toBe(metadata.uid);
      for (const one of documents) await east.kube.admin.remove(one);
    },
  },
  {
    rule: 0,
    seen: 'a server that has v1alpha1 alone is read and written in that',
    show: async ({ east, west, shared }) => {
      const shop = await shared();
      for (const plural of ['serviceimports', 'serviceexports']) {
        const named = {
          apiVersion: 'apiextensions.k8s.io/v1',
          kind: 'CustomResourceDefinition',
          metadata: { name: `${plural}.multicluster.x-k8s.io` },
        };
        const { spec } = (await west.kube.admin.read(named)) as unknown as {
          readonly spec: { readonly versions: readonly { readonly name: string }[] };
        };
        await west.edits(named, { spec: { versions: spec.versions.map((one) => ({ ...one, served: one.name === 'v1alpha1' })) } });
      }
      const older = (object: { readonly kind: string; readonly metadata: KubeObject['metadata'] }) => ({
        ...object,
        apiVersion: 'multicluster.x-k8s.io/v1alpha1',
      });
      await eventually(
        async () => (await west.kube.admin.ask('GET', '/apis/multicluster.x-k8s.io/v1beta1/serviceimports')).code === 404,
        'it is served still',
      );
      await west.agent.stop();
      await west.start();
      await east.offers(`${shop}/web`);
      await eventually(
        async () => (await west.kube.admin.read(older(importOf(`${shop}/web`))))?.['status'] !== undefined,
        () => `it is not imported; ${west.said()}`,
      );
      await west.service(`${shop}/own`);
      await west.kube.admin.apply(older(exportOf(`${shop}/own`)));
      expect(clustersOf(await east.imported(`${shop}/own`))).toEqual(['west']);
      await eventually(
        async () => JSON.stringify((await west.kube.admin.read(older(exportOf(`${shop}/own`))))?.['status'] ?? '').includes('Exported'),
        () => `the export is not told; ${west.said()}`,
      );
    },
  },
];
