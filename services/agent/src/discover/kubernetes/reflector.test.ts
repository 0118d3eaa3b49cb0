/** Faults of an API server: whatever it does, nothing that it did not remove is removed, and what it says is taken up again. */

import Type from 'typebox';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { json, ScriptedApiServer } from '../../../../../test/kit/scripted-api-server.ts';
import { ApiClient } from './api-client.ts';
import { objectReader } from './object-facts.ts';
import { REFLECTOR_TIMES, Reflector, type ReflectorTimes } from './reflector.ts';

const PATH = '/apis/example/v1/things';
const OLDER = '/apis/example/v1alpha1/things';
const readThing = objectReader('Thing', Type.Object({ size: Type.Integer() }), ({ size }) => size);
const times = { ...REFLECTOR_TIMES, backoff: { baseMs: 5, maxMs: 50 }, absentMs: 20 };

let server: ScriptedApiServer;
let api: ApiClient;
let reflector: Reflector<number>;
/** What the reflector's owner has. */
let held: Map<string, number | undefined>;
let removals: string[];
let lists: number;
let problem: string | undefined;
let problems: string[];

beforeEach(async () => {
  server = new ScriptedApiServer();
  const url = await server.start();
  api = clientOf(url, 't');
  [held, removals, lists, problem, problems] = [new Map(), [], 0, undefined, []];
  reflector = follow(times);
  for (const [at, name] of ['a', 'b', 'c', 'd', 'e'].entries()) server.put(PATH, name, { size: at });
});

function clientOf(server: URL, token: string | undefined): ApiClient {
  const none = { ca: undefined, clientCertificate: undefined, clientKey: undefined, serverName: undefined };
  return new ApiClient({ ...none, server, insecure: false, bearer: () => token });
}

function follow(times: ReflectorTimes): Reflector<number> {
  return new Reflector({
    ...{ api, paths: [PATH, OLDER], kind: 'Thing', mayBeAbsent: true, query: {}, pageSize: 2, read: readThing, times },
    onList: (objects) => {
      lists += 1;
      const listed = new Set(objects.map(({ key }) => key));
      for (const key of held.keys()) if (!listed.has(key)) removals.push(key);
      held = new Map(objects.map(({ key, facts }) => [key, facts]));
    },
    onPut: ({ key, facts }) => held.set(key, facts),
    onRemove: (key) => {
      held.delete(key);
      removals.push(key);
    },
    onProblem: (now) => {
      problem = now;
      if (now !== undefined) problems.push(now);
    },
  });
}

afterEach(async () => {
  await reflector.stop();
  api.close();
  await server.stop();
});

const watching = (): Promise<void> => vi.waitFor(() => expect(server.watches(PATH)).toBe(1), { timeout: 20_000 });
const sees = (name: string, size: number | undefined): Promise<void> =>
  vi.waitFor(() => expect(held.get(name)).toBe(size), { timeout: 20_000 });
/** Follows, and after what happens a change is still heard of, with nothing removed in between. */
async function survives(happen: () => void): Promise<void> {
  await reflector.list();
  await watching();
  happen();
  server.put(PATH, 'late', { size: 42 });
  server.fault = () => false;
  await sees('late', 42);
  expect(removals).toEqual([]);
  expect(held.size).toBe(6);
  await vi.waitFor(() => expect(problem).toBeUndefined(), { timeout: 20_000 });
}

describe('following', () => {
  it('lists by pages, then hears of each change', async () => {
    await reflector.list();
    expect([...held]).toEqual([
      ['a', 0],
      ['b', 1],
      ['c', 2],
      ['d', 3],
      ['e', 4],
    ]);
    expect(server.asked.filter((one) => one.includes('limit=2'))).toHaveLength(3);
    await watching();
    server.put(PATH, 'a', { size: 9 });
    server.delete(PATH, 'b');
    await vi.waitFor(() => expect([held.get('a'), held.has('b')]).toEqual([9, false]), { timeout: 20_000 });
    expect([lists, removals]).toEqual([1, ['b']]);
  });

  it('goes on from a bookmark when the server ends the watch', async () => {
    await reflector.list();
    await watching();
    server.have(PATH, 777);
    server.inject(PATH, `{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"777"}}}\n`);
    server.endWatches(PATH);
    await vi.waitFor(() => expect(server.asked.at(-1)).toContain('resourceVersion=777'), { timeout: 20_000 });
    expect([lists, problems]).toEqual([1, []]);
  });

  it('follows the version of the API that the server has, and waits for one that it has not', async () => {
    await reflector.stop();
    await server.stop();
    const bare = new ScriptedApiServer();
    const [url, problemsOf] = [await bare.start(), [] as string[]];
    const client = clientOf(url, undefined);
    const found: string[][] = [];
    const other = new Reflector({
      ...{
        api: client,
        paths: [PATH, OLDER],
        kind: 'Thing',
        mayBeAbsent: true,
        query: {},
        pageSize: 2,
        read: readThing,
        times,
        onPut: () => undefined,
        onRemove: () => undefined,
      },
      onList: (objects) => found.push(objects.map(({ key }) => key)),
      onProblem: (now) => now !== undefined && problemsOf.push(now),
    });
    await other.list();
    expect([found[0], other.listed, problemsOf]).toEqual([[], true, []]);
    bare.put(OLDER, 'x', { size: 1 });
    await vi.waitFor(() => expect(found.at(-1)).toEqual(['x']), { timeout: 20_000 });
    await other.stop();
    client.close();
    await bare.stop();
  });
});

describe('faults', () => {
  it('410 Gone: lists anew', async () => {
    await reflector.list();
    await watching();
    const gone = JSON.stringify({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } });
    server.put(PATH, 'late', { size: 1 });
    server.compact();
    server.inject(PATH, `${gone}\n`);
    await vi.waitFor(() => expect(lists).toBe(2), { timeout: 20_000 });
    expect([held.get('late'), removals, problems]).toEqual([1, [], []]);
  });

  it('what went while nobody listened goes with the list', async () => {
    await reflector.list();
    await watching();
    let down = true;
    server.fault = (_url, response) => down && response.destroy() !== undefined;
    server.inject(PATH, '', true);
    server.delete(PATH, 'c');
    server.compact();
    await vi.waitFor(() => expect(problem).toMatch(/^the API server http:/), { timeout: 20_000 });
    expect(held.has('c')).toBe(true);
    down = false;
    await vi.waitFor(() => expect(removals).toEqual(['c']), { timeout: 20_000 });
  });

  it('a watch cut in the middle of an event', () =>
    survives(() => server.inject(PATH, '{"type":"DELETED","object":{"metadata":{"na', true)));
  it('garbage in the watch', () => survives(() => server.inject(PATH, '\u0000garbage\n')));
  it('an event without a version', () => survives(() => server.inject(PATH, '{"type":"DELETED","object":{"metadata":{"name":"a"}}}\n')));
  it('an event without an object', () => survives(() => server.inject(PATH, '{"type":"MODIFIED"}\n')));
  it('an error of unknown kind', () => survives(() => server.inject(PATH, '{"type":"ERROR","object":{"code":500,"message":"etcd"}}\n')));

  const answers: [string, (response: Parameters<typeof json>[0]) => void][] = [
    ['500', (response) => json(response, 500, { kind: 'Status', code: 500, message: 'etcdserver: leader changed' })],
    ['429', (response) => response.setHeader('retry-after', '0') && json(response, 429, { kind: 'Status', code: 429 })],
    ['403', (response) => json(response, 403, { kind: 'Status', code: 403, message: 'things is forbidden' })],
    ['401', (response) => json(response, 401, { kind: 'Status', code: 401 })],
    ['no JSON', (response) => response.writeHead(200).end('<html>proxy login</html>')],
    ['an object that is no list', (response) => json(response, 200, {})],
    ['an empty list of no version', (response) => json(response, 200, { kind: 'ThingList', metadata: {}, items: [] })],
    ['a list of another kind', (response) => json(response, 200, { kind: 'PodList', metadata: { resourceVersion: '999' }, items: [] })],
    [
      'a list of nameless objects',
      (response) => json(response, 200, { kind: 'ThingList', metadata: { resourceVersion: '999' }, items: [{ metadata: {} }, null] }),
    ],
    [
      'a list from before what was heard',
      (response) => json(response, 200, { kind: 'ThingList', metadata: { resourceVersion: '7' }, items: [] }),
    ],
    [
      'a cut answer',
      (response) => response.writeHead(200, { 'content-length': '999' }).write('{"kind":"ThingList","items":[]') && response.destroy(),
    ],
    ['404 of a kind that it had', (response) => json(response, 404, { kind: 'Status', code: 404 })],
  ];
  it.each(answers)('%s for every answer: everything is kept, said, and taken up again', async (_name, answer) => {
    await reflector.list();
    await watching();
    server.fault = (_url, response) => {
      answer(response);
      return true;
    };
    server.inject(PATH, '', true);
    await vi.waitFor(() => expect(problems.length).toBeGreaterThan(2), { timeout: 20_000 });
    const listing = reflector.list();
    await listing;
    expect([held.size, removals]).toEqual([5, []]);
    server.put(PATH, 'late', { size: 42 });
    server.fault = () => false;
    await sees('late', 42);
    expect(removals).toEqual([]);
    await vi.waitFor(() => expect(problem).toBeUndefined(), { timeout: 20_000 });
  });

  it('a right to watch that is missing is said until it is there, though each list is answered', async () => {
    const told: (string | undefined)[] = [];
    const refused = new Reflector({
      ...{ api, paths: [PATH], kind: 'Thing', query: {}, pageSize: 2, read: readThing, times },
      ...{ onList: () => (lists += 1), onPut: () => undefined, onRemove: () => undefined },
      onProblem: (now) => {
        if (told.at(-1) !== now) told.push(now);
      },
    });
    const status = { kind: 'Status', code: 403, reason: 'Forbidden', message: 'things is forbidden: you cannot watch resource "things"' };
    server.fault = (url, response) => url.searchParams.get('watch') === '1' && json(response, 403, status);
    await refused.list();
    await vi.waitFor(() => expect(lists).toBeGreaterThan(5), { timeout: 20_000 });
    expect(told).toEqual([expect.stringMatching(/cannot watch resource "things"; the role of the agent .*upgrade the chart/)]);
    server.fault = () => false;
    await watching();
    server.put(PATH, 'a', { size: 9 });
    await vi.waitFor(() => expect(told.at(-1)).toBeUndefined(), { timeout: 20_000 });
    await refused.stop();
  });

  it('a page that fails: nothing of the list is taken', async () => {
    await reflector.list();
    await watching();
    server.delete(PATH, 'a');
    await vi.waitFor(() => expect(removals).toEqual(['a']), { timeout: 20_000 });
    server.fault = (url, response) => url.searchParams.has('continue') && json(response, 500, {});
    await reflector.list();
    expect([held.size, lists, removals]).toEqual([4, 1, ['a']]);
  });

  it('a page that is too old: the list is asked for whole', async () => {
    server.fault = (url, response) => url.searchParams.has('continue') && json(response, 410, { code: 410, reason: 'Expired' });
    await reflector.list();
    expect([held.size, lists]).toEqual([5, 1]);
  });

  it('a connection that says nothing any more is left, and the watch goes on', async () => {
    await reflector.stop();
    reflector = follow({ ...times, silenceMs: 400 });
    await reflector.list();
    await watching();
    const asked = server.asked.length;
    await vi.waitFor(() => expect(server.asked.length).toBeGreaterThan(asked), { timeout: 20_000 });
    server.put(PATH, 'late', { size: 42 });
    await sees('late', 42);
    expect(removals).toEqual([]);
  });

  it('an open connection on which no answer comes is left', async () => {
    await reflector.stop();
    reflector = follow({ ...times, listMs: 300, openMs: 300 });
    const already = server.asked.length;
    server.fault = () => server.asked.length <= already + 2;
    await reflector.list();
    await sees('e', 4);
    expect(problems[0]).toMatch(/no answer to .* within 0.3 s$/);
  });

  it('a watch on which bytes trickle and no event ends is left, too', async () => {
    await reflector.stop();
    reflector = follow({ ...times, silenceMs: 400 });
    await reflector.list();
    await watching();
    const asked = server.asked.length;
    const trickle = setInterval(() => server.asked.length === asked && server.inject(PATH, ' '), 50);
    await vi.waitFor(() => expect(server.asked.length).toBeGreaterThan(asked), { timeout: 20_000 });
    clearInterval(trickle);
    server.put(PATH, 'late', { size: 42 });
    await sees('late', 42);
    expect(removals).toEqual([]);
  });

  it('a store that was restored from a backup is believed when it stays so', async () => {
    await reflector.stop();
    reflector = follow({ ...times, restoredMs: 300 });
    await reflector.list();
    await watching();
    server.put(PATH, 'since', { size: 1 });
    await sees('since', 1);
    server.restore(101, ['since', 'e']);
    server.endWatches(PATH);
    await vi.waitFor(() => expect(problem).toMatch(/older than 106, .* restored from a backup, what it has counts in 1 s$/), {
      timeout: 20_000,
    });
    expect([held.size, removals]).toEqual([6, []]);
    await vi.waitFor(() => expect(removals).toEqual(['e', 'since']), { timeout: 20_000 });
    server.put(PATH, 'late', { size: 42 });
    await sees('late', 42);
    await vi.waitFor(() => expect(problem).toBeUndefined(), { timeout: 20_000 });
  });

  it('a kind that every server has is not gone because it is not found, even at the first answer', async () => {
    await reflector.stop();
    reflector = new Reflector({
      ...{ api, paths: ['/nowhere'], kind: 'Thing', query: {}, pageSize: 2, read: readThing, times },
      ...{ onList: () => (lists += 1), onPut: () => undefined, onRemove: () => undefined },
      onProblem: (now) => {
        problem = now;
      },
    });
    expect([await reflector.list(), reflector.listed, lists]).toEqual([false, false, 0]);
    await vi.waitFor(() => expect(problem).toMatch(/does not have this kind; its CustomResourceDefinition has to be there/));
  });
});
