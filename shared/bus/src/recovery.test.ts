import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startNats, type TestNats } from '../../../test/kit/nats.ts';
import { Keyring, type Receiver, receiveFleet } from '../../../test/kit/receiver.ts';
import { type Bus, connectBus } from './bus.ts';
import { DocumentPublisher } from './document-publisher.ts';
import { publishStored } from './jetstream.ts';
import { listStream } from './ordered-consumer.ts';
import { keepStreams } from './streams.ts';

const log = pino({ level: 'silent' });
const OWNER = 'us-east';
let nats: TestNats;
let east: Bus;
let keys: Keyring;
let revision: number;
let west: Receiver;
let fleet: DocumentPublisher;
let hubStops: AbortController;

beforeEach(async () => {
  nats = await startNats(log);
  keys = new Keyring();
  revision = 0;
  hubStops = new AbortController();
  void keepStreams(await nats.hubBus(), log, { signal: hubStops.signal });
  east = await nats.clusterBus(OWNER);
  west = receiveFleet(await nats.clusterBus('eu-west'), keys);
  fleet = publisher();
  fleet.put('facts', { gateways: [] });
  fleet.put('shard.a.b', { endpoints: 1 });
  fleet.complete();
  await agree();
});
afterEach(async () => {
  hubStops.abort();
  west.watcher.stop();
  await fleet.stop();
  await nats.stop();
});

function publisher(): DocumentPublisher {
  return new DocumentPublisher({
    bus: east,
    stream: 'HAWSER_FLEET',
    prefix: `hawser.fleet.${OWNER}`,
    from: OWNER,
    to: '*',
    signer: keys.of(OWNER),
    epoch: 1,
    heartbeatMs: 200,
    revisions: () => {
      revision += 1;
      return revision;
    },
    log,
  }).start();
}

/** Waits for a consistent digest of the newest revision. */
async function agree(): Promise<void> {
  await fleet.drained();
  await west.until(() => west.digests.get(OWNER)?.consistent === true && west.digests.get(OWNER)?.revision === revision);
}

async function storedKeys(): Promise<string[]> {
  const listed = await listStream({
    bus: await nats.adminBus(),
    stream: 'HAWSER_FLEET',
    filter: 'hawser.fleet.*.>',
    log,
    timeoutMs: 5_000,
  });
  return (listed?.messages ?? []).map((message) => message.subject).sort();
}

describe('the bus comes back', () => {
  it('with what it had, after kill -9: what changed meanwhile arrives, and nothing else', async () => {
    await nats.kill9();
    fleet.put('shard.a.b', { endpoints: 2 });
    await nats.restart();
    await agree();
    expect(west.heard).toEqual(['facts@1', 'shard.a.b@2', 'shard.a.b@3']);
    expect(west.refused).toEqual([]);
  });

  it('with nothing: the publisher fills it, and receivers go on', async () => {
    await nats.restart({ wipe: true });
    fleet.put('shard.a.c', { endpoints: 3 });
    await agree();
    expect(west.heard).toEqual(['facts@1', 'shard.a.b@2', 'shard.a.c@3']);
    expect(await storedKeys()).toEqual(['digest', 'facts', 'shard.a.b', 'shard.a.c'].map((key) => `hawser.fleet.${OWNER}.${key}`));
    const late = receiveFleet(east, keys);
    await late.until(() => late.digests.get(OWNER)?.consistent === true);
    expect(late.held.size).toBe(3);
    late.watcher.stop();
  });

  it('with the stream deleted under it', async () => {
    const lists = west.lists;
    const admin = await nats.adminBus();
    await admin.request('$JS.API.STREAM.DELETE.HAWSER_FLEET', Buffer.from(''), { timeoutMs: 5_000 });
    fleet.put('shard.a.b', { endpoints: 2 });
    await agree();
    await west.until(() => west.lists > lists);
    expect(west.held.get(`${OWNER} shard.a.b`)).toEqual({ endpoints: 2 });
    expect(await storedKeys()).toHaveLength(3);
  });

  it('after having stood still: the connection is given up, and nothing is lost', async () => {
    await nats.freeze(async () => {
      fleet.put('shard.a.b', { endpoints: 2 });
      await expect(east.request('$JS.API.STREAM.INFO.HAWSER_FLEET', Buffer.from(''), { timeoutMs: 300 })).rejects.toMatchObject({
        code: 'bus-timeout',
      });
    });
    await agree();
    expect(west.held.get(`${OWNER} shard.a.b`)).toEqual({ endpoints: 2 });
  });
});

it('a key whose removal was lost with the store is told as absent, never silently dropped', async () => {
  await fleet.stop();
  await nats.restart({ wipe: true });
  fleet = publisher();
  fleet.put('facts', { gateways: [] });
  await fleet.drained();
  expect(west.absent).toEqual([]);
  fleet.complete();
  await west.until(() => west.absent.length > 0);
  expect(west.absent).toEqual([`${OWNER} shard.a.b`]);
  expect(west.held.size).toBe(2);
  expect(west.digests.get(OWNER)?.consistent).toBe(true);
});

it('a key that an old backup of the store brings back is removed again', async () => {
  const [bytes] = west.raw.get('shard.a.b') ?? [];
  fleet.remove('shard.a.b');
  await agree();
  await publishStored(await nats.adminBus(), `hawser.fleet.${OWNER}.shard.a.b`, bytes ?? Buffer.from(''));
  await west.until(() => west.refused.length > 0);
  fleet.republishAll();
  await agree();
  expect(west.refused).toEqual([`replayed hawser.fleet.${OWNER}.shard.a.b`]);
  const late = receiveFleet(east, keys);
  await late.until(() => late.digests.get(OWNER)?.consistent === true);
  expect([...late.held.keys()]).toEqual([`${OWNER} facts`]);
  late.watcher.stop();
});

it('a publisher started before the server and the streams exist publishes once they do', async () => {
  const url = nats.url;
  await nats.kill9();
  const early = await connectBus({
    urls: [url],
    name: 'early',
    credentials: await nats.credentials('ap-south'),
    inboxPrefix: '_INBOX_ap_south',
    log,
  });
  const made = new DocumentPublisher({
    ...{ bus: early, stream: 'HAWSER_FLEET', prefix: 'hawser.fleet.ap-south', from: 'ap-south', to: '*', epoch: 1, log },
    signer: keys.of('ap-south'),
    revisions: () => 1,
  }).start();
  made.put('facts', {});
  made.complete();
  await nats.restart({ wipe: true });
  await west.until(() => west.digests.get('ap-south')?.consistent === true);
  expect(west.held.has('ap-south facts')).toBe(true);
  await made.stop();
  await early.close();
});
