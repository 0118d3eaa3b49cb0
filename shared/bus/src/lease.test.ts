import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startNats, type TestNats } from '../../../test/kit/nats.ts';
import { Keyring, receiveFleet } from '../../../test/kit/receiver.ts';
import type { Bus } from './bus.ts';
import { DocumentPublisher } from './document-publisher.ts';
import { Lease } from './lease.ts';
import { keepStreams } from './streams.ts';

const log = pino({ level: 'silent' });
const OWNER = 'us-east';
/** No test waits for it in vain: it is what a takeover takes. */
const SILENCE_MS = 400;

/** A replica's lease, and how to await what it does. */
interface Candidate {
  readonly lease: Lease;
  until(held: boolean): Promise<void>;
}

describe('a lease', { timeout: 60_000 }, () => {
  let nats: TestNats;
  let keys: Keyring;
  let hub: AbortController;
  let buses: Bus[];
  const stops: (() => Promise<void> | void)[] = [];

  const candidate = (bus: Bus | undefined, holder: string, silenceMs = SILENCE_MS): Candidate => {
    if (bus === undefined) throw new Error('no bus');
    const waiting = new Set<() => void>();
    const lease: Lease = new Lease({
      ...{ bus, log, stream: 'HAWSER_FLEET', subject: `hawser.lease.${OWNER}`, owner: OWNER, epoch: 1, signer: keys.of(OWNER) },
      ...{ holder, process: holder, silenceMs, onChange: () => waiting.forEach((look) => void look()) },
    }).start();
    stops.push(() => lease.stop());
    const until = (held: boolean): Promise<void> =>
      new Promise((resolve) => {
        const look = (): void => {
          if (lease.held !== held) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      });
    return { lease, until };
  };

  /** The holder lives: the other hears of it until stopped. */
  const beats = (from: Candidate, to: Candidate): (() => void) => {
    const timer = setInterval(() => from.lease.held && to.lease.heard(from.lease.term), 50);
    stops.push(() => clearInterval(timer));
    return () => clearInterval(timer);
  };

  beforeEach(async () => {
    nats = await startNats(log);
    keys = new Keyring();
    hub = new AbortController();
    void keepStreams(await nats.hubBus(), log, { signal: hub.signal });
    buses = await Promise.all([nats.clusterBus(OWNER), nats.clusterBus(OWNER)]);
  });
  afterEach(async () => {
    hub.abort();
    for (const stop of stops.splice(0).reverse()) await stop();
    await nats.stop();
  });

  it('is taken at once when it is free, by one of two, and handed over at once when given back', async () => {
    const [a, b] = [candidate(buses[0], 'a', 60_000), candidate(buses[1], 'b', 60_000)];
    a.lease.want();
    b.lease.want();
    await Promise.race([a.until(true), b.until(true)]);
    const [holder, other] = a.lease.held ? [a, b] : [b, a];
    expect(other.lease.held).toBe(false);
    expect(await holder.lease.confirm()).toBe(true);
    await holder.lease.release();
    expect(holder.lease.held).toBe(false);
    await other.until(true);
    expect(other.lease.term).toBe(3);
  });

  it('stays where it is while its holder is heard, and goes on when it is silent; the old holder is refused', async () => {
    const [a, b] = [candidate(buses[0], 'a'), candidate(buses[1], 'b')];
    a.lease.want();
    await a.until(true);
    const silence = beats(a, b);
    b.lease.want();
    for (let turn = 0; turn < 20; turn += 1) expect(await a.lease.confirm()).toBe(true);
    expect(b.lease.held).toBe(false);
    silence();
    await b.until(true);
    expect(await a.lease.confirm()).toBe(false);
    await a.until(false);
    expect(await b.lease.confirm()).toBe(true);
  });

  it('is its holder’s again at once after a restart of the same replica', async () => {
    const first = candidate(buses[0], 'a', 60_000);
    first.lease.want();
    await first.until(true);
    first.lease.stop();
    const second = candidate(buses[1], 'a', 60_000);
    second.lease.want();
    await second.until(true);
  });

  it('outlives the stream: whoever held it has it again', async () => {
    const [a, b] = [candidate(buses[0], 'a', 60_000), candidate(buses[1], 'b', 60_000)];
    a.lease.want();
    await a.until(true);
    b.lease.want();
    const { term } = a.lease;
    // Whoever has never seen it held takes an empty stream for a free one.
    await expect.poll(() => b.lease.term).toBe(term);
    await nats.restart({ wipe: true });
    for (const end = Date.now() + 20_000; Date.now() < end && a.lease.term === term; )
      await new Promise((resolve) => setTimeout(resolve, 20));
    await a.until(true);
    expect(await a.lease.confirm()).toBe(true);
    expect(b.lease.held).toBe(false);
  });

  it('is not doubted when the refusal of a write comes after what was stored is seen', async () => {
    const bus = buses[0] as Bus;
    let answered: ReturnType<Bus['request']> | undefined;
    // The first write is stored and its answer lost; the second is on its way while the consumer brings the first.
    const request: Bus['request'] = async (subject, bytes, options) => {
      const answer = await bus.request(subject, bytes, options);
      if (!subject.startsWith('hawser.lease.') || answered !== undefined) return answer;
      await a.until(true);
      answered = bus.request(subject, bytes, options);
      return answered;
    };
    const late = new Proxy(bus, {
      get: (target, name) => {
        const value: unknown = name === 'request' ? request : Reflect.get(target, name, target);
        return typeof value === 'function' && name !== 'request' ? (value.bind(target) as unknown) : value;
      },
    });
    const a = candidate(late, 'a', 60_000);
    a.lease.want();
    await expect.poll(() => answered).toBeDefined();
    expect(Buffer.from((await answered)?.bytes ?? []).toString()).toContain('wrong last sequence');
    await new Promise((resolve) => setImmediate(resolve));
    expect(a.lease.held).toBe(true);
    expect(await a.lease.confirm()).toBe(true);
  });

  it('fences a publisher that did not notice: nothing of it reaches the stream', async () => {
    const [a, b] = [candidate(buses[0], 'a'), candidate(buses[1], 'b')];
    const publisher = (which: Candidate, bus: Bus | undefined, from: number): DocumentPublisher => {
      if (bus === undefined) throw new Error('no bus');
      let revision = from;
      const made = new DocumentPublisher({
        ...{ bus, log, stream: 'HAWSER_FLEET', prefix: `hawser.fleet.${OWNER}`, from: OWNER, to: '*', epoch: 1, signer: keys.of(OWNER) },
        revisions: (above) => {
          revision = Math.max(revision, above) + 1;
          return revision;
        },
        mayPublish: () => which.lease.confirm(),
      }).start();
      stops.push(() => made.stop());
      return made;
    };
    const west = receiveFleet(await nats.clusterBus('us-west'), keys);
    stops.push(() => west.watcher.stop());
    a.lease.want();
    await a.until(true);
    const old = publisher(a, buses[0], 1_000_000);
    old.put('shard.a.b', { by: 'a' });
    old.complete();
    await west.until(() => west.digests.get(OWNER)?.consistent === true);
    // No beats: as if a stood still. b takes over and publishes; a wakes up with other plans, of higher revisions.
    b.lease.want();
    await b.until(true);
    const next = publisher(b, buses[1], 0);
    next.put('shard.a.b', { by: 'b' });
    next.complete();
    await west.until(() => JSON.stringify(west.held.get(`${OWNER} shard.a.b`)) === '{"by":"b"}');
    old.put('shard.a.b', { by: 'a, late' });
    old.put('shard.a.c', { by: 'a, late' });
    await a.until(false);
    next.put('shard.a.d', { by: 'b' });
    await next.drained();
    await west.until(() => west.held.has(`${OWNER} shard.a.d`));
    expect(west.heard.filter((one) => !one.startsWith('shard.a.b')).map((one) => one.split('@')[0])).toEqual(['shard.a.d']);
    expect(west.held.get(`${OWNER} shard.a.b`)).toEqual({ by: 'b' });
  });
});
