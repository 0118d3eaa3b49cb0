/** Two clusters of one trust domain and one of another: real Envoys, a root each. */

import { join } from 'node:path';
import { agentFolder } from '@hawser/agent/feed/membership.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, startApp } from '../datapath/kit/app.ts';
import { call } from '../datapath/kit/load.ts';
import { serviceFile } from '../kit/federation.ts';
import { HawserProcesses, type RunningCluster } from '../kit/hawser-processes.ts';
import { type HeldCalls, holdCalls } from '../kit/held-calls.ts';
import { eventually } from '../kit/served.ts';

const [SERVER, SISTER, OUTER] = ['127.87.10.11', '127.87.10.21', '127.87.10.31'] as const;
const HOST = 'reviews.bookinfo.svc.clusterset.local';
const DEADLINE_MS = 240_000;

describe('clusters of one trust domain', { timeout: DEADLINE_MS }, () => {
  const hawser = new HawserProcesses();
  const held: HeldCalls[] = [];
  let app: App;

  const statusOf = async (via: string): Promise<number> => (await call({ via, host: HOST })).status;
  const apply = async (name: string, spec: object): Promise<void> => {
    const domain = { apiVersion: 'hawser.dev/v1alpha1', kind: 'TrustDomain', metadata: { name }, spec };
    expect(await hawser.run(['apply', '-f', '-'], { input: JSON.stringify(domain) })).toMatchObject({ status: 0 });
  };
  /** Calls the server with what the authority of a cluster signs now; undefined when it is not let in. */
  const hold = async (cluster: string, trustDomain: string): Promise<HeldCalls | undefined> => {
    const identityDir = agentFolder(join(hawser.folder, '.hawser'), cluster);
    const calls = await holdCalls({ identityDir, trustDomain, address: SERVER, serverName: '80.reviews.bookinfo' });
    if (calls !== undefined) held.push(calls);
    return calls;
  };
  const isBelieved = async (cluster: string, trustDomain: string): Promise<boolean> => (await hold(cluster, trustDomain)) !== undefined;

  beforeAll(async () => {
    app = await startApp('reviews', SERVER);
    await hawser.startHub();
    await apply('prod.test', { clusters: ['us-east', 'us-west'], federatesWith: [] });
    const flat = ['--network', 'flat'];
    const [east, west, eu] = await Promise.all([
      hawser.join('us-east', { 'reviews.yaml': serviceFile('reviews', [SERVER]) }, flat),
      hawser.join('us-west', {}, flat),
      hawser.join('eu-west', {}, flat),
    ]);
    const at = ({ xdsPort }: RunningCluster): readonly string[] => [`127.0.0.1:${xdsPort}`];
    await Promise.all([
      hawser.proxy('us-east', { serviceAccount: 'default', name: 'server', address: SERVER, agents: at(east) }),
      hawser.proxy('us-west', { serviceAccount: 'client', name: 'sister', address: SISTER, agents: at(west) }),
      hawser.proxy('eu-west', { serviceAccount: 'client', name: 'outer', address: OUTER, agents: at(eu) }),
    ]);
  }, DEADLINE_MS);
  afterAll(async () => {
    for (const one of held) one.end();
    await hawser.stop();
    await app?.crash();
  }, DEADLINE_MS);

  it('believe each other, each by the roots of both; who is not named is refused by its client and by the server', async () => {
    await eventually(async () => (await statusOf(SISTER)) === 200, 'the sister does not reach the server');
    await eventually(() => isBelieved('us-west', 'prod.test'), 'the server does not believe its sister');
    expect(await isBelieved('us-east', 'prod.test')).toBe(true);
    await eventually(async () => (await statusOf(OUTER)) === 503, 'the client calls a server that does not believe it');
    expect(await isBelieved('eu-west', 'eu-west.hawser')).toBe(false);
    const bundle = JSON.parse(await hawser.api('/spiffe/v1/bundles/prod.test')) as { readonly keys: readonly unknown[] };
    expect(bundle.keys).toHaveLength(2);
  });

  it('of which one is rotated go on calling, and the bundle has one new root', async () => {
    const before = await hawser.api('/spiffe/v1/bundles/prod.test');
    expect(await hawser.run(['trust', 'rotate', 'us-west'])).toMatchObject({ status: 0 });
    await eventually(
      async () => {
        const { status, stdout } = await hawser.run(['trust', 'rotate', 'us-west', '--status', '-o', 'json']);
        return status === 0 && (JSON.parse(stdout) as { readonly phase: string }).phase === 'Done';
      },
      'the rotation does not end',
      DEADLINE_MS / 2,
    );
    type Bundle = { readonly keys: readonly { readonly x5c: readonly string[] }[] };
    const rootsOf = (text: string): readonly string[] => (JSON.parse(text) as Bundle).keys.flatMap(({ x5c }) => x5c);
    await eventually(async () => {
      const after = rootsOf(await hawser.api('/spiffe/v1/bundles/prod.test'));
      return after.length === 2 && after.filter((root) => rootsOf(before).includes(root)).length === 1;
    }, 'the bundle is not that of the sister as it is and the rotated one');
    await eventually(async () => (await statusOf(SISTER)) === 200, 'the sister does not reach the server');
    await eventually(() => isBelieved('us-west', 'prod.test'), 'the server does not believe what the new root signs');
  });

  it('federate by their trust domain: the third is let in when both sides say so', async () => {
    await apply('prod.test', { clusters: ['us-east', 'us-west'], federatesWith: ['eu-west.hawser'] });
    await eventually(async () => (await statusOf(OUTER)) === 200, 'who is named is not let in');
    await eventually(() => isBelieved('eu-west', 'eu-west.hawser'), 'the server does not believe who is named');
    await apply('eu-west.hawser', { federatesWith: [] });
    await eventually(async () => (await statusOf(OUTER)) === 503, 'a client calls servers that it does not believe');
    expect(await isBelieved('eu-west', 'eu-west.hawser')).toBe(true);
  });

  it('of which one is revoked: what its callers have open ends, and the others of that name are believed', async () => {
    const open = await hold('us-west', 'prod.test');
    expect(open).toBeDefined();
    expect(await hawser.run(['cluster', 'revoke', 'us-west', '--yes', '--timeout', '30s'])).toMatchObject({ status: 0 });
    await eventually(async () => (await open?.ask()) === 0, 'an open connection is answered still');
    await eventually(async () => !(await isBelieved('us-west', 'prod.test')), 'the server believes who was revoked');
    await eventually(() => isBelieved('us-east', 'prod.test'), 'the server does not believe its own cluster');
  });
});
