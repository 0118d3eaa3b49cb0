import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startNats, type TestNats } from '../../../test/kit/nats.ts';
import { freePort } from '../../../test/kit/ports.ts';
import { type Bus, type BusMessage, connectBus } from './bus.ts';
import { clusterUserJwt, createUserKey } from './nats-accounts.ts';
import { ensureStreams } from './streams.ts';
import { subjectMatches } from './subject-matches.ts';

const log = pino({ level: 'silent' });
const text = (value: string): Uint8Array => Buffer.from(value);

let nats: TestNats;
let hub: Bus;
let east: Bus;
let admin: Bus;

beforeAll(async () => {
  nats = await startNats(log);
  [hub, east, admin] = await Promise.all([nats.hubBus(), nats.clusterBus('us-east'), nats.adminBus()]);
  await ensureStreams(hub, log);
});
afterAll(() => nats.stop());

/** The next message that a subscription delivers. */
function next(bus: Bus, subject: string): Promise<BusMessage> {
  return new Promise((resolve) => {
    const subscription = bus.subscribe(subject, (message) => {
      subscription.stop();
      resolve({ ...message, bytes: Buffer.from(message.bytes) });
    });
  });
}

it('held, it has no connection and makes none; let go, it connects again, with its subscriptions', async () => {
  const bus = await nats.clusterBus('us-west');
  const answered = vi.fn<() => Buffer>(() => Buffer.from('here'));
  bus.serve('hawser.rpc.us-west.>', answered);
  await bus.request('$JS.API.STREAM.INFO.HAWSER_FLEET', text(''), { timeoutMs: 20_000 });
  bus.hold(true);
  bus.hold(true);
  expect(bus.connected).toBe(false);
  expect(bus.publish('hawser.status.us-west.proxies', text('lost'))).toBe(false);
  const asked = () => hub.request('hawser.rpc.us-west.echo', text(''), { timeoutMs: 2_000 }).then(String, ({ code }) => code);
  await expect.poll(asked, { timeout: 20_000 }).toBe('bus-no-responders');
  expect(bus.connected).toBe(false);
  bus.hold(false);
  await bus.ready();
  await expect.poll(asked, { timeout: 20_000 }).toBe('[object Object]');
  expect(answered).toHaveBeenCalled();
  bus.hold(true);
  await bus.close();
});

describe('requests', () => {
  it('are answered, and a failure comes back with its words', async () => {
    east.serve('hawser.rpc.us-east.>', (bytes, subject) => {
      if (subject.endsWith('.fail')) throw new Error('no proxy\nof that name');
      return Buffer.concat([bytes, text('!')]);
    });
    await east.request('$JS.API.STREAM.INFO.HAWSER_FLEET', text(''), { timeoutMs: 2_000 });
    const answer = await hub.request('hawser.rpc.us-east.echo', text('hello'), { timeoutMs: 2_000 });
    expect(Buffer.from(answer.bytes).toString()).toBe('hello!');
    await expect(hub.request('hawser.rpc.us-east.fail', text(''), { timeoutMs: 2_000 })).rejects.toMatchObject({
      code: 'rpc-failed',
      message: 'no proxy of that name',
    });
    await expect(hub.request('hawser.rpc.nowhere.echo', text(''), { timeoutMs: 2_000 })).rejects.toMatchObject({
      code: 'bus-no-responders',
    });
  });

  it('fail at once, and messages are dropped, while there is no server', async () => {
    const bus = await connectBus({ urls: [`nats://127.0.0.1:${await freePort()}`], name: 'early', log });
    expect(bus.connected).toBe(false);
    expect(bus.publish('a', text('b'))).toBe(false);
    await expect(bus.request('a', text('b'), { timeoutMs: 60_000 })).rejects.toMatchObject({ code: 'bus-disconnected' });
    const ready = expect(bus.ready()).rejects.toMatchObject({ code: 'bus-closed' });
    await bus.close();
    await ready;
  });

  it('end by a closing bus', async () => {
    const bus = await nats.clusterBus('closing');
    await bus.close();
    expect(bus.connected).toBe(false);
    await bus.close();
  });
});

describe('a cluster of the federation', () => {
  const publish = (subject: string, bus = east): Promise<unknown> => bus.request(subject, text('x'), { timeoutMs: 2_000 });

  it('stores documents of its own', async () => {
    const reply = await east.request('hawser.fleet.us-east.facts', text('x'), { timeoutMs: 2_000 });
    expect(JSON.parse(Buffer.from(reply.bytes).toString())).toMatchObject({ stream: 'HAWSER_FLEET' });
  });

  it.each([
    'hawser.fleet.eu-west.facts',
    'hawser.config.us-east.roster',
    'hawser.status.eu-west.proxies',
    'hawser.rpc.eu-west.proxy-config',
    '$JS.API.STREAM.DELETE.HAWSER_FLEET',
    '$JS.API.STREAM.PURGE.HAWSER_FLEET',
    '$JS.API.STREAM.UPDATE.HAWSER_CONFIG',
    '$JS.API.STREAM.CREATE.MINE',
    '$JS.API.STREAM.MSG.GET.HAWSER_CONFIG',
    '$JS.API.DIRECT.GET.HAWSER_CONFIG.hawser.config.eu-west.roster',
    '$JS.API.CONSUMER.CREATE.HAWSER_CONFIG',
    '$JS.API.CONSUMER.CREATE.HAWSER_CONFIG.c1.hawser.config.eu-west.>',
    '$JS.API.CONSUMER.CREATE.HAWSER_CONFIG.c1.hawser.config.>',
    '$JS.API.CONSUMER.DURABLE.CREATE.HAWSER_CONFIG.c1',
    '$JS.API.CONSUMER.MSG.NEXT.HAWSER_CONFIG.c1',
  ])('may not publish to %s', async (subject) => {
    await expect(publish(subject)).rejects.toMatchObject({ code: 'bus-refused' });
  });

  it.each([
    ['>', 'hawser.config.eu-west.roster'],
    ['hawser.config.eu-west.>', 'hawser.config.eu-west.roster'],
    ['hawser.fleet.>', 'hawser.fleet.eu-west.facts'],
    ['hawser.status.>', 'hawser.status.eu-west.proxies'],
    ['hawser.rpc.eu-west.>', 'hawser.rpc.eu-west.proxy-config'],
    ['_INBOX.>', '_INBOX.abc'],
    ['_INBOX_eu_west.>', '_INBOX_eu_west.abc'],
  ])('may not subscribe to %s', async (pattern, subject) => {
    let heard = 0;
    const spy = east.subscribe(pattern, () => {
      heard += 1;
    });
    const witness = next(admin, subject);
    await east.request('$JS.API.STREAM.INFO.HAWSER_FLEET', text(''), { timeoutMs: 2_000 });
    await admin.request('$JS.API.INFO', text(''), { timeoutMs: 2_000 });
    admin.publish(subject, text('secret'));
    await witness;
    await east.request('$JS.API.STREAM.INFO.HAWSER_FLEET', text(''), { timeoutMs: 2_000 });
    spy.stop();
    expect(heard).toBe(0);
  });

  it('may not widen its consumer in the body of the request', async () => {
    const config = { name: 'wide', deliver_subject: east.newInbox(), ack_policy: 'none', deliver_policy: 'all' };
    const create = async (changes: Record<string, unknown>): Promise<unknown> => {
      const body = text(JSON.stringify({ stream_name: 'HAWSER_CONFIG', action: 'create', config: { ...config, ...changes } }));
      const reply = await east.request('$JS.API.CONSUMER.CREATE.HAWSER_CONFIG.wide.hawser.config.us-east.>', body, { timeoutMs: 2_000 });
      return JSON.parse(Buffer.from(reply.bytes).toString());
    };
    expect(await create({ filter_subject: 'hawser.config.>' })).toHaveProperty('error');
    expect(await create({ filter_subjects: ['hawser.config.us-east.>', 'hawser.config.eu-west.>'] })).toHaveProperty('error');
    expect(await create({})).toHaveProperty('error');
  });

  it('cannot pass a stored message off as another cluster’s status', async () => {
    const heard: string[] = [];
    const subscription = hub.subscribe('hawser.status.>', (message) => heard.push(message.subject));
    const config = {
      name: 'spoof',
      filter_subject: 'hawser.fleet.>',
      deliver_subject: 'hawser.status.eu-west.proxies',
      ack_policy: 'none',
    };
    const body = text(JSON.stringify({ stream_name: 'HAWSER_FLEET', action: 'create', config }));
    const witness = new Promise<string>((resolve) => {
      const raw = admin.subscribe('hawser.status.eu-west.proxies', (message) => resolve(message.subject), { anySubject: true });
      expect(raw).toBeDefined();
    });
    await admin.request('$JS.API.INFO', text(''), { timeoutMs: 2_000 });
    await east.request('$JS.API.CONSUMER.CREATE.HAWSER_FLEET.spoof.hawser.fleet.>', body, { timeoutMs: 2_000 });
    expect(await witness).toBe('hawser.fleet.us-east.facts');
    const honest = next(hub, 'hawser.status.us-east.proxies');
    await hub.request('$JS.API.STREAM.INFO.HAWSER_FLEET', text(''), { timeoutMs: 2_000 });
    east.publish('hawser.status.us-east.proxies', text('x'));
    await honest;
    subscription.stop();
    expect(heard).toEqual(['hawser.status.us-east.proxies']);
  });

  it('is cut off when its JWT expires, and comes back with renewed credentials', async () => {
    const { publicKey, seed } = createUserKey();
    const jwt = (seconds: number): Promise<string> =>
      clusterUserJwt(nats.operator, { cluster: 'brief', userPublicKey: publicKey, expiresAt: new Date(Date.now() + seconds * 1_000) });
    const bus = await connectBus({
      urls: [nats.url],
      name: 'brief',
      credentials: { jwt: await jwt(2), seed },
      inboxPrefix: '_INBOX_brief',
      log,
    });
    await bus.ready();
    bus.renewCredentials({ jwt: await jwt(3_600), seed });
    const states: boolean[] = [];
    const back = new Promise<void>((resolve) => {
      bus.onStatus((connected) => {
        states.push(connected);
        if (states.length === 3) resolve();
      });
    });
    await back;
    expect(states).toEqual([true, false, true]);
    await bus.close();
  });
});

describe('subjectMatches', () => {
  it.each([
    ['a.b', 'a.b', true],
    ['a.*', 'a.b', true],
    ['a.*', 'a.b.c', false],
    ['a.>', 'a', false],
    ['a.>', 'a.b.c', true],
    ['>', 'a', true],
    ['a.b', 'a', false],
    ['a', 'a.b', false],
  ])('%s and %s: %s', (pattern, subject, expected) => {
    expect(subjectMatches(pattern, subject)).toBe(expected);
  });
});
