import { AppError } from '@hawser/runtime/app-error.ts';
import pino from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startNats, type TestNats } from '../../../test/kit/nats.ts';
import type { Bus } from './bus.ts';
import { probeStores } from './store-probe.ts';
import { ensureStreams } from './streams.ts';

const log = pino({ level: 'silent' });
let nats: TestNats;
let hub: Bus;

beforeAll(async () => {
  nats = await startNats(log);
  hub = await nats.hubBus();
  await ensureStreams(hub, log);
});
afterAll(() => nats.stop());

it('tells of a stream that leaves writes unanswered, not of one that is missing, and not of a server that is silent', async () => {
  const stopped = new AbortController();
  const asked = { writes: 0, unanswered: new Set<string>(), silent: false };
  const bus: Bus = Object.assign(Object.create(hub) as Bus, {
    connected: true,
    request: (...[subject, ...rest]: Parameters<Bus['request']>) => {
      if (subject.startsWith('hawser.')) asked.writes += 1;
      if (asked.silent || asked.unanswered.has(subject)) return Promise.reject(new AppError('bus-timeout', `${subject}: timeout`));
      return hub.request(subject, ...rest);
    },
  });
  let broken = 0;
  const onBroken = (): void => {
    broken += 1;
  };
  const probing = probeStores(bus, log, { signal: stopped.signal, onBroken, everyMs: 1 });
  const rounds = (count: number) => {
    const until = asked.writes + 2 * count;
    return expect.poll(() => asked.writes, { timeout: 20_000 }).toBeGreaterThan(until);
  };
  await rounds(3);
  asked.silent = true;
  await rounds(3);
  asked.silent = false;
  expect(broken).toBe(0);
  asked.unanswered.add('hawser.lease.hub');
  await expect.poll(() => broken, { timeout: 20_000 }).toBeGreaterThan(1);
  asked.unanswered.clear();
  await rounds(2);
  const before = broken;
  const admin = await nats.adminBus();
  await admin.request('$JS.API.STREAM.DELETE.HAWSER_CONFIG', Buffer.from(''), { timeoutMs: 5_000 });
  await rounds(3);
  expect(broken).toBe(before);
  stopped.abort();
  await probing;
});
