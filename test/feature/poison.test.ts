/** What a proposed policy would change, and one that a proxy refuses: a real hub, an agent, and two Envoys under traffic. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DiffAnswer, RolloutAnswer } from '@hawser/wire/hub-api.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, startApp } from '../datapath/kit/app.ts';
import { call, stream } from '../datapath/kit/load.ts';
import { until } from '../datapath/kit/until.ts';
import type { TestEnvoy } from '../kit/envoy.ts';
import { serviceFile } from '../kit/federation.ts';
import { HawserProcesses, type RunningCluster, versionsIn } from '../kit/hawser-processes.ts';

/** Addresses of two services, `reviews` and `details`: an application and its sidecar at each. */
const HOSTS = ['127.83.21.10', '127.83.21.11'] as const;
const SERVICES = '/apis/networking.istio.io/v1/namespaces/bookinfo/virtualservices';

function route(service: string, more: string): string {
  return [
    'apiVersion: networking.istio.io/v1',
    'kind: VirtualService',
    `metadata: {name: ${service}, namespace: bookinfo}`,
    `spec: {hosts: [${service}], http: [{route: [{destination: {host: ${service}}}], ${more}}]}`,
    '',
  ].join('\n');
}

type ConditionText = Readonly<Record<string, unknown>>;

/** Conditions by type, of a resource in JSON. */
function conditionsIn(text: string): Readonly<Record<string, ConditionText>> {
  const { status } = JSON.parse(text) as { readonly status: { readonly conditions: readonly ConditionText[] } };
  return Object.fromEntries(status.conditions.map((condition) => [String(condition['type']), condition]));
}

describe('a federation of one cluster', { timeout: 120_000 }, () => {
  const hawser = new HawserProcesses();
  let cluster: RunningCluster;
  let envoys: readonly TestEnvoy[];
  let apps: readonly App[] = [];
  beforeAll(async () => {
    await hawser.startHub();
    cluster = await hawser.join('us-east', {
      'reviews.yaml': serviceFile('reviews', [HOSTS[0]]),
      'details.yaml': serviceFile('details', [HOSTS[1]]),
    });
    apps = await Promise.all([startApp('reviews', HOSTS[0]), startApp('details', HOSTS[1])]);
    envoys = await Promise.all(HOSTS.map((address) => cluster.sidecar(address, 'default')));
    const imported = async (): Promise<boolean> => {
      const text = await hawser.api('/apis/multicluster.x-k8s.io/v1beta1/serviceimports');
      return text.includes('reviews') && text.includes('details');
    };
    await until(imported, () => 'the hub never heard of the services');
    expect(await hawser.run(['apply', '-f', '-', '--wait'], { input: route('reviews', 'timeout: 3s') })).toMatchObject({ status: 0 });
  }, 90_000);
  afterAll(async () => {
    await hawser.stop();
    await Promise.all(apps.map((app) => app.crash()));
  });

  const calls = [
    { via: HOSTS[1], host: 'reviews.bookinfo' },
    { via: HOSTS[0], host: 'details.bookinfo' },
  ];

  const diff = (input: string, ...flags: readonly string[]) => hawser.run(['diff', '-f', '-', ...flags], { input });

  it('is shown what a policy would change, in its own terms and in Envoy’s, and is left as it was', async () => {
    const given = await Promise.all(envoys.map(versionsIn));
    const stored = await hawser.api(SERVICES);
    expect(await diff(route('reviews', 'timeout: 3s'))).toEqual({ status: 0, stdout: '', stderr: '' });

    const changed = await diff(route('reviews', 'timeout: 4s'), '--envoy');
    expect(changed).toMatchObject({ status: 1, stderr: '' });
    expect(changed.stdout).toMatch(/# replace VirtualService bookinfo\/reviews\n--- stored\n\+\+\+ proposed\n/);
    expect(changed.stdout).toMatch(/-\s+timeout: 3s\n\+\s+timeout: 4s/);
    expect(changed.stdout).toMatch(
      /# us-east \(at revision \d+\): 1 xDS resource at 2 proxies\n {2}changed RDS outbound \(sidecar, 2 proxies\)/,
    );
    expect(changed.stdout).toMatch(/virtualHosts\[reviews\.bookinfo\.svc\.clusterset\.local:80\]\.routes\[0\]\.route\.timeout: "3s"/);

    const rule = `apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: d, namespace: bookinfo}\nspec: {host: details, subsets: [{name: v1, labels: {version: v1}}]}\n`;
    const added = await diff(`${rule}---\n${route('nobody', 'timeout: 1s')}`, '--cluster', 'us-east', '-o', 'json');
    const answer = JSON.parse(added.stdout) as DiffAnswer;
    expect(answer.resources.map(({ kind, action }) => [kind, action])).toEqual([
      ['DestinationRule', 'create'],
      ['VirtualService', 'create'],
    ]);
    const [there] = answer.clusters;
    expect(there).toMatchObject({ cluster: 'us-east', state: 'answered', proxies: 2 });
    const names = there?.resources.map(({ action, type, name }) => `${action} ${type} ${name}`) ?? [];
    expect(names).toContain('added CDS outbound|80|v1|details.bookinfo.svc.clusterset.local');
    expect(names).toContain('added EDS outbound|80|v1|details.bookinfo.svc.clusterset.local');
    expect(added.status).toBe(1);

    const gone = await diff(route('reviews', ''), '--delete', '--envoy');
    expect(gone.stdout).toMatch(/# delete VirtualService bookinfo\/reviews\n--- stored\n\+\+\+ \/dev\/null\n/);
    expect(await hawser.api(SERVICES)).toBe(stored);
    expect(await Promise.all(envoys.map(versionsIn))).toEqual(given);
  });

  it('says of a cluster that does not answer that it did not, and of a bad file where it is bad', async () => {
    const nowhere = await diff(route('reviews', 'timeout: 5s'), '--cluster', 'us-north');
    expect(nowhere.stderr).toMatch(/us-north did not say what it would change: there is no such cluster/);
    expect(nowhere.status).toBe(2);
    writeFileSync(join(hawser.folder, 'bad.yaml'), route('reviews', 'match: [{uri: {regex: "a{1,200}"}}]'));
    const bad = await hawser.run(['diff', '-f', 'bad.yaml']);
    expect(bad.stderr).toMatch(/^bad\.yaml:4:.*regex: makes a program of at least 401 instructions, and Envoy takes 100/);
    expect(bad.status).toBe(2);
  });

  it('goes on whole when a proxy refuses one of its policies, says so everywhere, and recovers when it is fixed', async () => {
    // As long as validation lets pass, and larger than Envoy's limit: \\S is several instructions.
    const poison = route('details', `match: [{uri: {regex: '/${'\\S'.repeat(60)}'}}], timeout: 7s`);
    for (const to of calls)
      await until(
        async () => (await call(to)).status === 200,
        () => `${to.host} never answered`,
      );
    const traffic = calls.map((to) => stream(to, 20));
    const applied = await hawser.run(['apply', '-f', '-', '--wait', '-o', 'json'], {
      input: `${poison}---\n${route('reviews', 'timeout: 5s')}`,
    });
    expect(applied.status).toBe(3);
    const [refused, served] = (JSON.parse(applied.stdout) as { results: readonly Pick<RolloutAnswer, 'nacks' | 'proxies'>[] }).results;
    const nack = { cluster: 'us-east', type: 'RDS', resource: 'outbound', policy: 'VirtualService/bookinfo/details' };
    // Whom the good version reached before the bad one has nothing to refuse.
    expect(refused?.nacks.length).toBeGreaterThan(0);
    for (const one of refused?.nacks ?? []) expect(one).toMatchObject(nack);
    expect(refused?.proxies).toMatchObject({ expected: 2, nacked: refused?.nacks.length });
    expect(applied.stdout).toContain('RE2 program size of 245 > max program size of 100');
    expect(served).toMatchObject({ nacks: [], proxies: { expected: 2, acked: 2, nacked: 0 } });
    for (const envoy of envoys) {
      const routes = await envoy.admin('/config_dump?resource=dynamic_route_configs');
      expect(routes).toMatch(/"timeout": ?"5s"/);
      expect(routes).not.toMatch(/"timeout": ?"7s"/);
    }
    const conditions = await hawser.run(['get', 'vs', 'details', '-n', 'bookinfo', '-o', 'json']);
    expect(conditionsIn(conditions.stdout)).toMatchObject({
      Accepted: { status: 'True', observedGeneration: 1 },
      ResolvedRefs: { status: 'True' },
      Programmed: { status: 'False', reason: 'Rejected', observedGeneration: 1, lastTransitionTime: expect.any(String) },
      Ready: { status: 'False', reason: 'Rejected' },
    });
    expect(conditions.stdout).toMatch(/us-east\/client-127-83-21-1[01] refused RDS outbound: regex /);
    const other = await hawser.run(['get', 'vs', 'reviews', '-n', 'bookinfo', '-o', 'json']);
    expect(conditionsIn(other.stdout)).toMatchObject({ Programmed: { status: 'True' }, Ready: { status: 'True' } });
    await until(
      async () => (await hawser.api('/hawser/v1/proxies')).includes('"state":"REFUSED"'),
      () => 'the agent never told of it',
    );
    const status = await hawser.run(['proxy-status']);
    expect(status.status).toBe(3);
    expect(status.stdout).toMatch(/VirtualService bookinfo\/details: us-east\/client-\S+ refused RDS outbound: regex .* RE2 program size/);
    await hawser.hub?.end('SIGTERM');
    await hawser.startHubAgain();
    const programmed = async (name: string): Promise<unknown> =>
      conditionsIn(await hawser.api(`${SERVICES}/${name}`))['Programmed']?.['status'];
    await until(
      async () => (await programmed('details')) !== 'Unknown' && (await programmed('reviews')) !== 'Unknown',
      () => 'the new hub never heard of the proxies',
    );
    expect([await programmed('details'), await programmed('reviews')]).toEqual(['False', 'True']);
    const fixed = await hawser.run(['apply', '-f', '-', '--wait'], { input: route('details', 'timeout: 8s') });
    expect(fixed).toMatchObject({ status: 0, stderr: '' });
    for (const envoy of envoys) expect(await envoy.admin('/config_dump?resource=dynamic_route_configs')).toMatch(/"timeout": ?"8s"/);
    expect((await hawser.run(['proxy-status'])).status).toBe(0);
    for (const one of traffic) {
      const { sent, failures } = await one.stop();
      expect(sent).toBeGreaterThan(20);
      expect(Object.fromEntries(failures)).toEqual({});
    }
  }, 120_000);
});
