/** Notifications out of a real database to a real HTTP server. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DELIVERY_HEADER, EVENT_HEADER, type NotificationEvent, SIGNATURE_HEADER } from '@hawser/wire/notifications.ts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createAuthority } from '../../../../test/behaviour/kit/site-certificates.ts';
import { startTestHub, type TestHub } from '../../../../test/kit/hub-core.ts';
import { querySql, startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import { silent } from '../hub-process-fixture.ts';
import type { WebhookSink } from '../outgoing/integrations.ts';
import { recordAct } from '../resource/act-store.ts';
import { signatureOf } from './deliver.ts';
import { trimNotifications } from './notification-store.ts';
import { Notifier } from './notifier.ts';

const FREEZES = '/apis/hawser.dev/v1alpha1/freezes';
const TIMES = { lookMs: 20, backoff: { baseMs: 10, maxMs: 50 }, trimMs: 60_000 };

interface Taken {
  readonly event: NotificationEvent;
  readonly body: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

let postgres: TestPostgres;
beforeAll(async () => {
  postgres = await startTestPostgres();
});
afterAll(() => postgres.stop());

describe('notifications', { timeout: 120_000 }, () => {
  let dsn: string;
  let hub: TestHub;
  let server: Server;
  let folder: string;
  let sink: WebhookSink;
  /** What the server took, and what it answers. */
  let taken: Taken[];
  let answer: (event: NotificationEvent, path: string) => number | Promise<number>;
  let outcomes: string[];
  let stopping: AbortController;
  let running: Promise<void>[];

  beforeEach(async () => {
    [dsn, taken, answer, outcomes, running] = [await postgres.database(), [], () => 200, [], []];
    stopping = new AbortController();
    hub = await startTestHub(dsn);
    server = createServer(take);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    folder = await mkdtemp(join(tmpdir(), 'hawser-notify-'));
    await writeFile(join(folder, 'secret'), 'first line\nsecond\n');
    sink = {
      name: 'chat',
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?key=hidden`,
      secretFile: join(folder, 'secret'),
    };
  });
  afterEach(async () => {
    stopping.abort();
    await Promise.all(running);
    await hub.stop();
    await new Promise((resolve) => server.close(resolve).closeAllConnections());
    await rm(folder, { recursive: true });
  });

  const take: RequestListener = (request, response) => {
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', async () => {
      const event = JSON.parse(body) as NotificationEvent;
      const { url = '', headers } = request;
      const status = await answer(event, url);
      if (status < 300) taken.push({ event, body, url, headers });
      response.writeHead(status, { location: '/elsewhere' }).end('thank you');
    });
  };
  const notifier = (sinks: readonly WebhookSink[] = [sink], signal = stopping.signal): Notifier => {
    const onOutcome = (name: string, outcome: string): number => outcomes.push(`${name} ${outcome}`);
    const made = new Notifier({ database: hub.core.database, sinks, onOutcome, log: silent, signal, times: TIMES });
    return made;
  };
  const start = (one: Notifier): Notifier => {
    running.push(one.run());
    return one;
  };
  const until = (read: () => unknown) => expect.poll(read, { timeout: 20_000, interval: 20 });
  const operation = (phase: string, reason = '', name = 'east') =>
    hub.core.database.transaction((tx) =>
      recordAct(tx, {
        ...{ kind: 'Operation', namespace: '', name: `Drain/${name}`, action: 'update', actor: 'alice', verb: 'advance', reason },
        ...{ createdAt: new Date().toISOString(), generation: 1, spec: { phase } },
      }),
    );
  const freeze = (name: string) =>
    hub.call('POST', FREEZES, { apiVersion: 'hawser.dev/v1alpha1', kind: 'Freeze', metadata: { name }, spec: { reason: 'holidays' } });

  it('tells of phases and writes, in order, signed, and of nothing twice', async () => {
    const told = start(notifier());
    await until(() => querySql(dsn, 'SELECT 1 FROM notification_progress').then((rows) => rows.length)).toBe(1);
    await operation('Draining', 'maintenance');
    await operation('Draining', 'a step within it');
    expect((await freeze('christmas')).code).toBe(201);
    await operation('Done', 'all steps were taken');
    await until(() => taken.length).toBe(3);
    expect(taken.map(({ event }) => event)).toEqual([
      expect.objectContaining({
        type: 'operation',
        kind: 'Drain',
        namespace: '',
        name: 'east',
        phase: 'Draining',
        who: 'alice',
        why: 'maintenance',
      }),
      expect.objectContaining({ type: 'write', kind: 'Freeze', name: 'christmas', action: 'create', who: 'admin' }),
      expect.objectContaining({ type: 'operation', name: 'east', phase: 'Done', was: 'Draining' }),
    ]);
    expect(taken[0]?.event).not.toHaveProperty('was');
    for (const { event, body, headers } of taken) {
      expect(headers).toMatchObject({
        [EVENT_HEADER]: event.type,
        [DELIVERY_HEADER]: event.id,
        [SIGNATURE_HEADER]: signatureOf(body, 'first line'),
      });
    }
    await until(async () => (await told.entries())[0]).toMatchObject({ name: 'chat', delivered: 3, waiting: 0, givenUp: 0, problem: '' });
  });

  it('tries again until a sink takes it, shows why it did not, and keeps the order', async () => {
    const told = start(notifier());
    await until(() => querySql(dsn, 'SELECT 1 FROM notification_progress').then((rows) => rows.length)).toBe(1);
    answer = () => 302;
    await operation('Draining');
    await operation('Done');
    await until(async () => (await told.entries())[0]).toMatchObject({ waiting: 2, problem: 'it answered 302', delivered: 0 });
    await until(() => outcomes.length).toBeGreaterThan(2);
    expect(JSON.stringify(await told.entries())).not.toMatch(/hidden|first line/);
    answer = () => 204;
    await until(() => taken.map(({ event }) => event.phase)).toEqual(['Draining', 'Done']);
    expect(outcomes.slice(0, 3)).toEqual(['chat failed', 'chat failed', 'chat failed']);
  });

  it('goes on where a hub that died left off, and is not sent twice by two', async () => {
    const first = new AbortController();
    const dying = notifier([sink], first.signal);
    answer = () => 500;
    await dying.look();
    await operation('Draining');
    await dying.look();
    await operation('Done');
    first.abort();
    expect(taken).toEqual([]);
    answer = () => 200;
    for (const _ of [1, 2, 3]) start(notifier());
    await until(() => taken.map(({ event }) => event.phase)).toEqual(['Draining', 'Done']);
    await until(() => querySql(dsn, 'SELECT id FROM notifications').then((rows) => rows.length)).toBe(0);
    expect(taken).toHaveLength(2);
  });

  it('tells each sink what it asked for, and one that is away keeps nobody else waiting', async () => {
    const url = sink.url;
    const away = { name: 'away', url: 'http://127.0.0.1:1/' };
    const told = start(notifier([away, { name: 'done', url, phases: ['Done'] }, { name: 'freezes', url, kinds: ['Freeze'] }]));
    await until(() => querySql(dsn, 'SELECT 1 FROM notification_progress').then((rows) => rows.length)).toBe(1);
    await operation('Draining');
    await operation('Done');
    await freeze('christmas');
    await until(() => taken.length).toBe(2);
    expect(taken.map(({ event }) => event.phase ?? event.kind).sort()).toEqual(['Done', 'Freeze']);
    expect(taken[0]?.headers).not.toHaveProperty(SIGNATURE_HEADER);
    await until(async () => (await told.entries())[0]).toMatchObject({
      name: 'away',
      waiting: 3,
      problem: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('tells a sink of several resources at once, of each one after the other, and waits for no other sink', async () => {
    const held: NotificationEvent[] = [];
    const { promise: released, resolve: release } = Promise.withResolvers<number>();
    answer = (event, path) => {
      if (path !== '/slow') return 200;
      held.push(event);
      return released;
    };
    const origin = new URL(sink.url).origin;
    start(notifier([{ name: 'slow', url: `${origin}/slow` }, sink]));
    await until(() => querySql(dsn, 'SELECT 1 FROM notification_progress').then((rows) => rows.length)).toBe(1);
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const phase of ['Draining', 'Done']) for (const name of names) await operation(phase, '', name);
    const toldOf = (path: string, name: string) => [
      ...new Set(taken.flatMap(({ event, url }) => (url.startsWith(path) && event.name === name ? [event.phase] : []))),
    ];
    for (const name of names) await until(() => toldOf('/hook', name)).toEqual(['Draining', 'Done']);
    await until(() => held.length).toBeGreaterThanOrEqual(4);
    expect(new Set(held.slice(0, 4).map(({ name }) => name)).size).toBe(4);
    expect(held.length - outcomes.filter((one) => one === 'slow failed').length).toBeLessThanOrEqual(4);
    release(200);
    for (const name of names) await until(() => toldOf('/slow', name)).toEqual(['Draining', 'Done']);
  });

  it('tells a sink with a certificate of a private CA, and no other that says it is that sink', async () => {
    const [ours, theirs] = [await createAuthority('ours'), await createAuthority('theirs')];
    const caFile = join(folder, 'ca.pem');
    await writeFile(caFile, ours.certificate);
    const open = async (authority: typeof ours): Promise<[Server, WebhookSink]> => {
      const { certificate: cert, key } = await authority.issue(['localhost']);
      const one = createTlsServer({ cert, key }, take);
      await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve));
      return [
        one,
        { name: authority === ours ? 'ours' : 'theirs', url: `https://localhost:${(one.address() as AddressInfo).port}/`, caFile },
      ];
    };
    const [[good, goodSink], [bad, badSink]] = [await open(ours), await open(theirs)];
    const told = start(notifier([goodSink, badSink]));
    await until(() => querySql(dsn, 'SELECT 1 FROM notification_progress').then((rows) => rows.length)).toBe(1);
    await operation('Draining');
    await until(() => taken.length).toBe(1);
    await until(async () => (await told.entries())[1]).toMatchObject({
      delivered: 0,
      waiting: 1,
      problem: expect.stringMatching(/certificate/),
    });
    for (const one of [good, bad]) await new Promise((resolve) => one.close(resolve).closeAllConnections());
  });

  it('does not send unsigned what was to be signed', async () => {
    const told = start(notifier([{ ...sink, secretFile: join(folder, 'nothing') }]));
    await until(() => querySql(dsn, 'SELECT 1 FROM notification_progress').then((rows) => rows.length)).toBe(1);
    await operation('Draining');
    await until(async () => (await told.entries())[0]?.problem).toMatch(/ENOENT/);
    expect(taken).toEqual([]);
  });

  it('gives up what is too old or too much, shows that, and goes on', async () => {
    const told = notifier();
    answer = () => 500;
    await told.look();
    for (const phase of ['a', 'b', 'c']) await operation(phase);
    await told.look();
    await querySql(
      dsn,
      "UPDATE notifications SET created_at = created_at - interval '25 hours', next_at = now() WHERE event ->> 'phase' = 'a'",
    );
    await told.look();
    expect(outcomes.at(-1)).toBe('chat given-up');
    expect(await hub.core.database.transaction((tx) => trimNotifications(tx, 1))).toEqual(new Map([['chat', 1]]));
    expect((await told.entries())[0]).toMatchObject({ waiting: 1, givenUp: 2 });
    answer = () => 200;
    await told.look();
    expect(taken.map(({ event }) => event.phase)).toEqual(['c']);
    await querySql(dsn, "UPDATE notifications SET created_at = created_at - interval '8 days'");
    await hub.core.database.transaction((tx) => trimNotifications(tx));
    expect((await told.entries())[0]).toMatchObject({ waiting: 0, givenUp: 0, delivered: 1 });
  });
});
