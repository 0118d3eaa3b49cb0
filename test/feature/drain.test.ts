/** A region is drained and restored under traffic, by real processes and real Envoys: in steps with the hub killed on the way, at once, and by an agent without a hub. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, startApp } from '../datapath/kit/app.ts';
import { burst, call, stream } from '../datapath/kit/load.ts';
import { serviceFile } from '../kit/federation.ts';
import { type Ended, HawserProcesses, type Running, type RunningCluster } from '../kit/hawser-processes.ts';
import { eventually } from '../kit/served.ts';

const [EAST, WEST] = ['us-east', 'us-west'] as const;
const [CLIENT, NEAR, FAR] = ['127.87.12.11', '127.87.12.12', '127.87.12.22'] as const;
const HOST = 'reviews.bookinfo.svc.clusterset.local';
const GETS_PER_SECOND = 50;
const DEADLINE_MS = 120_000;
/** Of the regions, by acknowledgements alone. */
const SHIFT = {
  ...{ apiVersion: 'hawser.dev/v1alpha1', kind: 'TrafficShift', metadata: { namespace: 'bookinfo', name: 'reviews' } },
  spec: {
    services: ['reviews'],
    destinations: [
      { name: 'near', region: EAST },
      { name: 'far', region: WEST },
    ],
    steps: [{ setWeights: { near: 50, far: 50 } }, { pause: {} }, { setWeights: { near: 100 } }],
    advance: { observed: { minRequests: 0 } },
  },
};

interface Shown {
  readonly status: {
    readonly phase: string;
    readonly percent: number;
    readonly step?: string;
    readonly phases: readonly { readonly phase: string }[];
  };
}

describe('a drain', { timeout: DEADLINE_MS }, () => {
  const hawser = new HawserProcesses();
  const apps: App[] = [];
  let east: RunningCluster;

  const drain = (...args: readonly string[]): Promise<Ended> => hawser.run(['drain', ...args]);
  const start = (...args: readonly string[]): Promise<Ended> => drain('start', EAST, '--reason', 'a test', '--yes', ...args);
  const shown = async (): Promise<Shown> => JSON.parse((await drain('status', EAST, '-o', 'json')).stdout) as Shown;
  /** Who answers twenty requests of the client in us-east. */
  const answers = async (): Promise<string> => {
    const { by, failures } = await burst({ via: CLIENT, host: HOST }, 20, 4);
    return [...by.keys(), ...failures.keys()].sort().join();
  };
  const answeredBy = (server: string): Promise<void> =>
    eventually(async () => (await answers()) === server, `${server} does not answer alone`, DEADLINE_MS / 3);

  beforeAll(async () => {
    apps.push(await startApp('near', NEAR), await startApp('far', FAR));
    await hawser.startHub();
    const flat = ['--network', 'flat'];
    let west: RunningCluster;
    [east, west] = await Promise.all([
      hawser.join(EAST, { 'reviews.yaml': serviceFile('reviews', [NEAR]) }, flat),
      hawser.join(WEST, { 'reviews.yaml': serviceFile('reviews', [FAR]) }, flat),
    ]);
    const at = ({ xdsPort }: RunningCluster): string => `127.0.0.1:${xdsPort}`;
    await Promise.all([
      hawser.proxy(EAST, { serviceAccount: 'client', address: CLIENT, agents: [at(east)] }),
      hawser.proxy(EAST, { serviceAccount: 'default', name: 'near', address: NEAR, agents: [at(east)] }),
      hawser.proxy(WEST, { serviceAccount: 'default', name: 'far', address: FAR, agents: [at(west)] }),
    ]);
    await answeredBy('near');
    await eventually(
      async () => (await drain('plan', EAST, '--emergency')).status === 0,
      'the hub does not know both regions',
      DEADLINE_MS / 3,
    );
  }, DEADLINE_MS);
  afterAll(async () => {
    await hawser.stop();
    await Promise.all(apps.map((app) => app.crash()));
  }, DEADLINE_MS);

  it('is refused by the name of the rule that is against it', async () => {
    const refused = async (status: number, words: string, ...args: readonly string[]): Promise<void> => {
      const { stderr, stdout, status: got } = await drain('start', '--reason', 'a test', '--yes', ...args);
      expect([got, stderr + stdout]).toEqual([status, expect.stringContaining(words)]);
    };
    await refused(1, 'rule known-scope: there is no region mars; there are us-east, us-west', 'mars');
    await refused(1, 'rule known-scope: there is no cluster nowhere', '--gateway', 'nowhere');
    // What is known to bear nothing needs no room.
    const gets = stream({ via: CLIENT, host: HOST }, GETS_PER_SECOND / 5);
    await refused(1, 'rule headroom:', EAST);
    await gets.stop();
    await refused(2, 'say what is drained');
    await refused(2, 'say what is drained', EAST, '--cluster', EAST);
    await refused(1, 'at most 72h', EAST, '--force', '--expires-in', '100h');
  });

  it('loses no request in steps and on the way back, though the hub is killed between them', async () => {
    const gets = stream({ via: CLIENT, host: HOST }, GETS_PER_SECOND);
    const begun = await start('--force', '--steps', '50:2s,100', '--restore-steps', '50:1s,100', '--no-wait', '-o', 'json');
    expect(begun).toMatchObject({ status: 0, stderr: '' });
    await (hawser.hub as Running).end('SIGKILL');
    await hawser.startHubAgain();
    const followed = await drain('status', EAST, '--watch', '-o', 'json');
    expect(followed).toMatchObject({ status: 0 });
    expect((JSON.parse(followed.stdout) as Shown).status).toMatchObject({
      ...{ phase: 'Drained', percent: 100, step: '2/2' },
      phases: [{ phase: 'Pending' }, { phase: 'Draining' }, { phase: 'Drained' }],
    });
    await answeredBy('far');
    expect(await drain('start', '--reason', 'another', '--yes', '--force', '--cluster', WEST)).toMatchObject({
      ...{ status: 1, stderr: expect.stringMatching(/rule minimum-regions: with cluster us-west drained no region would be left/) },
    });
    expect(await start('--force')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('rule no-overlap: drain us-east of region us-east'),
    });
    expect(await hawser.run(['delete', 'drain', EAST])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('hawser drain restore us-east first'),
    });
    expect(await drain('renew', EAST)).toMatchObject({ status: 0, stdout: expect.stringContaining('renewed once') });
    expect(await drain('restore', EAST, '--timeout', '30s')).toMatchObject({ status: 0, stdout: expect.stringContaining('Restored') });
    await answeredBy('near');
    const { sent, failures } = await gets.stop();
    expect([...failures]).toEqual([]);
    expect(sent).toBeGreaterThan(GETS_PER_SECOND);
  });

  it('is at once in an emergency, before a graceful one of the same place', async () => {
    expect(await start('--force', '--steps', '10:1h,100', '--no-wait')).toMatchObject({ status: 0 });
    const emergency = await start('--emergency', '--restore-steps', '100', '--no-wait', '--name', 'fire');
    expect([emergency.status, emergency.stdout]).toEqual([0, expect.stringContaining('100 % goes elsewhere')]);
    await answeredBy('far');
    await eventually(
      async () => /^us-east-2 .*Interrupted/m.test((await drain('status', '--all')).stdout),
      'the graceful one goes on',
      DEADLINE_MS / 3,
    );
    expect(await drain('restore', 'fire', '--force', '--timeout', '30s')).toMatchObject({ status: 0 });
    await answeredBy('near');
    expect((await shown()).status.phase).toBe('Restored');
    expect((await call({ via: CLIENT, host: HOST })).status).toBe(200);
  });

  it('goes before a shift in steps, which takes none while it lasts, and goes on by itself after it', async () => {
    const shift = async (): Promise<Record<string, unknown>> => {
      const { stdout } = await hawser.run(['shift', 'status', 'reviews', '-n', 'bookinfo', '-o', 'json']);
      return (JSON.parse(stdout) as { status: Record<string, unknown> }).status;
    };
    const comesTo = (phase: string, pausedBy?: string): Promise<void> =>
      eventually(
        async () => {
          const status = await shift();
          return status['phase'] === phase && status['pausedBy'] === pausedBy;
        },
        `it does not come to ${phase} ${pausedBy}`,
        DEADLINE_MS / 3,
      );
    expect(await hawser.run(['shift', 'start', '-f', '-'], { input: JSON.stringify(SHIFT) })).toMatchObject({ status: 0, stderr: '' });
    await comesTo('Paused', 'step');
    expect(await start('--emergency', '--restore-steps', '100', '--no-wait', '--name', 'smoke')).toMatchObject({ status: 0 });
    await answeredBy('far');
    expect(await hawser.run(['shift', 'promote', 'reviews', '-n', 'bookinfo'])).toMatchObject({ status: 0 });
    await comesTo('Paused', 'emergency');
    expect(await shift()).toMatchObject({
      message: expect.stringMatching(/^Drain\/\/smoke, an emergency, moves the same traffic/),
      weights: [
        { name: 'near', desired: 50 },
        { name: 'far', desired: 50 },
      ],
    });
    expect(await hawser.run(['shift', 'promote', 'reviews', '-n', 'bookinfo'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('nobody passes a guard'),
    });
    expect(await drain('restore', 'smoke', '--force', '--timeout', '30s')).toMatchObject({ status: 0 });
    await comesTo('Done');
    await answeredBy('near');
    expect(await hawser.run(['delete', 'trafficshift', 'reviews', '-n', 'bookinfo'])).toMatchObject({ status: 0 });
  });

  it('is made by the agent alone while there is no hub, shown when there is one again, and ended', async () => {
    const local = (...args: readonly string[]): Promise<Ended> => hawser.run(['agent', 'drain', '--local', '--cluster', EAST, ...args]);
    await (hawser.hub as Running).end('SIGKILL');
    expect(await local('--ttl', '2h', '--reason', 'x')).toMatchObject({ status: 2, stderr: expect.stringContaining('at most 1h') });
    const refused = await fetch(`http://127.0.0.1:${east.adminPort}/local-drain`, {
      method: 'POST',
      headers: { authorization: 'Bearer guessed' },
    });
    expect(refused.status).toBe(401);
    const gets = stream({ via: CLIENT, host: HOST }, GETS_PER_SECOND);
    expect(await local('--ttl', '10m', '--reason', 'the hub is gone')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('until'),
    });
    await answeredBy('far');
    await hawser.startHubAgain();
    await eventually(
      async () => /cluster us-east is drained by its own agent .*the hub is gone/.test((await drain('status')).stdout),
      'the hub does not show it',
      DEADLINE_MS / 3,
    );
    expect(await local('--off')).toMatchObject({ status: 0, stdout: expect.stringContaining('not drained by its agent any more') });
    await answeredBy('near');
    const { failures } = await gets.stop();
    expect([...failures]).toEqual([]);
  });
});
