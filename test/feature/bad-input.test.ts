/** Bad input to a federation of real processes: refused with its place, while what was accepted stays and every proxy keeps what it has. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { decodeJoinToken, encodeJoinToken, type JoinTokenPayload } from '@hawser/wire/enrolment.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../datapath/kit/until.ts';
import type { TestEnvoy } from '../kit/envoy.ts';
import { serviceFile } from '../kit/federation.ts';
import { damageOf, HawserProcesses, type RunningCluster, versionsIn } from '../kit/hawser-processes.ts';

const CLIENT = '127.85.1.10';
const [NEAR, FAR, LATER] = ['127.85.1.11', '127.85.2.11', '127.85.2.12'] as const;

const RULE = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews, namespace: bookinfo}
spec: {host: reviews, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
`;
const ROUTE = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
  namespace: bookinfo
spec:
  hosts: [reviews]
  http:
    - timeout: 3s
      route:
        - destination: {host: reviews, subset: v1}
          weight: 90
        - destination: {host: reviews, subset: v2}
          weight: 10
`;
const SHIFT = `apiVersion: hawser.dev/v1alpha1
kind: TrafficShift
metadata: {name: reviews, namespace: bookinfo}
spec:
  services: [reviews]
  regions: {us-east: 50, us-west: 50}
`;
const VS = 'VirtualService bookinfo/reviews';

/** What is wrong, the file, and the line that says so. */
const REFUSED: readonly [string, string, RegExp][] = [
  ['malformed YAML', ROUTE.replace('[reviews]', '[reviews'), /^bad\.yaml:8:3: not valid YAML: /m],
  ['a file that is cut off', ROUTE.slice(0, 60), /^bad\.yaml:3:1: not valid YAML: /m],
  ['an unknown kind', ROUTE.replace('VirtualService', 'VirtualServise'), /^bad\.yaml:2:7: .*: kind: unknown kind "VirtualServise"/m],
  ['an unknown field', ROUTE.replace('timeout:', 'timeuot:'), new RegExp(`^bad\\.yaml:9:7: ${VS}: spec\\.http\\[0\\]\\.timeuot: `, 'm')],
  ['a field of another kind', `${SHIFT}status: {}\nsteps: []\n`, /^bad\.yaml:8:1: TrafficShift bookinfo\/reviews: steps: is not a field/m],
  [
    'weights of nothing',
    ROUTE.replace(/weight: \d+/g, 'weight: 0'),
    new RegExp(`^bad\\.yaml:10:7: ${VS}: spec\\.http\\[0\\]\\.route: .*0`, 'm'),
  ],
  ['shares of 90', SHIFT.replace('us-west: 50', 'us-west: 40'), /^bad\.yaml:6:3: TrafficShift bookinfo\/reviews: spec\.regions: .*90/m],
  [
    'a host that no service can have',
    ROUTE.replace('hosts: [reviews]', 'hosts: [www..example.com]'),
    new RegExp(`^bad\\.yaml:7:11: ${VS}: spec\\.hosts\\[0\\]: is "www\\.\\.example\\.com", which is no host`, 'm'),
  ],
  [
    'a host that belongs to no service',
    ROUTE.replace('hosts: [reviews]', 'hosts: [nobody]'),
    new RegExp(`^bad\\.yaml:7:11: ${VS}: spec\\.hosts\\[0\\]: names the service bookinfo/nobody, which no cluster exports`, 'm'),
  ],
  [
    'a destination that is no service',
    ROUTE.replace('{host: reviews, subset: v2}', '{host: nobody}'),
    new RegExp(`^bad\\.yaml:13:31: ${VS}: spec\\.http\\[0\\]\\.route\\[1\\]\\.destination\\.host: names the service`, 'm'),
  ],
  [
    'a port that the service does not have',
    ROUTE.replace('{host: reviews, subset: v2}', '{host: reviews, port: {number: 81}}'),
    new RegExp(`^bad\\.yaml:13:55: ${VS}: spec\\.http\\[0\\]\\.route\\[1\\]\\.destination\\.port\\.number: is 81.*it has 80$`, 'm'),
  ],
  [
    'a subset that nobody defines',
    ROUTE.replace('subset: v2', 'subset: v9'),
    new RegExp(`^bad\\.yaml:13:48: ${VS}: spec\\.http\\[0\\]\\.route\\[1\\]\\.destination\\.subset: is v9.*they have v1, v2`, 'm'),
  ],
  [
    'a region without clusters',
    SHIFT.replace('us-west', 'mars'),
    /^bad\.yaml:6:32: .*: spec\.regions\.mars: .*there are us-east, us-west/m,
  ],
  [
    'a placement that cannot be read',
    ROUTE.replace('  name: reviews', '  annotations: {hawser.dev/clusters: "cluster in us-east"}\n  name: reviews'),
    new RegExp(`^bad\\.yaml:4:38: ${VS}: metadata\\.annotations\\["hawser\\.dev/clusters"\\]: `, 'm'),
  ],
];

describe('bad input', () => {
  const hawser = new HawserProcesses();
  const listeners = [NEAR, FAR, LATER].map((address) => createServer((socket) => socket.destroy()).listen(9080, address));
  let east: RunningCluster & { readonly token: string };
  let west: RunningCluster;
  let envoy: TestEnvoy;

  beforeAll(async () => {
    await hawser.startHub();
    [east, west] = await Promise.all([
      hawser.join('us-east', { 'reviews.yaml': serviceFile('reviews', [NEAR]) }),
      hawser.join('us-west', { 'reviews.yaml': serviceFile('reviews', [FAR]) }),
    ]);
    envoy = await east.sidecar(CLIENT);
    await envoyHas(FAR);
    const imports = '/apis/multicluster.x-k8s.io/v1beta1/serviceimports';
    const imported = async (): Promise<boolean> => (await hawser.api(imports)).includes('us-west');
    await until(imported, () => 'the hub never heard of reviews');
    const accepted = await hawser.run(['apply', '-f', '-', '--wait'], { input: `${RULE}---\n${ROUTE}` });
    // What is well-formed but probably not meant is said, and done.
    expect(accepted).toMatchObject({ status: 0, stderr: expect.stringMatching(/^(<stdin>:\d+:\d+: .*: warning HW0106: .*\n){2}$/) });
    expect(await policies()).toContain('"timeout":"3s"');
    expect((await versionsIn(envoy)).length).toBeGreaterThan(3);
  }, 90_000);
  afterAll(async () => {
    await hawser.stop();
    for (const listener of listeners) listener.close();
  });

  const policies = (): Promise<string> => hawser.api('/apis/networking.istio.io/v1/virtualservices');
  const endpoints = (): Promise<string> => envoy.admin('/config_dump?include_eds&resource=dynamic_endpoint_configs&name_regex=.*reviews.*');
  const envoyHas = (address: string): Promise<void> =>
    until(
      async () => (await endpoints()).includes(`${address}:`),
      () => `the proxy never had ${address}`,
    );
  /** Whether the agent of us-west is warned of no file. */
  const isWell = async (): Promise<boolean> =>
    !(await (await fetch(`http://127.0.0.1:${west.adminPort}/debug/world`)).text()).includes('"message":"reviews.yaml:');

  it.each(REFUSED)('%s is refused at its place, and nothing is lost', async (_title, text, expected) => {
    const [stored, given] = [await policies(), await versionsIn(envoy)];
    writeFileSync(join(hawser.folder, 'bad.yaml'), text);
    const { status, stdout, stderr } = await hawser.run(['apply', '-f', 'bad.yaml']);
    expect(stderr).toMatch(expected);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(await policies()).toBe(stored);
    expect(await versionsIn(envoy)).toEqual(given);
  });

  it('the hub’s own name is no cluster’s', async () => {
    const { status, stdout, stderr } = await hawser.run(['cluster', 'join', 'hub', '--region', 'us-east']);
    expect(stderr).toMatch(/spec\.cluster.* is hub, the hub's own name on the bus: choose another/);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  });

  describe('a join token', () => {
    const forged = (token: string, changes: object): string =>
      encodeJoinToken({ ...(decodeJoinToken(token) as JoinTokenPayload), ...changes });
    const cases: readonly [string, () => string | Promise<string>, RegExp][] = [
      ['that is none', () => 'nonsense', /this is not a join token; use the whole line that hawser cluster join printed/],
      ['that was used', () => east.token, /used already; every join needs a new one: hawser cluster join/],
      ['that expired', () => hawser.token('late', '1ms'), /has expired; make a new one: hawser cluster join/],
      [
        'with a wrong secret',
        () => forged(east.token, { secret: 'guess' }),
        /not valid for this cluster: make one with hawser cluster join NAME/,
      ],
      ['of another cluster', async () => forged(await hawser.token('us-south'), { cluster: 'us-east' }), /not valid for this cluster/],
      ['that leads out of the folder', () => forged(east.token, { cluster: '../../us-east' }), /this is not a join token/],
      [
        'of a hub that is not there',
        () => forged(east.token, { hub: 'http://127.0.0.1:9' }),
        /the hub at http:\/\/127\.0\.0\.1:9 cannot be reached/,
      ],
    ];
    it.each(cases)('%s starts no agent, and says the way out', async (_title, make, expected) => {
      const args = ['agent', 'run', '--token', await make(), '--registry-dir', east.registryDir];
      const { status, stderr } = await hawser.run(args, { stateDir: 'stranger' });
      expect(stderr).toMatch(expected);
      expect(stderr.split('\n').filter((line) => line.startsWith('hawser: '))).toHaveLength(1);
      expect(status).toBe(1);
      expect(readdirSync(hawser.folder).filter((name) => name.startsWith('us-'))).toEqual([]);
    });
  });

  it('a registry file half-written, or replaced by a directory, empties no proxy', async () => {
    const path = join(west.registryDir, 'reviews.yaml');
    const whole = readFileSync(path, 'utf8');
    const given = await versionsIn(envoy);
    for (const cut of [whole.length - 30, Math.floor(whole.length / 2), 20, 0]) {
      const { heard } = west.agent;
      writeFileSync(path, whole.slice(0, cut));
      await west.agent.says('"warning":"reviews.yaml:', heard);
      writeFileSync(path, whole);
      // What it is warned of already is not said again.
      await until(isWell, () => 'the agent never saw the file whole again');
    }
    const { heard } = west.agent;
    expect(spawnSync('sh', ['-c', 'rm "$0" && mkdir "$0"', path]).status).toBe(0); // by another process, with time between
    await west.agent.says('"warning":"reviews.yaml: is a directory, not a file"', heard);
    rmdirSync(path);
    writeFileSync(path, whole);
    renameSync(west.registryDir, `${west.registryDir}.away`);
    writeFileSync(west.registryDir, 'not a directory');
    await west.agent.says('everything it held is kept until it can be read again', heard);
    rmSync(west.registryDir);
    renameSync(`${west.registryDir}.away`, west.registryDir);
    expect(await versionsIn(envoy)).toEqual(given);

    west.put('reviews.yaml', serviceFile('reviews', [FAR, LATER]));
    await envoyHas(LATER);
    expect(await endpoints()).toContain(`${FAR}:`);
    expect(await damageOf(envoy)).toEqual({});
  });

  it('a good policy still goes through after all of it', async () => {
    const { status, stdout } = await hawser.run(['apply', '-f', '-', '--wait'], { input: ROUTE.replace('3s', '4s') });
    expect(stdout).toMatch(/1 of 1 proxies acknowledged/);
    expect(status).toBe(0);
    expect(await damageOf(envoy)).toEqual({});
  });
});
