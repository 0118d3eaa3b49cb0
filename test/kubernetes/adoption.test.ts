/** Policy of a cluster's own API server, adopted by a hub: real API server, hub, agents and Envoys. */
import type { KubeObject } from '@hawser/model/kube-object.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { TestEnvoy } from '../kit/envoy.ts';
import { serviceFile } from '../kit/federation.ts';
import { HawserProcesses, type RunningCluster } from '../kit/hawser-processes.ts';
import { startKubeApiserver, type TestKubeApiserver } from '../kit/kube-apiserver.ts';
import { BUILD_MS, canRunKubernetes } from '../kit/kube-apiserver-binary.ts';
import { agentKubeconfig, applyDefinitions } from '../kit/kube-definitions.ts';
import { eventually } from '../kit/served.ts';

const GROUP = 'networking.istio.io';
/** Istio's own definition is large; of its fields none is judged by it here. */
const DEFINITION: KubeObject = {
  ...{ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: `virtualservices.${GROUP}` } },
  spec: {
    ...{ group: GROUP, scope: 'Namespaced' },
    names: { plural: 'virtualservices', singular: 'virtualservice', kind: 'VirtualService', listKind: 'VirtualServiceList' },
    versions: ['v1', 'v1beta1'].map((name) => ({
      ...{ name, served: true, storage: name === 'v1' },
      schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
    })),
  },
};
const BINDING: KubeObject = {
  ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: { name: 'hawser-agent-policies' } },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'hawser-agent-policies' },
  subjects: [{ kind: 'ServiceAccount', name: 'hawser-agent', namespace: 'hawser-system' }],
};
const BINDING_PATH = '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/hawser-agent-policies';
const PATH = `/apis/${GROUP}/v1/namespaces/bookinfo/virtualservices`;

/** A rule that can be told from others by the header that it looks at. */
const rule = (name: string, mark: string): KubeObject => ({
  ...{ apiVersion: `${GROUP}/v1`, kind: 'VirtualService', metadata: { name, namespace: 'bookinfo' } },
  spec: { hosts: [name], http: [{ match: [{ headers: { [mark]: { exact: 'x' } } }], route: [{ destination: { host: name } }] }] },
});

describe.skipIf(!canRunKubernetes())('policy of a cluster of its own', () => {
  const hawser = new HawserProcesses();
  let kube: TestKubeApiserver;
  let east: RunningCluster;
  let proxies: { readonly east: TestEnvoy; readonly west: TestEnvoy };

  const run = async (...args: string[]): Promise<string> => {
    const { stdout, stderr } = await hawser.run(args);
    return stdout + stderr;
  };
  const has = async (envoy: TestEnvoy, mark: string): Promise<boolean> => (await envoy.configDump()).includes(mark);
  const served = (mark: string): Promise<void> => eventually(() => has(proxies.east, mark), `${mark} is not served in us-east`);
  const write = (object: KubeObject) => kube.admin.apply(object);
  const states = async (): Promise<Record<string, string>> => {
    const answer = JSON.parse(await run('cluster', 'policies', 'us-east', '-o', 'json')) as {
      items: readonly { readonly name: string; readonly state: string; readonly reason: string }[];
    };
    return Object.fromEntries(answer.items.map(({ name, state, reason }) => [name, reason === '' ? state : `${state}: ${reason}`]));
  };

  beforeAll(async () => {
    kube = await startKubeApiserver();
    await applyDefinitions(kube.admin, ['multicluster.x-k8s.io']);
    await kube.admin.apply(DEFINITION);
    for (const name of ['bookinfo', 'shown']) await kube.admin.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    await eventually(async () => (await kube.admin.ask('GET', PATH)).code === 200, 'the kind is not served');
    hawser.agentFlags.set('us-east', ['--kubernetes', '--kubeconfig', await agentKubeconfig(kube)]);
    await kube.admin.apply(BINDING);
    await hawser.startHub();
    const files = { 'reviews.yaml': serviceFile('reviews', ['127.79.2.11']), 'ratings.yaml': serviceFile('ratings', ['127.79.2.12']) };
    const [first, west] = await Promise.all([hawser.join('us-east', {}), hawser.join('us-west', files)]);
    east = first;
    proxies = { east: await east.sidecar('127.79.1.21'), west: await west.sidecar('127.79.2.21') };
  }, BUILD_MS);
  afterAll(async () => {
    await hawser.stop();
    await kube?.stop();
  });

  test('is in force at the proxies of that cluster and of no other, once its setting says so', async () => {
    await write(rule('reviews', 'x-reviews-1'));
    await write({ ...rule('nowhere', 'x'), metadata: { name: 'nowhere', namespace: 'shown' } });
    expect(await run('cluster', 'policies', 'us-east')).toMatch(/nothing is read there/);
    await run('cluster', 'policies', 'us-east', '--set', 'bookinfo=ReadOnly');
    await eventually(async () => (await states())['reviews'] === 'ReadOnly', 'it is not shown');
    await run('cluster', 'policies', 'us-east', '--set', 'shown=ReadOnly');
    const judged = /HW0103 VirtualService shown\/nowhere spec\.http\[0\]\.route\[0\]\.destination\.host: /;
    await eventually(async () => judged.test(await run('cluster', 'policies', 'us-east')), 'it is not judged');
    await run('cluster', 'policies', 'us-east', '--set', 'shown=Off');
    expect(await run('get', 'vs', '-n', 'bookinfo')).toMatch(/no virtualservices found/);
    await run('cluster', 'policies', 'us-east', '--set', 'bookinfo=Authoritative');
    await served('x-reviews-1');
    await run('wait', 'vs/reviews@us-east', '-n', 'bookinfo', '--for=condition=Programmed');
    const table = await run('get', 'vs', '-n', 'bookinfo');
    expect(table).toMatch(/OWNER/);
    expect(table).toMatch(/reviews@us-east .* True .* us-east/);
    expect([await has(proxies.west, 'x-reviews-1'), await states()]).toEqual([false, { reviews: 'Adopted' }]);
    await write(rule('reviews', 'x-reviews-2'));
    await served('x-reviews-2');
    expect(await has(proxies.east, 'x-reviews-1')).toBe(false);
  });

  test('whoever was there first stays, from either side', async () => {
    const applied = await hawser.run(['apply', '-f', '-'], { input: JSON.stringify(rule('reviews', 'x-hub')) });
    expect([applied.status, applied.stdout + applied.stderr]).toEqual([
      1,
      expect.stringMatching(/us-east has .* which is in force there: keep it from there/),
    ]);
    const kept = await hawser.run(['delete', 'vs', 'reviews@us-east', '-n', 'bookinfo']);
    expect(kept.stdout + kept.stderr).toMatch(/belongs to us-east/);
    expect((await hawser.run(['apply', '-f', '-', '--wait'], { input: JSON.stringify(rule('ratings', 'x-hub')) })).status).toBe(0);
    await write(rule('ratings', 'x-ratings-1'));
    await eventually(async () => /^Conflict: the hub has/.test((await states())['ratings'] ?? ''), 'the conflict is not shown');
    expect(await run('analyze', '--fail-on', 'never')).toMatch(/HW0511[\s\S]*us-east has its own VirtualService bookinfo\/ratings/);
    expect([await has(proxies.east, 'x-hub'), await has(proxies.east, 'x-ratings-1')]).toEqual([true, false]);
    const diff = await hawser.run(['diff', '-f', '-', '--delete', '--envoy'], { input: JSON.stringify(rule('ratings', 'x-hub')) });
    const [ofEast = '', ofWest = ''] = diff.stdout.split(/^# us-/m).slice(1);
    expect([diff.status, /x-ratings-1/.test(ofEast), /x-ratings-1/.test(ofWest), /x-hub/.test(ofWest)]).toEqual([1, true, false, true]);
    expect(diff.stderr).toMatch(/us-east: it has a VirtualService bookinfo\/ratings of its own, which comes into force there/);
    await run('delete', 'vs', 'ratings', '-n', 'bookinfo');
    await served('x-ratings-1');
    expect(await has(proxies.west, 'x-hub')).toBe(false);
  });

  test('an object that is none is named, and the rest goes on', async () => {
    await write({ ...rule('broken', 'x'), spec: { hosts: ['broken'], http: 'none' } });
    await write(rule('reviews', 'x-reviews-3'));
    await served('x-reviews-3');
    expect(await states()).toMatchObject({ broken: expect.stringMatching(/^Refused: spec\.http/), reviews: 'Adopted' });
    expect(await run('cluster', 'policies', 'us-east')).toMatch(/broken .*Refused .*spec\.http/);
  });

  test('stays while it cannot be read, also over a restart of the agent, and follows again then', async () => {
    await kube.admin.must('DELETE', BINDING_PATH);
    await east.agent.end('SIGTERM');
    await east.startAgain();
    await eventually(
      async () => /cannot be read there; what was adopted stays/.test(await run('cluster', 'policies', 'us-east')),
      'nobody says so',
    );
    await kube.admin.must('DELETE', `${PATH}/ratings`);
    expect([await has(proxies.east, 'x-reviews-3'), await has(proxies.east, 'x-ratings-1')]).toEqual([true, true]);
    expect(await states()).toMatchObject({ reviews: 'Adopted', ratings: 'Adopted' });
    await kube.admin.apply(BINDING);
    // What was deleted meanwhile goes now, by the word of who can read again.
    await eventually(async () => !(await has(proxies.east, 'x-ratings-1')), 'it did not go');
    expect(await has(proxies.east, 'x-reviews-3')).toBe(true);
  });

  test('goes in an orderly manner when it is switched off', async () => {
    await run('cluster', 'policies', 'us-east', '--set', 'bookinfo=Off');
    await eventually(async () => !(await has(proxies.east, 'x-reviews-3')), 'it is still served');
    expect(await states()).toEqual({});
    expect(await run('history', 'vs', 'reviews@us-east', '-n', 'bookinfo')).toMatch(/delete .*cluster\/us-east/);
  });
});
