/**
 * Measured traffic against the client's own log: real hub, NATS, agents and Envoys as processes. What is counted must be exact, also
 * when the agent and the hub are killed in between.
 */
import type { StrictReadinessAnswer } from '@hawser/wire/strict-readiness.ts';
import type { TrafficAnswer } from '@hawser/wire/traffic-api.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { burst } from '../datapath/kit/load.ts';
import { until } from '../datapath/kit/until.ts';
import { MeasuredFederation, total } from '../kit/measured-federation.ts';

const federation = new MeasuredFederation(7);
const { log, apps } = federation;

beforeAll(() => federation.start(), 120_000);
afterAll(() => federation.stop());

async function send(count: number): Promise<void> {
  federation.note(await burst(federation.to, count, 10));
}

/** Holds what the hub counted against both ends. */
async function expectExact(): Promise<TrafficAnswer> {
  const answer = await federation.counted(federation.since);
  const { rows } = answer;
  const attempts = [...apps.values()].reduce((sum, app) => sum + (app.received.get('attempts') ?? 0), 0);
  expect({ requests: total(rows, 'requests'), failures: total(rows, 'failures') }).toEqual(log);
  expect(total(rows, 'attempts')).toBe(attempts);
  expect(total(rows, 'retries')).toBe(attempts - log.requests);
  for (const version of ['v1', 'v2']) {
    const row = rows.find(({ destination }) => destination.version === version);
    expect([version, row?.destination.cluster]).toEqual([version, version === 'v1' ? 'east' : 'west']);
    expect([version, row?.attempts]).toEqual([version, apps.get(version)?.received.get('attempts')]);
    expect(row?.share).toBeCloseTo((row?.attempts ?? 0) / attempts, 4);
  }
  return answer;
}

it('counts client requests, failures, attempts and retries apart, by destination', async () => {
  await send(1_000);
  const { coverage, resolution } = await expectExact();
  expect(resolution).toBe('second');
  expect(coverage).toMatchObject([{ cluster: 'east', unreadProxies: 0 }]);
  expect(log.failures).toBeGreaterThan(0);
  // Envoy merges latencies when it is asked: they come with the second after.
  const latencies = async (): Promise<number> =>
    (await federation.traffic(federation.since)).rows.flatMap(({ buckets }) => buckets).reduce((sum, count) => sum + count, 0);
  await until(
    async () => (await latencies()) === log.requests,
    () => 'latencies are missing',
  );
  for (const { latency } of (await federation.traffic(federation.since)).rows) expect(latency.p50).toBeGreaterThan(0);
  const top = await federation.processes.run(['top', 'bookinfo/reviews', '--window', '5m']);
  expect(top.stdout).toMatch(/east\s+west\s+v2/);
}, 60_000);

it('is told each second, in lines for people and for programs, until it is interrupted', async () => {
  const { processes } = federation;
  const follow = (...flags: readonly string[]) => {
    const isEnough = (text: string): boolean => timesIn(text).length > 1;
    return processes.run(['top', 'bookinfo/reviews', '--watch', '--window', '5m', ...flags], { isEnough });
  };
  const timesIn = (text: string): string[] => [...new Set(text.match(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*Z (?=from=)|"to":"[^"]+"/g))];
  const plain = await follow();
  expect(plain).toMatchObject({ status: 0, stderr: '', stdout: expect.stringMatching(/ from=east cluster=west version=v2 req\/s=/) });
  expect(timesIn(plain.stdout)).toEqual(timesIn(plain.stdout).toSorted());
  const json = await follow('-o', 'json');
  const answers = json.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as TrafficAnswer);
  expect([json.status, answers.length]).toEqual([0, expect.any(Number)]);
  for (const { rows } of answers) expect(total(rows, 'requests')).toBe(log.requests);
  expect(await processes.ask('GET', `/hawser/v1/traffic/stream?from=${new Date().toISOString()}`)).toMatchObject({
    status: 400,
    body: { message: expect.stringContaining('a stream has no from and to') },
  });
}, 60_000);

it('is ready for STRICT: sidecars of both clusters were watched, and nobody came otherwise than by the mesh', async () => {
  await until(
    async () =>
      (await federation.processes.run(['check', 'strict', '--window', '10s'])).stdout.includes('ready: nobody called in plain for 10s'),
    () => 'it is not ready',
  );
  const { stdout, status } = await federation.processes.run(['check', 'strict', '-n', 'bookinfo', '--window', '10s', '-o', 'json']);
  const { clusters, workloads } = JSON.parse(stdout) as StrictReadinessAnswer;
  expect({ status, clusters }).toEqual({ status: 0, clusters: ['east', 'west'].map((cluster) => ({ cluster, state: 'ready' })) });
  expect(workloads.map(({ cluster, captured }) => `${cluster} ${captured}`)).toEqual(['east false', 'east false', 'west false']);
}, 60_000);

it('says that nothing is known of a cluster that is silent', async () => {
  const { coverage } = await federation.traffic({ source: 'north', window: '5s' });
  expect(coverage).toEqual([{ cluster: 'north', seconds: 0, unreadProxies: 0 }]);
});

it('loses no request when the agent is killed, nor when the hub is', async () => {
  const { east, past, processes } = federation;
  await east.agent.end('SIGKILL');
  await send(300);
  await east.startAgain();
  await expectExact();
  // Written by the minute: what the next hub goes on from.
  await federation.counted(past);
  await send(200);
  await processes.hub?.end('SIGKILL');
  await send(300);
  await processes.startHubAgain();
  const { rows, resolution } = await federation.counted(past);
  expect(resolution).toBe('minute');
  expect({ requests: total(rows, 'requests'), failures: total(rows, 'failures') }).toEqual(log);
}, 120_000);
