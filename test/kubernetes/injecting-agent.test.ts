/** `hawser agent run --kubernetes --inject` as a process, asked by a real API server, with exactly the roles that are delivered. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deliverInjection } from '../kit/delivered-injection.ts';
import { HawserProcesses, type RunningCluster } from '../kit/hawser-processes.ts';
import { startKubeApiserver, type TestKubeApiserver } from '../kit/kube-apiserver.ts';
import { BUILD_MS, canRunKubernetes } from '../kit/kube-apiserver-binary.ts';
import type { KubeAnswer } from '../kit/kube-client.ts';
import { agentKubeconfig, applyDefinitions } from '../kit/kube-definitions.ts';
import { freePort } from '../kit/ports.ts';
import { eventually } from '../kit/served.ts';

const PODS = '/api/v1/namespaces/shop/pods';

describe.skipIf(!canRunKubernetes())('an agent that injects', () => {
  const processes = new HawserProcesses();
  let kube: TestKubeApiserver;
  let east: RunningCluster;
  const create = (name: string, query = ''): Promise<KubeAnswer> =>
    kube.admin.ask('POST', PODS + query, {
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name } },
      spec: { serviceAccountName: 'web', containers: [{ name: 'web', image: 'web:1' }] },
    });
  const sidecars = ({ code, body }: KubeAnswer): unknown => [
    code,
    ((body as { spec?: { initContainers?: { name: string }[] } }).spec?.initContainers ?? []).map(({ name }) => name),
  ];
  const INJECTED = [201, ['hawser-capture', 'hawser-proxy']];
  /** A configuration is heard of by the server's own watch, a moment later. */
  const untilInjected = async (): Promise<void> => {
    let last: KubeAnswer | undefined;
    const isInjected = async (): Promise<boolean> => {
      last = await create('tried', '?dryRun=All');
      return isDeepStrictEqual(sidecars(last), INJECTED);
    };
    await eventually(isInjected, () => `no Pod is given a sidecar: ${JSON.stringify(last)}`, 30_000);
  };
  const checked = async (): Promise<string> => (await processes.run(['check'])).stdout;

  beforeAll(async () => {
    [kube] = await Promise.all([startKubeApiserver(), processes.startHub()]);
    await applyDefinitions(kube.admin);
    const kubeconfig = await agentKubeconfig(kube);
    const settings = join(processes.folder, 'injection.json');
    writeFileSync(settings, JSON.stringify(await deliverInjection(kube.admin, await freePort())));
    const labels = { 'hawser.dev/inject': 'enabled' };
    await kube.admin.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels } });
    processes.agentFlags.set('us-east', ['--kubernetes', '--kubeconfig', kubeconfig, '--inject', settings]);
    east = await processes.join('us-east', {});
    await untilInjected();
  }, BUILD_MS);
  afterAll(async () => {
    await processes.stop();
    await kube?.stop();
  });

  test('is asked by the API server for each Pod that is made', async () => {
    expect(sidecars(await create('with'))).toEqual(INJECTED);
    const { body } = await kube.admin.ask('GET', `${PODS}/with`);
    expect(body).toMatchObject({ metadata: { labels: { 'hawser.dev/sidecar': expect.stringMatching(/^default\./) } } });
  });

  test('when it is killed, Pods start without a sidecar; it names them, and injects, as soon as it is back', {
    timeout: 90_000,
  }, async () => {
    await east.agent.end('SIGKILL');
    expect(sidecars(await create('without'))).toEqual([201, []]);
    await east.startAgain();
    await untilInjected();
    const named = 'namespace shop: 1 Pod without a sidecar (without): kubectl -n shop rollout restart';
    await eventually(async () => (await checked()).includes(named), 'it is not named', 30_000);
    expect(await checked()).not.toContain('with a sidecar of other settings');
    await kube.admin.must('DELETE', `${PODS}/without?gracePeriodSeconds=0`);
    expect(sidecars(await create('without'))).toEqual(INJECTED);
  });
});
