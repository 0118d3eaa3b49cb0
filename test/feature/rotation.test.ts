/** A cluster's root is replaced under traffic from another: no request is lost, whoever stands still or is killed meanwhile. */
import type { RotationView } from '@hawser/wire/trust.ts';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type App, startApp } from '../datapath/kit/app.ts';
import { call, stream } from '../datapath/kit/load.ts';
import { serviceFile } from '../kit/federation.ts';
import { type Ended, HawserProcesses, type Running, type RunningCluster } from '../kit/hawser-processes.ts';
import { eventually } from '../kit/served.ts';

const [EAST, WEST] = ['us-east', 'us-west'] as const;
const [CLIENT, SERVER] = ['127.87.8.11', '127.87.8.21'] as const;
const HOST = 'reviews.bookinfo.svc.clusterset.local';
const GETS_PER_SECOND = 50;
const DEADLINE_MS = 240_000;

describe('the rotation of a root', { timeout: DEADLINE_MS }, () => {
  const hawser = new HawserProcesses();
  let app: App;
  let east: RunningCluster;

  const rotate = (...flags: readonly string[]): Promise<Ended> => hawser.run(['trust', 'rotate', WEST, ...flags]);
  const newest = async (): Promise<RotationView> => JSON.parse((await rotate('--status', '-o', 'json')).stdout) as RotationView;
  /** Watches the newest one to its end, in stretches that are shorter than a command may take here. */
  const ends = async (): Promise<Ended> => {
    let watched: Ended | undefined;
    await eventually(
      async () => {
        watched = await rotate('--status', '--watch', '--timeout', '10s');
        return watched.status !== 4;
      },
      () => `it does not end: ${watched?.stdout}`,
      DEADLINE_MS / 2,
    );
    return watched as Ended;
  };
  /** What the client is told to believe of the servers' trust domain. */
  const roots = async (): Promise<readonly string[]> => {
    const secrets = JSON.parse(await hawser.api(`/hawser/v1/proxies/${EAST}/client/config/secrets`)) as unknown;
    const bundles = JSON.stringify(secrets).match(/"name":"us-west\.hawser","trustBundle":\{"inlineString":"[^"]*"/g) ?? [];
    return [...new Set(bundles.flatMap((bundle) => bundle.match(/-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/g) ?? []))];
  };

  beforeAll(async () => {
    app = await startApp('reviews', SERVER);
    await hawser.startHub();
    const flat = ['--network', 'flat'];
    let west: RunningCluster;
    [east, west] = await Promise.all([
      hawser.join(EAST, {}, flat),
      hawser.join(WEST, { 'reviews.yaml': serviceFile('reviews', [SERVER]) }, flat),
    ]);
    const at = ({ xdsPort }: RunningCluster): string => `127.0.0.1:${xdsPort}`;
    await Promise.all([
      hawser.proxy(EAST, { serviceAccount: 'client', address: CLIENT, agents: [at(east)] }),
      hawser.proxy(WEST, { serviceAccount: 'default', address: SERVER, agents: [at(west)] }),
    ]);
    const spec = { host: HOST, trafficPolicy: { connectionPool: { http: { maxRequestsPerConnection: 5 } } } };
    const rule = {
      apiVersion: 'networking.istio.io/v1',
      kind: 'DestinationRule',
      metadata: { namespace: 'bookinfo', name: 'reviews' },
      spec,
    };
    const applied = await hawser.run(['apply', '--wait', '--timeout', '30s', '-f', '-'], { input: JSON.stringify(rule) });
    expect(applied.stderr).toBe('');
    await eventually(async () => (await call({ via: CLIENT, host: HOST })).status === 200, 'no request goes through', DEADLINE_MS / 2);
    await eventually(async () => (await roots()).length === 1, 'the client does not believe in one root');
  }, DEADLINE_MS);
  afterEach(() => east.agent.kill('SIGCONT'));
  afterAll(async () => {
    await hawser.stop();
    await app?.crash();
  }, DEADLINE_MS);

  it('loses no request, though an agent that trusts it stands still and the hub is killed', async () => {
    const before = await roots();
    const gets = stream({ via: CLIENT, host: HOST }, GETS_PER_SECOND);
    east.agent.kill('SIGSTOP');
    expect(await rotate()).toMatchObject({ status: 0, stdout: expect.stringContaining('Preparing') });
    await eventually(
      async () => {
        const { phase, waiting } = await newest();
        return phase === 'Preparing' && waiting.length === 1 && waiting[0]?.cluster === EAST;
      },
      'it does not wait for the agent that stands still',
      DEADLINE_MS / 2,
    );
    expect(await rotate()).toMatchObject({ status: 1, stderr: expect.stringContaining('is Preparing since') });
    await (hawser.hub as Running).end('SIGKILL');
    await hawser.startHubAgain();
    expect((await newest()).phase).toBe('Preparing');
    east.agent.kill('SIGCONT');
    expect(await ends()).toMatchObject({ status: 0, stdout: expect.stringContaining('Done') });
    const { phases } = await newest();
    expect(phases.map(({ phase }) => phase)).toEqual(
      ['Pending', 'Preparing', 'Activating', 'Tainting', 'Retiring', 'Done'].slice(-phases.length),
    );
    const { sent, failures } = await gets.stop();
    expect([...failures]).toEqual([]);
    expect(sent).toBeGreaterThan(GETS_PER_SECOND);
    await eventually(async () => {
      const after = await roots();
      return after.length === 1 && after[0] !== before[0];
    }, 'the client does not believe in the new root alone');
  });

  it('says what an emergency breaks before it does it, waits for its time, is paused and taken back', async () => {
    let asked: Ended | undefined;
    await eventually(
      async () => {
        asked = await rotate('--emergency');
        return /us-east: 1 proxy loses .*nothing was done/s.test(asked.stderr);
      },
      () => `it does not say what breaks: ${asked?.stderr}`,
    );
    expect(asked?.status).toBe(1);
    const later = new Date(Date.now() + 3_600_000).toISOString();
    expect(await rotate('--kind', 'intermediate', '--at', later)).toMatchObject({ status: 0, stdout: expect.stringContaining('Pending') });
    expect(await rotate('--pause')).toMatchObject({ status: 0, stdout: expect.stringContaining('paused') });
    expect(await rotate('--retire-now')).toMatchObject({ status: 1, stderr: expect.stringContaining('only what is Tainting') });
    expect(await rotate('--rollback')).toMatchObject({ status: 0, stdout: expect.stringContaining('RolledBack') });
  });

  /** Rotates without the agent of the client, which stands still, until nobody but it is waited for. */
  const taintedWithout = async (): Promise<void> => {
    east.agent.kill('SIGSTOP');
    expect(await rotate('--away-after', '1s')).toMatchObject({ status: 0 });
    await eventually(
      async () => {
        const { phase, waiting } = await newest();
        return phase === 'Tainting' && waiting.length === 1 && waiting[0]?.cluster === EAST && waiting[0].blocks;
      },
      'it does not go on without who is away, or does not wait for it in the end',
      DEADLINE_MS / 3,
    );
  };

  it('does not end without a cluster that is away, and is taken back when everything is signed with the new root', async () => {
    const before = await roots();
    await taintedWithout();
    expect(await rotate('--rollback')).toMatchObject({ status: 0, stdout: expect.stringContaining('RollingBack') });
    expect(await ends()).toMatchObject({ status: 1, stdout: expect.stringContaining('RolledBack') });
    await eventually(async () => (await call({ via: CLIENT, host: HOST })).status === 200, 'who was away does not call any more');
    east.agent.kill('SIGCONT');
    await eventually(async () => (await roots()).join() === before.join(), 'the client does not believe in the old root alone');
  });

  it('ends without one when an operator says so; who was away for all of it comes back by itself', async () => {
    const before = await roots();
    await taintedWithout();
    expect(await rotate('--retire-now')).toMatchObject({ status: 0 });
    expect(await ends()).toMatchObject({ status: 0, stdout: expect.stringContaining('Done') });
    east.agent.kill('SIGCONT');
    await eventually(async () => {
      const after = await roots();
      return after.length === 1 && after[0] !== before[0];
    }, 'who was away does not believe in the new root alone');
    await eventually(async () => (await call({ via: CLIENT, host: HOST })).status === 200, 'who was away does not call any more');
  });

  it('in an emergency refuses the old root at once, and everybody who is there goes on with the new one', async () => {
    const before = await roots();
    expect(await rotate('--emergency', '--yes')).toMatchObject({ status: 0, stderr: expect.stringContaining('us-west: 1 proxy loses') });
    expect(await ends()).toMatchObject({ status: 0, stdout: expect.stringContaining('Done') });
    await eventually(async () => {
      const after = await roots();
      return after.length === 1 && after[0] !== before[0];
    }, 'the client does not believe in the new root alone');
    await eventually(async () => (await call({ via: CLIENT, host: HOST })).status === 200, 'no request goes through');
  });
});
