/** The ConfigMap of the trust bundle on a real API server, kept with exactly the role that is delivered. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClusterAuthority } from '@hawser/agent/trust/authority.ts';
import { openAuthority } from '@hawser/agent/trust/open-authority.ts';
import { keepTrustConfigMap } from '@hawser/agent/trust/trust-config-map.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startKubeApiserver, type TestKubeApiserver } from '../kit/kube-apiserver.ts';
import { BUILD_MS, canRunKubernetes } from '../kit/kube-apiserver-binary.ts';
import { agentKubeconfig } from '../kit/kube-definitions.ts';
import { eventually } from '../kit/served.ts';

const MAP = '/api/v1/namespaces/hawser-system/configmaps/hawser-agent-trust-bundle';
const BINDING = '/apis/rbac.authorization.k8s.io/v1/namespaces/hawser-system/rolebindings/hawser-agent-trust-bundle';

interface Found {
  readonly metadata: { readonly resourceVersion: string };
  readonly data?: Readonly<Record<string, string>>;
}

describe.skipIf(!canRunKubernetes())('the ConfigMap of the trust bundle', () => {
  let kube: TestKubeApiserver;
  let folder: string;
  let authority: ClusterAuthority;
  let stop: () => void;
  let publishes = false;
  let looks = 0;
  let said: readonly string[] = [];
  const found = (): Promise<Found> => kube.admin.must<Found & never>('GET', MAP);
  const bundle = async (): Promise<string | undefined> => (await found()).data?.['ca.pem'];
  const isKept = async (): Promise<boolean> => (await bundle()) === authority.doorBundle;
  const looked = async (times: number): Promise<void> => {
    const wanted = looks + times;
    await eventually(() => looks >= wanted, 'nobody looks');
  };

  beforeAll(async () => {
    kube = await startKubeApiserver();
    folder = await mkdtemp(join(tmpdir(), 'hawser-trust-map-'));
    authority = await openAuthority(folder, 'us-east.hawser');
    const kubeconfig = await agentKubeconfig(kube);
    stop = keepTrustConfigMap({
      configMap: 'hawser-system/hawser-agent-trust-bundle',
      place: { kind: 'kubernetes', kubeconfig, context: undefined, secretNamespaces: [], edgeAccounts: [] },
      ...{ authority, publishes: () => publishes, everyMs: 100 },
      warnings: {
        standing: (_place, messages) => {
          looks += 1;
          said = messages;
        },
      },
    });
  }, BUILD_MS);
  afterAll(async () => {
    stop?.();
    await kube?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test('is filled by the agent that publishes, and by no other', async () => {
    await looked(3);
    expect(await bundle()).toBeUndefined();
    publishes = true;
    await eventually(isKept, () => `it is not filled: ${said.join()}`);
  });

  test('is not written where nothing differs, and beside its key nothing is', async () => {
    await kube.admin.must('PATCH', MAP, { data: { theirs: 'stays' } });
    const before = await found();
    await looked(3);
    expect(await found()).toEqual(before);
    await kube.admin.must('PATCH', MAP, { data: { 'ca.pem': 'something else' } });
    await eventually(isKept, 'what somebody wrote stays');
    expect((await found()).data?.['theirs']).toBe('stays');
  });

  test('has both roots while one is replaced, and the new one alone after an emergency', async () => {
    const first = authority.doorBundle.trim();
    await authority.apply({ rotation: 'one', kind: 'root', phase: 'prepare' });
    await eventually(isKept, 'the new root is not there');
    expect([(await bundle())?.includes(first), (await bundle())?.match(/BEGIN CERTIFICATE/g)?.length]).toEqual([true, 2]);
    await authority.apply({ rotation: 'one', kind: 'root', phase: 'retire', emergency: true });
    await eventually(isKept, 'the old root is there still');
    expect((await bundle())?.includes(first)).toBe(false);
  });

  test('that cannot be kept is said by its name and why, until it can', async () => {
    const binding = await kube.admin.must<{ metadata: { name: string }; roleRef: object; subjects: object }>('GET', BINDING);
    await kube.admin.must('DELETE', BINDING);
    await eventually(
      () => /^ConfigMap hawser-system\/hawser-agent-trust-bundle is not kept: .*forbidden/.test(said[0] ?? ''),
      () => said.join(),
    );
    const { roleRef, subjects } = binding;
    const again = {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: binding.metadata.name },
      roleRef,
      subjects,
    };
    await kube.admin.must('POST', BINDING.slice(0, BINDING.lastIndexOf('/')), again);
    await eventually(
      () => said.length === 0,
      () => said.join(),
    );
  });
});
