/** Drains by what is measured, with nothing overridden: of a gateway, of a zone, of some services in waves, of the callers of another cluster; real processes and Envoys. */
import type { TrafficAnswer } from '@hawser/wire/traffic-api.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type App, startApp } from '../datapath/kit/app.ts';
import { burst, stream } from '../datapath/kit/load.ts';
import { serviceFile } from '../kit/federation.ts';
import { type Ended, HawserProcesses, type RunningCluster } from '../kit/hawser-processes.ts';
import { eventually } from '../kit/served.ts';

const [EAST, WEST] = ['us-east', 'us-west'] as const;
const [EAST_CLIENT, NEAR, WEST_CLIENT, FAR] = ['127.87.14.11', '127.87.14.12', '127.87.14.21', '127.87.14.22'] as const;
/** Each cluster has a network of its own: who is elsewhere comes through these. */
const GATEWAYS = { [EAST]: '127.87.14.13', [WEST]: '127.87.14.23' } as const;
const hostOf = (service: string): string => `${service}.bookinfo.svc.clusterset.local`;
const DEADLINE_MS = 180_000;
const SERVICES = ['details', 'reviews'] as const;

const POLICIES = `
apiVersion: hawser.dev/v1alpha1
kind: FailoverPolicy
metadata: {namespace: bookinfo, name: room}
spec: {order: [${EAST}, ${WEST}], capacity: {regions: {${EAST}: 1000, ${WEST}: 1000}}}
---
apiVersion: hawser.dev/v1alpha1
kind: TrafficShift
metadata: {namespace: bookinfo, name: all-east}
spec: {services: [details, reviews], regions: {${EAST}: 100, ${WEST}: 0}}
`;

describe('a drain by what is measured', { timeout: DEADLINE_MS }, () => {
  const hawser = new HawserProcesses();
  const apps: App[] = [];
  let east: RunningCluster;

  const drain = (...args: readonly string[]): Promise<Ended> => hawser.run(['drain', ...args]);
  /** Who answers the clients of both clusters, such as `near far`. */
  const answers = async (service: string): Promise<string> => {
    const from = async (via: string): Promise<string> => {
      const { by, failures } = await burst({ via, host: hostOf(service) }, 20, 4);
      return [...by.keys(), ...failures.keys()].sort().join();
    };
    return (await Promise.all([EAST_CLIENT, WEST_CLIENT].map(from))).join(' ');
  };
  const answeredBy = (service: string, servers: string): Promise<void> =>
    eventually(async () => (await answers(service)) === servers, `${service} is not answered by ${servers}`, DEADLINE_MS / 3);

  beforeAll(async () => {
    apps.push(await startApp('near', NEAR), await startApp('far', FAR));
    await hawser.startHub();
    const files = (address: string): Record<string, string> =>
      Object.fromEntries(SERVICES.map((service) => [`${service}.yaml`, serviceFile(service, [address])]));
    for (const [cluster, address] of Object.entries(GATEWAYS)) hawser.agentFlags.set(cluster, ['--gateway', `${address}:15443`]);
    const flags = ['--zone', 'a'];
    let west: RunningCluster;
    [east, west] = await Promise.all([hawser.join(EAST, files(NEAR), flags), hawser.join(WEST, files(FAR), flags)]);
    const at = ({ xdsPort }: RunningCluster): string => `127.0.0.1:${xdsPort}`;
    await Promise.all([
      hawser.gateway(EAST, { address: GATEWAYS[EAST], agents: [at(east)] }),
      hawser.gateway(WEST, { address: GATEWAYS[WEST], agents: [at(west)] }),
      hawser.proxy(EAST, { serviceAccount: 'client', address: EAST_CLIENT, agents: [at(east)], name: 'east-client' }),
      hawser.proxy(EAST, { serviceAccount: 'default', name: 'near', address: NEAR, agents: [at(east)] }),
      hawser.proxy(WEST, { serviceAccount: 'client', address: WEST_CLIENT, agents: [at(west)], name: 'west-client' }),
      hawser.proxy(WEST, { serviceAccount: 'default', name: 'far', address: FAR, agents: [at(west)] }),
    ]);
    expect(await hawser.run(['apply', '-f', '-', '--wait'], { input: POLICIES })).toMatchObject({ status: 0 });
    for (const service of SERVICES) await answeredBy(service, 'near near');
  }, DEADLINE_MS);
  afterAll(async () => {
    await hawser.stop();
    await Promise.all(apps.map((app) => app.crash()));
  }, DEADLINE_MS);

  it('of a zone goes in waves on measured traffic alone, and comes back when another has approved it', async () => {
    const zone = ['--zone', `${EAST}/a`, '--wave', 'bookinfo/reviews'];
    const streams = SERVICES.map((service) => stream({ via: WEST_CLIENT, host: hostOf(service) }, 20));
    await eventually(
      async () => (await drain('plan', ...zone)).status === 0,
      () => 'the hub does not come to know the load and the room',
      DEADLINE_MS / 3,
    );
    const asked = await hawser.run(['who-serves', 'bookinfo/reviews', '--from', WEST, '--drained', `zone:${EAST}/a`]);
    expect([asked.status, asked.stdout]).toEqual([0, expect.stringMatching(/^us-west +0 +us-west .*KNOWN$/m)]);
    const course = ['--steps', '50:0s,100:0s', '--restore-steps', '100', '--restore-approvals', '1', '--reason', 'a test', '--yes'];
    const begun = await drain('start', ...zone, ...course, '--no-wait', '--name', 'zone');
    expect([begun.status, begun.stderr]).toEqual([0, '']);
    // Two waves, in two steps each.
    const isDrained = async (): Promise<boolean> => (await drain('status', 'zone')).stdout.includes('Drained 4/4: 100 % goes elsewhere');
    await eventually(isDrained, 'the zone is not drained', DEADLINE_MS / 2);
    for (const service of SERVICES) await answeredBy(service, 'far far');
    const isAsked = async (): Promise<boolean> => (await drain('restore', 'zone', '--no-wait')).status === 0;
    await eventually(isAsked, 'the zone is not ready to come back', DEADLINE_MS / 3);
    expect((await drain('status', 'zone')).stdout).toContain('1 of 1 approvals are missing, by others than');
    expect(await drain('approve', 'zone')).toMatchObject({ status: 1, stderr: expect.stringContaining('another approves') });
    expect(await answers('reviews')).toBe('far far');
    const token = (await hawser.run(['token', 'create', 'second', '--role', 'approver'])).stdout.trim();
    expect(await hawser.run(['drain', 'approve', 'zone'], { token })).toMatchObject({ status: 0 });
    for (const service of SERVICES) await answeredBy(service, 'near near');
    const tallies = await Promise.all(streams.map((one) => one.stop()));
    expect(tallies.flatMap(({ failures }) => [...failures])).toEqual([]);
  });

  it('of a gateway moves what comes through it, leaves the callers of its own network, and gives back', async () => {
    const gate = ['--gateway', EAST];
    const streams = [EAST_CLIENT, WEST_CLIENT].map((via) => stream({ via, host: hostOf('reviews') }, 20));
    // Of the last ten seconds nothing went another way, and the load is known.
    const query = `/hawser/v1/traffic?${new URLSearchParams({ source: WEST, by: 'cluster' })}`;
    const isSettled = async (): Promise<boolean> => {
      const { rows } = JSON.parse(await hawser.api(query)) as TrafficAnswer;
      return rows.length === 1 && rows[0]?.destination.cluster === EAST && (await drain('plan', ...gate)).status === 0;
    };
    await eventually(isSettled, 'the load is not known', DEADLINE_MS / 3);
    const course = ['--steps', '50:0s,100:0s', '--restore-steps', '100', '--reason', 'a test', '--yes', '--name', 'gate'];
    const begun = await drain('start', ...gate, ...course, '--no-wait');
    expect([begun.status, begun.stderr]).toEqual([0, '']);
    let last = '';
    const shows = (words: string): Promise<void> =>
      eventually(
        async () => {
          last = (await drain('status', 'gate')).stdout;
          return last.includes(words);
        },
        () => `it is not ${words}: ${last}`,
        DEADLINE_MS / 2,
      );
    await shows('Drained 2/2: 100 % goes elsewhere');
    for (const service of SERVICES) await answeredBy(service, 'near far');
    const isAsked = async (): Promise<boolean> => (await drain('restore', 'gate', '--no-wait')).status === 0;
    await eventually(isAsked, 'the gateway is not ready to come back', DEADLINE_MS / 3);
    await shows('Restored');
    for (const service of SERVICES) await answeredBy(service, 'near near');
    const tallies = await Promise.all(streams.map((one) => one.stop()));
    expect(tallies.flatMap(({ failures }) => [...failures])).toEqual([]);
  });

  it('of some services leaves the others where they are', async () => {
    expect(await drain('start', EAST, '--service', 'bookinfo/reviews', '--emergency', '--reason', 'x', '--yes', '--no-wait')).toMatchObject(
      {
        status: 0,
      },
    );
    await answeredBy('reviews', 'far far');
    expect(await answers('details')).toBe('near near');
    expect(await drain('restore', EAST, '--force', '--no-wait')).toMatchObject({ status: 0 });
    // Its way back has steps that are held for a minute: the last one is taken now.
    for (let step = 1; step <= 2; step += 1)
      await eventually(
        async () => (await drain('promote', EAST)).status === 0,
        `step ${step} of the way back is not in force`,
        DEADLINE_MS / 3,
      );
    await answeredBy('reviews', 'near near');
  });

  it('by its agent alone is obeyed by the Envoys of another cluster', async () => {
    const local = (...args: readonly string[]): Promise<Ended> => hawser.run(['agent', 'drain', '--local', '--cluster', EAST, ...args]);
    const gets = stream({ via: WEST_CLIENT, host: hostOf('reviews') }, 20);
    expect(await local('--ttl', '10m', '--reason', 'alone')).toMatchObject({ status: 0 });
    await answeredBy('reviews', 'far far');
    expect(await local('--off')).toMatchObject({ status: 0 });
    await answeredBy('reviews', 'near near');
    expect([...(await gets.stop()).failures]).toEqual([]);
    expect(east.name).toBe(EAST);
  });
});
