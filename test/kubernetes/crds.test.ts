/** A real API server takes the definitions of `deploy/crds`, and judges objects by them as the hub does. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { kindNamed } from '@hawser/model/kinds.ts';
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { CRD_EXAMPLES, changed } from '../../deploy/crds/crd-examples-fixture.ts';
import { startKubeApiserver, type TestKubeApiserver } from '../kit/kube-apiserver.ts';
import { BUILD_MS, canRunKubernetes } from '../kit/kube-apiserver-binary.ts';
import { applyDefinitions } from '../kit/kube-definitions.ts';

const ROOT = join(import.meta.dirname, '../..');
const MULTICLUSTER = 'multicluster.x-k8s.io';

describe.skipIf(!canRunKubernetes())('our kinds on a real API server', () => {
  let kube: TestKubeApiserver;

  beforeAll(async () => {
    kube = await startKubeApiserver();
    await kube.admin.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
    await kube.admin.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'bookinfo' } });
    await applyDefinitions(kube.admin);
  }, BUILD_MS);
  afterAll(() => kube?.stop());

  test('each definition is whole: nothing of its schema is refused or left out', async () => {
    const { items } = await kube.admin.must<{ items: readonly Definition[] }>(
      'GET',
      '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
    );
    const conditions = items.flatMap(({ metadata, status }) =>
      status.conditions
        .filter(({ type, status: holds }) => holds !== (type === 'NonStructuralSchema' ? 'False' : 'True'))
        .map(({ type }) => [metadata.name, type]),
    );
    expect([items.length > 0, conditions]).toEqual([true, []]);
  });

  test.each(CRD_EXAMPLES.map((example) => [example.kind, example] as const))(
    '%s: a right one is taken, wrong ones are not',
    async (kind, { spec, wrong }) => {
      await kube.admin.apply(ours(kind, spec));
      const said: [object, string][] = [];
      for (const [change] of wrong) said.push([change, await refusalOf(ours(kind, changed(spec, change), 'wrong'))]);
      expect(said).toEqual(wrong.map(([change, says]) => [change, expect.stringContaining(says)]));
    },
  );

  test('every example of the documents and of the gallery of drills is taken', async () => {
    const examples = [
      ...inMarkdown('README.md'),
      ...readdirSync(join(ROOT, 'deploy/drills'))
        .filter((name) => name.endsWith('.yaml'))
        .map(drillOf),
    ];
    for (const example of examples) await kube.admin.apply(example, { dryRun: true });
    expect(examples.map(({ kind }) => kind)).toContain('TrafficShift');
  });

  test.each(['v1beta1', 'v1alpha1'])('the MCS API, %s: exports and imports are taken and kept as v1beta1', async (version) => {
    const metadata = { name: `cart-${version}`, namespace: 'shop' };
    const multicluster = (kind: string, fields: object, of = version): KubeObject => ({
      apiVersion: `${MULTICLUSTER}/${of}`,
      kind,
      metadata,
      ...fields,
    });
    await kube.admin.apply(multicluster('ServiceExport', {}));
    await kube.admin.apply(multicluster('ServiceExport', { spec: { exportedLabels: { team: 'shop' } } }));
    const spec = { type: 'ClusterSetIP', ports: [{ port: 80, name: 'http', protocol: 'TCP' }], ips: ['241.0.0.1'], ipFamilies: ['IPv4'] };
    await kube.admin.apply(multicluster('ServiceImport', { spec }));
    expect(await kube.admin.read(multicluster('ServiceImport', {}, 'v1beta1'))).toMatchObject({
      apiVersion: `${MULTICLUSTER}/v1beta1`,
      spec,
    });
    const refusals = await Promise.all(
      [{ type: 'NodePort' }, { ips: ['241.0.0.1', '241.0.0.2'] }, { ips: ['nowhere'] }, { type: 'Headless' }, { ports: [{ port: 0 }] }].map(
        (change) => refusalOf(multicluster('ServiceImport', { spec: { ...spec, ...change } })),
      ),
    );
    expect(refusals.map((text) => /spec(\.\w+)?/.exec(text)?.[0])).toEqual(['spec.type', 'spec', 'spec.ips', 'spec', 'spec.ports']);
  });

  test('conditions of exports and imports go to status alone', async () => {
    const path = `/apis/${MULTICLUSTER}/v1beta1/namespaces/shop/serviceexports/cart`;
    const object = { apiVersion: `${MULTICLUSTER}/v1beta1`, kind: 'ServiceExport', metadata: { name: 'cart', namespace: 'shop' } };
    await kube.admin.apply(object);
    const valid = { type: 'Valid', status: 'True', reason: 'Valid', message: '', lastTransitionTime: '2026-01-01T00:00:00Z' };
    await kube.admin.must('PATCH', path, { status: { conditions: [valid] } });
    expect(await kube.admin.read(object)).not.toHaveProperty('status');
    await kube.admin.must('PATCH', `${path}/status`, { status: { conditions: [valid] } });
    expect(await kube.admin.read(object)).toMatchObject({ status: { conditions: [valid] } });
    expect(await kube.admin.ask('PATCH', `${path}/status`, { status: { conditions: [valid, valid] } })).toMatchObject({ code: 422 });
  });

  /** What the API server says against it; empty when it takes it. */
  async function refusalOf(object: KubeObject): Promise<string> {
    return kube.admin.apply(object, { dryRun: true }).then(
      () => '',
      ({ message }: Error) => message,
    );
  }
});

interface Definition extends KubeObject {
  readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] };
}

function ours(kind: string, spec: object, name = 'example'): KubeObject {
  const namespaced = kindNamed(kind)?.namespaced === true;
  return { apiVersion: 'hawser.dev/v1alpha1', kind, metadata: { name, ...(namespaced ? { namespace: 'shop' } : {}) }, spec };
}

function drillOf(name: string): KubeObject {
  return parse(readFileSync(join(ROOT, 'deploy/drills', name), 'utf8')) as KubeObject;
}

/** Objects of ours among the YAML of a document. */
function inMarkdown(file: string): KubeObject[] {
  const blocks = [...readFileSync(join(ROOT, file), 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text = '']) => text);
  const objects = blocks.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as KubeObject | null));
  return objects.flatMap((object) => (object?.apiVersion === 'hawser.dev/v1alpha1' ? [object] : []));
}
