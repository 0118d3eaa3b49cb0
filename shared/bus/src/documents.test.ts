import { open, PROTOCOL, seal } from '@hawser/wire/envelope.ts';
import { verifierOf } from '@hawser/wire/signing.ts';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startNats, type TestNats } from '../../../test/kit/nats.ts';
import { Keyring, type Receiver, receiveConfig, receiveFleet } from '../../../test/kit/receiver.ts';
import { account } from '../../../test/kit/totals.ts';
import type { Bus } from './bus.ts';
import { DocumentPublisher, type PublisherOptions } from './document-publisher.ts';
import { publishStored } from './jetstream.ts';
import { listStream } from './ordered-consumer.ts';
import { ensureStreams } from './streams.ts';

const log = pino({ level: 'silent' });
let nats: TestNats;
let hub: Bus;
let admin: Bus;
let keys: Keyring;
let stops: (() => Promise<void> | void)[];
let serial = 0;
/** A cluster of its own for every test. */
let east: string;
let eastBus: Bus;

beforeAll(async () => {
  nats = await startNats(log);
  [hub, admin] = await Promise.all([nats.hubBus(), nats.adminBus()]);
  await ensureStreams(hub, log);
});
afterAll(() => nats.stop());
beforeEach(async () => {
  keys = new Keyring();
  stops = [];
  serial += 1;
  east = `east-${serial}`;
  eastBus = await nats.clusterBus(east);
});
afterEach(async () => {
  for (const stop of stops) await stop();
});

function publisher(changes: Partial<PublisherOptions> = {}): DocumentPublisher {
  let revision = 0;
  const made = new DocumentPublisher({
    bus: eastBus,
    stream: 'HAWSER_FLEET',
    prefix: `hawser.fleet.${east}`,
    from: east,
    to: '*',
    signer: keys.of(east),
    epoch: 1,
    revisions: (above) => {
      revision = Math.max(revision, above) + 1;
      return revision;
    },
    log,
    ...changes,
  });
  stops.push(() => made.stop());
  return made.start();
}

async function receiver(): Promise<Receiver> {
  const made = receiveFleet(await nats.clusterBus(`west-${serial}`), keys, { filter: `hawser.fleet.${east}.>` });
  stops.push(() => made.watcher.stop());
  return made;
}

async function stored(prefix = `hawser.fleet.${east}`, stream = 'HAWSER_FLEET'): Promise<Map<string, Uint8Array>> {
  const listed = await listStream({ bus: hub, stream, filter: `${prefix}.>`, log, timeoutMs: 5_000 });
  return new Map(listed?.messages.map((message) => [message.subject.slice(prefix.length + 1), message.bytes]));
}

const document = (changes: Partial<Parameters<typeof seal>[0]> = {}): Parameters<typeof seal>[0] => ({
  ...{ protocol: PROTOCOL, from: east, to: '*', key: 'shard.a.b', epoch: 1, revision: 50, part: 0, parts: 1 },
  body: { forged: true },
  ...changes,
});

async function forge(bytes: Uint8Array, key = 'shard.a.b'): Promise<void> {
  await publishStored(admin, `hawser.fleet.${east}.${key}`, bytes);
}

describe('documents', () => {
  it('go from the hub to one cluster, with the revision of the write', async () => {
    const config = publisher({
      bus: hub,
      stream: 'HAWSER_CONFIG',
      prefix: `hawser.config.${east}`,
      from: 'hub',
      to: east,
      signer: keys.of('hub'),
    });
    const agent = receiveConfig(eastBus, east, keys);
    stops.push(() => agent.watcher.stop());
    config.put('roster', { members: [] }, 7);
    config.advance(9);
    config.complete();
    await agent.until(() => agent.digests.get(east)?.revision === 9);
    expect(agent.held.get(`${east} roster`)).toEqual({ members: [] });
    expect(agent.heard).toEqual(['roster@7']);
    expect(agent.digests.get(east)).toMatchObject({ consistent: true, epoch: 1, digest: { count: 1 } });
    await config.drained();
    expect(config.publishedRevision).toBe(9);
  });

  it('go from a cluster to all: added, changed, removed, and the digest agrees after each', async () => {
    const west = await receiver();
    const fleet = publisher();
    fleet.complete();
    fleet.put('facts', { gateways: [] });
    fleet.put('shard.a.b', { endpoints: [1] });
    await fleet.drained();
    fleet.put('shard.a.b', { endpoints: [1, 2] });
    await fleet.drained();
    fleet.remove('facts');
    await fleet.drained();
    await west.until(() => west.digests.get(east)?.revision === 4);
    expect(west.heard).toEqual(['facts@1', 'shard.a.b@2', 'shard.a.b@3', '-facts@4']);
    expect(west.digests.get(east)).toMatchObject({ consistent: true, digest: { count: 1 } });
  });

  it('coalesce per key while unacknowledged', async () => {
    const west = await receiver();
    const fleet = publisher();
    await fleet.loaded;
    for (let count = 1; count <= 500; count += 1) {
      fleet.put('shard.a.b', { count });
      if (count % 10 === 0) await Promise.resolve();
    }
    await fleet.drained();
    await west.until(() => JSON.stringify(west.held.get(`${east} shard.a.b`)) === '{"count":500}');
    expect(west.heard.length).toBeLessThan(10);
  });

  it('arrive one by one, each at once (prints the delay with fsync of every message)', async () => {
    const west = await receiver();
    const fleet = publisher();
    fleet.complete();
    await fleet.drained();
    const delays: number[] = [];
    for (let count = 1; count <= 200; count += 1) {
      const begin = performance.now();
      fleet.put(`shard.a.s${count % 20}`, { count, pad: 'x'.repeat(800) });
      await west.until(() => west.heard.length === count);
      delays.push(performance.now() - begin);
    }
    delays.sort((a, b) => a - b);
    console.log(`put → onDocument: p50 ${delays[100]?.toFixed(2)} ms, p99 ${delays[198]?.toFixed(2)} ms`);
    await fleet.drained();
    await west.until(() => west.digests.get(east)?.revision === 200 && west.digests.get(east)?.consistent === true);
    expect(west.held.size).toBe(20);
  });

  it('are not published again by a restart that changes nothing, and removals of the meantime are', async () => {
    const first = publisher();
    first.put('shard.a.b', { a: 1, b: 2 });
    first.put('shard.a.c', { c: 1 });
    first.complete();
    await first.drained();
    await first.stop();
    const before = await stored();
    const second = publisher();
    second.put('shard.a.b', { b: 2, a: 1 });
    await second.loaded;
    expect(second.keys().sort()).toEqual(['shard.a.b', 'shard.a.c']);
    second.complete();
    await second.drained();
    expect(await stored()).toEqual(before);
    second.remove('shard.a.c');
    await second.drained();
    const west = await receiver();
    await west.until(() => west.digests.get(east)?.consistent === true);
    expect(west.heard).toEqual(['shard.a.b@1', '-shard.a.c@3']);
  });

  it('tell no digest before the owner knows its whole state', async () => {
    const west = await receiver();
    const first = publisher();
    first.put('shard.a.b', {});
    first.complete();
    await first.drained();
    await first.stop();
    const second = publisher({ epoch: 2, heartbeatMs: 10 });
    second.put('shard.a.c', {});
    await second.drained();
    await west.until(() => west.held.size === 2);
    expect(west.digests.get(east)?.epoch).toBe(1);
    expect(second.keys().sort()).toEqual(['shard.a.b', 'shard.a.c']);
    second.remove('shard.a.b');
    second.complete();
    await west.until(() => west.digests.get(east)?.epoch === 2);
    expect(west.digests.get(east)).toMatchObject({ consistent: true, digest: { count: 1 } });
    expect(west.heard).toEqual(['shard.a.b@1', 'shard.a.c@1', '-shard.a.b@2']);
  });

  it('larger than a message arrive whole, and leave no parts behind', async () => {
    const west = await receiver();
    const fleet = publisher();
    fleet.complete();
    const large = { text: 'é😀"\\x'.repeat(180_000) };
    expect(Buffer.byteLength(JSON.stringify(large))).toBeGreaterThan(1024 * 1024);
    fleet.put('shard.a.b', large);
    await fleet.drained();
    await west.until(() => west.digests.get(east)?.digest.count === 1);
    expect(west.held.get(`${east} shard.a.b`)).toEqual(large);
    const raw = west.raw.get('shard.a.b') ?? [];
    expect(raw.length).toBeGreaterThan(10);
    expect(Math.max(...raw.map((part) => part.length))).toBeLessThanOrEqual(256 * 1024);
    fleet.put('shard.a.b', { text: 'small' });
    await fleet.drained();
    await west.until(() => west.heard.includes('shard.a.b@2'));
    const late = await receiver();
    await late.until(() => late.digests.get(east)?.consistent === true);
    expect(late.heard).toEqual(['shard.a.b@2']);
    const restarted = publisher();
    await restarted.loaded;
    expect(restarted.keys()).toEqual(['shard.a.b']);
    expect([...late.refused, ...west.refused]).toEqual([]);
  });
});

describe('what is not the owner’s newest word is refused', () => {
  let west: Receiver;
  let fleet: DocumentPublisher;
  const good = { good: true };

  beforeEach(async () => {
    west = await receiver();
    fleet = publisher({ epoch: 2 });
    fleet.put('shard.a.b', good);
    fleet.complete();
    await west.until(() => west.digests.get(east)?.consistent === true);
  });

  afterEach(() => {
    const isGood = [...west.held].every(([key, body]) => key === `${east} shard.a.b` && JSON.stringify(body) === JSON.stringify(good));
    const removals = west.heard.filter((one) => one.startsWith('-')).length;
    account({ documents: west.refused.length + 1, staleOrForged: isGood ? 0 : 1, falseRemovals: removals });
    expect(west.held).toEqual(new Map([[`${east} shard.a.b`, good]]));
  });

  it('one byte flipped in a stored message; the publisher’s audit heals it', async () => {
    const message = Buffer.from((await stored()).get('shard.a.b') ?? '');
    message[message.length - 5] = (message[message.length - 5] ?? 0) ^ 1;
    await forge(message);
    await west.until(() => west.refused.length === 1);
    expect(west.refused).toEqual([expect.stringMatching(/^(bad-signature|malformed) /)]);
    const late = await receiver();
    await late.until(() => late.digests.get(east)?.consistent === false);
    expect(late.held.size).toBe(0);
    fleet.republishAll();
    await late.until(() => late.held.size === 1 && late.digests.get(east)?.consistent === true);
  });

  it.each<[string, Partial<Parameters<typeof seal>[0]>]>([
    ['older-epoch', { epoch: 1, revision: 99 }],
    ['replayed', { epoch: 2, revision: 0 }],
    ['wrong-address', { epoch: 2, to: 'someone' }],
    ['wrong-address', { epoch: 2, key: 'shard.a.other' }],
    ['wrong-address', { epoch: 2, part: 1, parts: 2 }],
    ['protocol', { epoch: 2, protocol: 99 }],
  ])('%s: %o', async (reason, changes) => {
    await forge(seal(document(changes), keys.of(east)));
    await west.until(() => west.refused.length === 1);
    expect(west.refused).toEqual([`${reason} hawser.fleet.${east}.shard.a.b`]);
  });

  it('another member’s, on this owner’s subject', async () => {
    await forge(seal(document({ from: 'east-other' }), keys.of('east-other')));
    await forge(seal(document({ epoch: 2 }), keys.of('east-other')), 'shard.a.c');
    await west.until(() => west.refused.length === 2);
    expect(west.refused).toEqual([`wrong-address hawser.fleet.${east}.shard.a.b`, `bad-signature hawser.fleet.${east}.shard.a.c`]);
  });

  it('a replayed digest, and one that is no digest', async () => {
    await forge(seal(document({ key: 'digest', epoch: 2, revision: 99, body: { count: 'none' } }), keys.of(east)), 'digest');
    await west.until(() => west.refused.length >= 1); // the next takes its place on the stream, heard or not
    await forge(seal(document({ key: 'digest', epoch: 1, revision: 99, body: { count: 0, root: '' } }), keys.of(east)), 'digest');
    await west.until(() => west.refused.length >= 2); // it stays on the stream: whoever lists again refuses it again
    expect(west.refused.slice(0, 2)).toEqual([`malformed hawser.fleet.${east}.digest`, `replayed hawser.fleet.${east}.digest`]);
  });

  it('and whoever has the newest in its saved state knows that it has everything, whatever stands in its place', async () => {
    const raw = west.raw.get('shard.a.b') ?? [];
    await forge(Buffer.from('nonsense'));
    const restarted = receiveFleet(hub, keys, { filter: `hawser.fleet.${east}.>`, seed: raw });
    stops.push(() => restarted.watcher.stop());
    await restarted.until(() => restarted.digests.get(east)?.consistent === true);
    expect(restarted.refused).toEqual([`malformed hawser.fleet.${east}.shard.a.b`]);
    const late = await receiver();
    await late.until(() => late.digests.get(east)?.consistent === false);
    expect(late.held.size).toBe(0);
  });

  it('also after a restart from the last known good state', async () => {
    const raw = west.raw.get('shard.a.b') ?? [];
    await forge(seal(document({ epoch: 2, revision: 0 }), keys.of(east)));
    const restarted = receiveFleet(hub, keys, { filter: `hawser.fleet.${east}.>`, seed: raw });
    stops.push(() => restarted.watcher.stop());
    expect(restarted.heard).toEqual(['shard.a.b@1']);
    await restarted.until(() => restarted.refused.length > 0);
    expect(restarted.refused).toEqual([`replayed hawser.fleet.${east}.shard.a.b`]);
    expect(restarted.heard).toEqual(['shard.a.b@1']);
  });
});

describe('a digest', () => {
  it('that differs makes the receiver list again', async () => {
    const west = await receiver();
    await west.until(() => west.lists === 1);
    const body = { count: 1, root: 'f'.repeat(64) };
    await forge(seal(document({ key: 'digest', body }), keys.of(east)), 'digest');
    await west.until(() => west.lists >= 2);
    expect(west.digests.get(east)?.consistent).toBe(false);
  });

  it('is heart-beaten; an owner that falls silent is told as stale, and as heard again', async () => {
    const made = receiveFleet(hub, keys, { filter: `hawser.fleet.${east}.>`, staleAfterMs: 1_200 });
    stops.push(() => made.watcher.stop());
    const fleet = publisher({ heartbeatMs: 50 });
    fleet.put('shard.a.b', {});
    fleet.complete();
    await fleet.drained();
    const first = made.digests.get(east)?.heardAt ?? 0;
    await made.until(() => (made.digests.get(east)?.heardAt ?? 0) > first + 1_500);
    expect(made.stale).toEqual([]);
    await fleet.stop();
    await made.until(() => made.stale.length === 1);
    expect(made.held.size).toBe(1);
    publisher().complete();
    await made.until(() => Date.now() - (made.digests.get(east)?.heardAt ?? 0) < 600);
    expect(made.stale).toEqual([east]);
  });

  it('carries a revision that touched none of the documents', async () => {
    const west = await receiver();
    const fleet = publisher();
    fleet.complete();
    fleet.put('facts', {}, 3);
    await fleet.drained();
    fleet.advance(8);
    await west.until(() => west.digests.get(east)?.revision === 8);
    expect(west.heard).toEqual(['facts@3']);
  });
});

it('every stored message is signed by its owner', async () => {
  const fleet = publisher();
  fleet.put('facts', {});
  fleet.complete();
  await fleet.drained();
  const messages = await stored();
  expect([...messages.keys()].sort()).toEqual(['digest', 'facts']);
  for (const bytes of messages.values()) expect(open(bytes, () => verifierOf(keys.of(east).publicKey))).toBeTypeOf('object');
});
