/** A shift in steps among versions under traffic, by real proxies: what it was told, what they measured, the hub killed in its midst, and back. */
import type { Resource } from '@hawser/model/resource.ts';
import type { ShiftStatus } from '@hawser/wire/shift.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, startApp } from '../datapath/kit/app.ts';
import { call, stream } from '../datapath/kit/load.ts';
import { type Ended, HawserProcesses, type Running } from '../kit/hawser-processes.ts';
import { eventually } from '../kit/served.ts';
import { twoVersions } from '../kit/two-versions.ts';

const [CLIENT, V1, V2] = ['127.87.21.11', '127.87.21.21', '127.87.21.22'] as const;
const HOST = 'reviews.bookinfo.svc.clusterset.local';
const GETS_PER_SECOND = 50;
const DEADLINE_MS = 240_000;
const RULE = {
  ...{ apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule', metadata: { namespace: 'bookinfo', name: 'reviews' } },
  spec: { host: 'reviews', subsets: ['v1', 'v2'].map((name) => ({ name, labels: { version: name } })) },
};
const SHIFT = {
  ...{ apiVersion: 'hawser.dev/v1alpha1', kind: 'TrafficShift', metadata: { namespace: 'bookinfo', name: 'reviews' } },
  spec: {
    services: ['reviews'],
    destinations: [
      { name: 'stable', subset: 'v1' },
      { name: 'canary', subset: 'v2' },
    ],
    steps: [{ setWeights: { stable: 50, canary: 50 } }, { pause: {} }, { setWeights: { canary: 100 } }],
    advance: { observed: { tolerancePercent: 15, minRequests: 50, window: '2m' } },
  },
};

describe('a shift in steps', { timeout: DEADLINE_MS }, () => {
  const hawser = new HawserProcesses();
  const apps: App[] = [];
  const shift = (word: string, ...flags: readonly string[]): Promise<Ended> =>
    hawser.run(['shift', word, 'reviews', '-n', 'bookinfo', ...flags]);
  const comesTo = async (phase: string): Promise<ShiftStatus> => {
    let found: ShiftStatus | undefined;
    await eventually(
      async () => {
        const { status, stdout } = await shift('status', '-o', 'json');
        if (status === 0) found = (JSON.parse(stdout) as Resource<unknown, ShiftStatus>).status;
        return found?.phase === phase;
      },
      () => `it does not come to ${phase}: ${JSON.stringify(found)}`,
      DEADLINE_MS / 2,
    );
    return found as ShiftStatus;
  };
  /** All answers come from this version, of as many as tell. */
  const isServedBy = (version: string): Promise<void> =>
    eventually(async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => call({ via: CLIENT, host: HOST })));
      return answers.every(({ servedBy }) => servedBy === version);
    }, `not all answers come from ${version}`);

  beforeAll(async () => {
    apps.push(await startApp('v1', V1), await startApp('v2', V2));
    await hawser.startHub();
    const flat = ['--network', 'flat'];
    const [east, west] = await Promise.all([
      hawser.join('us-east', {}, flat),
      hawser.join('us-west', { 'reviews.yaml': twoVersions(V1, V2) }, flat),
    ]);
    const [eastAgent, westAgent] = [[`127.0.0.1:${east.xdsPort}`], [`127.0.0.1:${west.xdsPort}`]];
    await Promise.all([
      hawser.proxy('us-east', { serviceAccount: 'client', address: CLIENT, agents: eastAgent }),
      hawser.proxy('us-west', { serviceAccount: 'default', name: 'reviews-v1', address: V1, agents: westAgent }),
      hawser.proxy('us-west', { serviceAccount: 'default', name: 'reviews-v2', address: V2, agents: westAgent }),
    ]);
    const applied = await hawser.run(['apply', '--wait', '--timeout', '30s', '-f', '-'], { input: JSON.stringify(RULE) });
    expect(applied.stderr).toBe('');
    for (const version of ['v1', 'v2']) {
      await eventually(
        async () => (await call({ via: CLIENT, host: HOST })).servedBy === version,
        `no request reaches ${version}`,
        DEADLINE_MS / 2,
      );
    }
  }, DEADLINE_MS);
  afterAll(async () => {
    await hawser.stop();
    await Promise.all(apps.map((app) => app.crash()));
  }, DEADLINE_MS);

  it('goes by evidence from one version to the other, over a hub that is killed, and back at once, without a failed request', async () => {
    const start = (spec: object): Promise<Ended> => hawser.run(['shift', 'start', '-f', '-'], { input: JSON.stringify(spec) });
    const gets = stream({ via: CLIENT, host: HOST }, GETS_PER_SECOND);
    const nowhere = {
      ...SHIFT.spec,
      destinations: [
        { name: 'stable', subset: 'v1' },
        { name: 'canary', subset: 'v9' },
      ],
    };
    expect(await start({ ...SHIFT, spec: nowhere })).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('is v9, which no DestinationRule'),
    });
    expect(await start(SHIFT)).toMatchObject({ status: 0, stderr: '' });
    expect(await start({ ...SHIFT, metadata: { ...SHIFT.metadata, name: 'other' } })).toMatchObject({
      ...{ status: 1, stderr: expect.stringContaining('rule overlapping-shifts') },
    });
    // In whatever step that finds it.
    await (hawser.hub as Running).end('SIGKILL');
    await hawser.startHubAgain();
    const half = await comesTo('Paused');
    expect(half).toMatchObject({
      pausedBy: 'step',
      stepIndex: 1,
      weights: [
        { desired: 50, acked: 50 },
        { desired: 50, acked: 50 },
      ],
    });
    const serves = await hawser.run(['who-serves', 'bookinfo/reviews', '--from', 'us-east']);
    expect(serves.stdout).toContain('TrafficShift in force from us-east: v1 50, v2 50 of 100');
    expect(await shift('promote', '--reason', 'it looks good')).toMatchObject({ status: 0 });
    await comesTo('Done');
    await isServedBy('v2');
    expect(await shift('abort')).toMatchObject({ status: 0, stdout: expect.stringMatching(/RollingBack|RolledBack/) });
    await comesTo('RolledBack');
    await isServedBy('v1');
    const { sent, failures, by } = await gets.stop();
    expect([...failures]).toEqual([]);
    expect(Math.min(by.get('v1') ?? 0, by.get('v2') ?? 0)).toBeGreaterThan(GETS_PER_SECOND);
    expect(sent).toBeGreaterThan(4 * GETS_PER_SECOND);
  });
  it('sends testers by a header, and copies, where its steps say, until it is taken back', async () => {
    const spec = {
      ...SHIFT.spec,
      steps: [
        { setHeaderRoute: { name: 'testers', match: { 'x-tester': { exact: 'yes' } }, destination: 'canary' } },
        { setMirror: { destination: 'canary', percent: 100 } },
        { pause: {} },
      ],
    };
    expect(await hawser.run(['apply', '-f', '-'], { input: JSON.stringify({ ...SHIFT, spec }) })).toMatchObject({ status: 0 });
    await comesTo('Paused');
    const tester = { via: CLIENT, host: HOST, headers: { 'x-tester': 'yes' } };
    await eventually(async () => (await call(tester)).servedBy === 'v2', 'the tester does not come to v2');
    const copies = (): number => apps[1]?.received.get('GET ') ?? 0;
    const before = copies();
    expect((await call({ via: CLIENT, host: HOST })).servedBy).toBe('v1');
    await eventually(() => copies() > before, 'no copy reaches v2');
    expect(await shift('abort')).toMatchObject({ status: 0 });
    await comesTo('RolledBack');
    await eventually(async () => (await call(tester)).servedBy === 'v1', 'the tester still comes to v2');
  });
});
