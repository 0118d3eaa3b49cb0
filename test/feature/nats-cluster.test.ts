/** Three NATS servers: one is lost, then the majority; what hub and agents do, as processes. */
import { connectBus } from '@hawser/bus/bus.ts';
import { hubCredentials } from '@hawser/bus/nats-accounts.ts';
import { loadHubKeys } from '@hawser/hub/bus/hub-keys.ts';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serviceFile } from '../kit/federation.ts';
import { HawserProcesses, type RunningCluster } from '../kit/hawser-processes.ts';
import { type NatsCluster, startNatsCluster } from '../kit/nats-cluster.ts';
import { eventually } from '../kit/served.ts';
import { account } from '../kit/totals.ts';

const log = pino({ level: 'silent' });
const route = (seconds: number): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: bookinfo}
spec: {hosts: [reviews], http: [{timeout: ${seconds}s, route: [{destination: {host: reviews}}]}]}
`;

describe('three NATS servers', () => {
  const hawser = new HawserProcesses();
  let nats: NatsCluster;
  let east: RunningCluster;
  let west: RunningCluster;

  const world = async (text: string): Promise<boolean> =>
    (await (await fetch(`http://127.0.0.1:${east.adminPort}/debug/world`)).text()).includes(text);
  const apply = (seconds: number, ...flags: string[]) =>
    hawser.run(['apply', '-f', '-', '--allow-unresolved', ...flags], { input: route(seconds) });
  /** What JetStream says of a stream: copies wanted, and the server that leads. */
  const stream = async (name: string): Promise<{ copies: number; leader: string }> => {
    const { operator } = await loadHubKeys(hawser.keysDir);
    const bus = await connectBus({ urls: nats.urls, name: 'test', credentials: await hubCredentials(operator), log });
    await bus.ready();
    const answer = await bus.request(`$JS.API.STREAM.INFO.${name}`, Buffer.from('{}'), { timeoutMs: 5_000 });
    await bus.close();
    const info = JSON.parse(Buffer.from(answer.bytes).toString()) as { config: { num_replicas: number }; cluster: { leader: string } };
    return { copies: info.config.num_replicas, leader: info.cluster.leader };
  };

  beforeAll(async () => {
    nats = await startNatsCluster((await loadHubKeys(hawser.keysDir)).operator);
    await hawser.startHub(nats.urls);
    [east, west] = await Promise.all([
      hawser.join('us-east', { 'reviews.yaml': serviceFile('reviews', ['127.87.6.11']) }),
      hawser.join('us-west', { 'reviews.yaml': serviceFile('reviews', ['127.87.6.21']) }),
    ]);
    await eventually(() => world('127.87.6.21'), 'the clusters never met');
  }, 120_000);
  afterAll(async () => {
    await hawser.stop();
    await nats.stop();
  });

  it('lose one and go on; lose two and say so, take policy, and catch up when they are back', { timeout: 180_000 }, async () => {
    const fleet = await stream('HAWSER_FLEET');
    expect([fleet.copies, (await stream('HAWSER_CONFIG')).copies]).toEqual([3, 3]);

    const leader = Number(fleet.leader.slice('nats-'.length));
    const lost = performance.now();
    await nats.kill9(leader);
    west.put('reviews.yaml', serviceFile('reviews', ['127.87.6.21', '127.87.6.22']));
    await eventually(() => world('127.87.6.22'), 'an endpoint change does not pass with one server lost');
    const one = performance.now() - lost;
    expect(await apply(3, '--wait')).toMatchObject({ status: 0 });
    await eventually(() => world('"timeout":"3s"'), 'a policy does not pass with one server lost');

    await nats.kill9((leader + 1) % 3);
    expect(await apply(4)).toMatchObject({ status: 0 });
    await eventually(async () => (await hawser.run(['status'])).stdout.includes('not distributed yet'), 'the status hides it');
    west.put('reviews.yaml', serviceFile('reviews', ['127.87.6.22', '127.87.6.23']));
    expect(await world('127.87.6.22')).toBe(true);

    const back = performance.now();
    await Promise.all([nats.restart(leader), nats.restart((leader + 1) % 3)]);
    await eventually(async () => (await world('"timeout":"4s"')) && (await world('127.87.6.23')), 'what happened meanwhile never came');
    const again = performance.now() - back;
    await eventually(async () => !(await world('127.87.6.21')), 'a removal was lost');
    await eventually(async () => (await hawser.run(['status'])).stdout.includes(', distributed'), 'the status never says that it is done');
    account({ writes: 4, removals: 1, documents: 5, falseRemovals: (await world('127.87.6.22')) ? 0 : 1 });
    console.log(
      `nats cluster: a change passed ${Math.round(one)} ms after its leader was killed, ${Math.round(again)} ms after the majority was back`,
    );
  });
});
