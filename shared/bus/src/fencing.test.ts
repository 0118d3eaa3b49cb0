import pino from 'pino';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { startNats, type TestNats } from '../../../test/kit/nats.ts';
import { Keyring, type Receiver, receiveConfig } from '../../../test/kit/receiver.ts';
import type { Bus } from './bus.ts';
import { DocumentPublisher } from './document-publisher.ts';
import { publishStored } from './jetstream.ts';
import { ensureStreams } from './streams.ts';

const log = pino({ level: 'silent' });
let nats: TestNats;
let bus: Bus;
let keys: Keyring;
let count = 0;
let cluster: string;
let receiver: Receiver;

beforeAll(async () => {
  nats = await startNats(log);
  bus = await nats.hubBus();
  await ensureStreams(bus, log);
});
afterAll(() => nats.stop());
beforeEach(async () => {
  keys = new Keyring();
  count += 1;
  cluster = `c${count}`;
  receiver = receiveConfig(await nats.clusterBus(cluster), cluster, keys);
});

/** A hub's publisher for the cluster, on a connection that `hold` can keep from publishing: a process that stands still. */
function publisher(mayPublish: () => Promise<boolean>, revisions = (above: number): number => above + 1) {
  let gate = Promise.resolve();
  const held: Bus = Object.assign(Object.create(bus) as Bus, {
    connected: true,
    ...{ clustered: false, serverVersion: '' },
    onStatus: (callback: (connected: boolean) => void) => bus.onStatus(callback),
    newInbox: () => bus.newInbox(),
    subscribe: (...args: Parameters<Bus['subscribe']>) => bus.subscribe(...args),
    publish: (...args: Parameters<Bus['publish']>) => bus.publish(...args),
    request: async (...args: Parameters<Bus['request']>) => {
      await gate;
      return bus.request(...args);
    },
  });
  const made = new DocumentPublisher({
    ...{ bus: held, stream: 'HAWSER_CONFIG', prefix: `hawser.config.${cluster}`, from: 'hub', to: cluster, epoch: 1, log, mayPublish },
    signer: keys.of('hub'),
    revisions,
  }).start();
  const hold = (): (() => void) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    gate = promise;
    return resolve;
  };
  return { made, hold };
}

it('a leader that stood still writes nothing over its successor', async () => {
  let leader = 'one';
  const one = publisher(async () => leader === 'one');
  one.made.put('a', { by: 1 }, 1);
  one.made.complete();
  await one.made.drained();
  const release = one.hold();
  one.made.put('a', { by: 1, late: true }, 2);
  one.made.put('b', { by: 1, late: true }, 2);
  leader = 'two';
  const two = publisher(async () => leader === 'two');
  two.made.put('a', { by: 1 }, 3);
  two.made.complete();
  await two.made.drained();
  release();
  const again = publisher(async () => leader === 'two');
  await again.made.loaded;
  two.made.put('c', { by: 2 }, 4);
  await two.made.drained();
  await receiver.until(() => receiver.held.has(`${cluster} c`) && receiver.digests.get(cluster)?.consistent === true);
  expect([...receiver.heard].sort()).toEqual(['a@1', 'c@4']);
  expect(receiver.refused).toEqual([]);
  await Promise.all([one.made.stop(), two.made.stop(), again.made.stop()]);
});

it('a successor that has not read the last writes of the one before it stores nothing over them', async () => {
  let leader = 'one';
  const one = publisher(async () => leader === 'one');
  for (const key of ['a', 'b']) one.made.put(key, 'old', 1);
  one.made.complete();
  await one.made.drained();
  one.made.put('a', 'new', 5);
  one.made.remove('b', 5);
  one.made.put('c', 'new', 5);
  await one.made.drained();
  leader = 'two';
  const two = publisher(
    async () => leader === 'two',
    () => 3,
  );
  for (const key of ['a', 'b']) two.made.put(key, 'old', 3);
  two.made.advance(3);
  two.made.complete();
  await two.made.drained();
  const late = receiveConfig(await nats.clusterBus(cluster), cluster, keys);
  await late.until(() => late.digests.get(cluster)?.consistent === true);
  expect([...late.held]).toEqual([
    [`${cluster} a`, 'new'],
    [`${cluster} c`, 'new'],
  ]);
  for (const key of ['a', 'b']) two.made.put(key, 'newest', 6);
  two.made.remove('c', 6);
  await two.made.drained();
  for (const one of [late, receiver]) {
    await one.until(() => one.digests.get(cluster)?.revision === 6 && one.digests.get(cluster)?.consistent === true);
    expect(Object.fromEntries(one.held)).toEqual({ [`${cluster} a`]: 'newest', [`${cluster} b`]: 'newest' });
    expect(one.refused).toEqual([]);
  }
  await Promise.all([one.made.stop(), two.made.stop()]);
});

it('one that is not entitled leaves the fence to the other', async () => {
  const one = publisher(async () => true);
  one.made.put('a', 1, 1);
  one.made.complete();
  await one.made.drained();
  let asked = 0;
  const two = publisher(async () => {
    asked += 1;
    return false;
  });
  two.made.put('a', 2, 2);
  await expect.poll(() => asked).toBeGreaterThan(1);
  one.made.put('a', 3, 3);
  await one.made.drained();
  await receiver.until(() => receiver.held.get(`${cluster} a`) === 3);
  expect(receiver.heard).toEqual(['a@1', 'a@3']);
  await Promise.all([one.made.stop(), two.made.stop()]);
});

it('an agent with credentials of the release before writes as that did', async () => {
  const east = await nats.clusterBus('us-east');
  const old: Bus = Object.assign(Object.create(east) as Bus, {
    connected: true,
    ...{ clustered: false, serverVersion: '' },
    onStatus: (callback: (connected: boolean) => void) => east.onStatus(callback),
    newInbox: () => east.newInbox(),
    subscribe: (...args: Parameters<Bus['subscribe']>) => east.subscribe(...args),
    publish: (...args: Parameters<Bus['publish']>) => east.publish(...args),
    request: (...[subject, ...rest]: Parameters<Bus['request']>) =>
      east.request(subject === 'hawser.fleet.us-east' ? 'hawser.fleet.not-its-own' : subject, ...rest),
  });
  const made = new DocumentPublisher({
    ...{ bus: old, stream: 'HAWSER_FLEET', prefix: 'hawser.fleet.us-east', from: 'us-east', to: '*', epoch: 1, log },
    signer: keys.of('us-east'),
    revisions: (above) => above + 1,
  }).start();
  made.put('facts', {});
  await made.drained();
  await made.stop();
});

it('the stream says whether a write came too late, or at the same time as another', async () => {
  const { sequence } = await publishStored(bus, 'hawser.config.x', new Uint8Array());
  const fence = { 'Nats-Expected-Last-Subject-Sequence': `${sequence}`, 'Nats-Expected-Last-Subject-Sequence-Subject': 'hawser.config.x' };
  await publishStored(bus, 'hawser.config.x.a', Buffer.from('1'), fence);
  await publishStored(bus, 'hawser.config.x', new Uint8Array());
  await expect(publishStored(bus, 'hawser.config.x.a', Buffer.from('2'), fence)).rejects.toMatchObject({ code: 'stream-fenced' });
});
