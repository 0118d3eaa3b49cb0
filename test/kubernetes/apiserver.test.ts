/** The kit's API servers are real ones: what tests of Kubernetes stand on. */
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startKubeApiserver, type TestKubeApiserver } from '../kit/kube-apiserver.ts';
import { BUILD_MS, canRunKubernetes } from '../kit/kube-apiserver-binary.ts';
import type { WatchEvent } from '../kit/kube-client.ts';

describe.skipIf(!canRunKubernetes())('a real API server', () => {
  let kube: TestKubeApiserver;

  beforeAll(async () => {
    kube = await startKubeApiserver({ users: [{ name: 'reader', groups: ['readers'] }] });
    await kube.admin.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  }, BUILD_MS);
  afterAll(() => kube?.stop());

  test('is of the release that go.mod names', async () => {
    const version = await kube.admin.must<{ gitVersion: string }>('GET', '/version');
    expect(version.gitVersion).toMatch(/^v1\.34\.\d+$/);
  });

  test('a Service is given an address, and those who watch see it', async () => {
    const { metadata } = await kube.admin.must('GET', SERVICES);
    const written = await kube.admin.apply(service('watched', { ports: [{ name: 'http', port: 80 }] }));
    expect(written['spec']).toMatchObject({ type: 'ClusterIP', clusterIP: expect.stringMatching(/^10\.96\./) });
    const { type, object } = await firstEvent(metadata.resourceVersion);
    expect([type, object.metadata.uid]).toEqual(['ADDED', written.metadata.uid]);
  });

  test('RBAC refuses what no role allows, and allows it as soon as one does', async () => {
    const reader = kube.client(kube.token('reader'));
    const list = () => reader.ask('GET', SERVICES);
    expect(await list()).toMatchObject({ code: 403, body: { reason: 'Forbidden' } });
    const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name: 'readers', namespace: 'shop' } };
    await kube.admin.apply({ ...rbac, kind: 'Role', rules: [{ apiGroups: [''], resources: ['services'], verbs: ['list'] }] });
    await kube.admin.apply({
      ...{ ...rbac, kind: 'RoleBinding', subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'readers' }] },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'readers' },
    });
    await expect.poll(async () => (await list()).code).toBe(200);
    expect(await reader.ask('DELETE', '/api/v1/namespaces/shop/services/watched')).toMatchObject({ code: 403 });
  });

  test('a token that was requested for a service account is known for it, by its audience alone', async () => {
    const token = await kube.serviceAccountToken({ namespace: 'shop', name: 'cart' }, { audiences: ['hawser'] });
    const review = (audiences: readonly string[]) =>
      kube.admin.must('POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
        ...{ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token, audiences } },
      });
    expect((await review(['hawser']))['status']).toMatchObject({
      ...{ authenticated: true, audiences: ['hawser'], user: { username: 'system:serviceaccount:shop:cart' } },
    });
    expect((await review(['somebody-else']))['status']).not.toHaveProperty('authenticated');
  });

  test('a kind of ours is served once it is established, and CEL judges its objects', async () => {
    await kube.admin.apply(ROPES);
    const condition = async () => {
      const { status } = ((await kube.admin.read(ROPES)) ?? {}) as { status?: { conditions?: { type: string; status: string }[] } };
      return status?.conditions?.find(({ type }) => type === 'Established')?.status;
    };
    await expect.poll(condition).toBe('True');
    const rope = (spec: object): KubeObject => ({ apiVersion: 'test.hawser.dev/v1', kind: 'Rope', metadata: { name: 'one' }, spec });
    await expect.poll(() => kube.admin.apply(rope({ least: 1, most: 2 })).then(({ kind }) => kind)).toBe('Rope');
    await expect(kube.admin.apply(rope({ least: 3, most: 2 }))).rejects.toThrow('least is above most');
    await expect(kube.admin.apply(rope({ least: 1, most: 2, color: 'red' }))).rejects.toThrow('color');
  });

  test('what was compacted away is gone, for lists and watches', async () => {
    const { metadata } = await kube.admin.must('GET', SERVICES);
    await kube.admin.apply(service('after', { ports: [{ port: 81 }] }));
    await kube.compact();
    const exactly = `${SERVICES}?resourceVersion=${metadata.resourceVersion}&resourceVersionMatch=Exact`;
    expect(await kube.admin.ask('GET', exactly)).toMatchObject({ code: 410, body: { reason: 'Expired' } });
    expect(await firstEvent(metadata.resourceVersion)).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
    const left = await kube.admin.must<{ items: KubeObject[] }>('GET', SERVICES);
    expect(left.items.map((item) => item.metadata.name)).toContain('after');
  });

  test('it stands still and goes on, and comes back from a crash with what it had', async () => {
    let answered = false;
    let asked: Promise<unknown> = Promise.resolve();
    await kube.freeze(async () => {
      asked = kube.admin.must('GET', '/api/v1/namespaces/shop').then(() => {
        answered = true;
      });
      await new Promise((resolve) => setImmediate(resolve));
      expect(answered).toBe(false);
    });
    await asked;
    await kube.kill();
    await expect(kube.admin.ask('GET', '/readyz')).rejects.toThrow();
    await kube.restart();
    expect(await kube.admin.must('GET', '/api/v1/namespaces/shop')).toMatchObject({ metadata: { name: 'shop' } });
  }, 120_000);

  /** What a watch of the services begins with. A server may end any watch at any time, and one that has just begun does. */
  function firstEvent(resourceVersion = ''): Promise<WatchEvent> {
    const look = async (): Promise<WatchEvent> => {
      const { events, close } = await kube.admin.watch(`${SERVICES}?resourceVersion=${resourceVersion}`);
      return events.take().finally(close);
    };
    return vi.waitFor(look, { timeout: 30_000 });
  }
});

const SERVICES = '/api/v1/namespaces/shop/services';

function service(name: string, spec: object): KubeObject {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'shop' }, spec };
}

const integer = { type: 'integer' };

const ROPES: KubeObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'ropes.test.hawser.dev' },
  spec: {
    group: 'test.hawser.dev',
    names: { kind: 'Rope', plural: 'ropes' },
    scope: 'Namespaced',
    versions: [
      {
        ...{ name: 'v1', served: true, storage: true },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: {
                type: 'object',
                properties: { least: integer, most: integer },
                required: ['least', 'most'],
                'x-kubernetes-validations': [{ rule: 'self.least <= self.most', message: 'least is above most' }],
              },
            },
          },
        },
      },
    ],
  },
};
