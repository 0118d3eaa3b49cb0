/** Watches on real PostgreSQL and real sockets: what they tell is the committed log, whatever happens to the watcher. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestHub, type TestHub, UNKNOWN_FLEET } from '../../../../../test/kit/hub-core.ts';
import { querySql, startTestPostgres, type TestPostgres } from '../../../../../test/kit/postgres.ts';
import type { Condition } from '../../hub-core.ts';
import { briefly, type WatchedEvent, watchFrom } from './watch-client-fixture.ts';

const ROOT = '/apis/networking.istio.io/v1';
let postgres: TestPostgres;
let dsn: string;
let hubs: readonly TestHub[];
let urls: readonly string[];
let programmed: Condition['status'] = 'Unknown';
const changed = new Set<() => void>();

beforeAll(async () => {
  postgres = await startTestPostgres();
  dsn = await postgres.database();
  const fleet = {
    ...UNKNOWN_FLEET,
    conditionsOf: (): readonly Condition[] => [{ type: 'Programmed', status: programmed, reason: 'Test', message: 'as the test says' }],
    onChange: (listener: () => void) => {
      changed.add(listener);
      return () => changed.delete(listener);
    },
  };
  hubs = [await startTestHub(dsn, { fleet }), await startTestHub(dsn, { fleet, watchBounds: { bookmarkMs: 50, maxWatchers: 20 } })];
  urls = [await first().core.listen(), (await hubs[1]?.core.listen()) ?? ''];
});
afterAll(async () => {
  for (const hub of hubs) await hub.stop();
  await postgres.stop();
});

function first(): TestHub {
  const [hub] = hubs;
  if (hub === undefined) throw new Error('no hub');
  return hub;
}

let counter = 0;
function fresh(): string {
  counter += 1;
  return `${ROOT}/namespaces/w-${counter}/destinationrules`;
}

function rule(name: string, labels: object = {}, subset = 'v1'): object {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name, labels },
    spec: { host: 'reviews', subsets: [{ name: subset }] },
  };
}

/** Opens a watch on one of the hubs. */
function watch(path: string, query: Record<string, string> = {}, hub = 0, onEvent?: Parameters<typeof watchFrom>[2]) {
  const token = hubs[hub]?.adminToken ?? '';
  return watchFrom(`${urls[hub]}${path}?${new URLSearchParams({ watch: 'true', ...query })}`, token, onEvent);
}

async function write(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<string> {
  const answer = await first().call(method, path, body);
  expect(answer.code, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer.body.metadata?.resourceVersion ?? '';
}

const sql = (text: string, values: readonly unknown[] = []) => querySql(dsn, text, values);

const seen = (events: readonly WatchedEvent[], count: number) =>
  expect.poll(() => briefly(events).length, { timeout: 20_000, interval: 10 }).toBeGreaterThanOrEqual(count);

describe('a watch', () => {
  it('begins with what there is, and goes on with every change, in order', async () => {
    const rules = fresh();
    const a = await write('POST', rules, rule('a'));
    const { events, cut, code } = await watch(rules);
    expect(code).toBe(200);
    await seen(events, 1);
    const b = await write('POST', rules, rule('b'));
    const changedTo = await write('PUT', `${rules}/a`, rule('a', {}, 'v2'));
    const gone = await write('DELETE', `${rules}/b`);
    await seen(events, 4);
    expect(briefly(events)).toEqual([`ADDED a@${a}`, `ADDED b@${b}`, `MODIFIED a@${changedTo}`, `DELETED b@${gone}`]);
    expect(events[0]?.object.status).toMatchObject({ conditions: expect.arrayContaining([expect.objectContaining({ type: 'Accepted' })]) });
    cut();
  });

  it('resumes from any revision, on any hub, also from before the hub began to read', async () => {
    const rules = fresh();
    const start = await write('POST', rules, rule('a'));
    const [b, c] = [await write('POST', rules, rule('b')), await write('DELETE', `${rules}/a`)];
    for (const hub of [0, 1]) {
      const { events, cut } = await watch(rules, { resourceVersion: start }, hub);
      // The status of what the watcher knows may be told again; the log is not.
      const log = (): readonly string[] => briefly(events).filter((event) => event !== `MODIFIED a@${start}`);
      await expect.poll(log, { timeout: 20_000 }).toEqual([`ADDED b@${b}`, `DELETED a@${c}`]);
      cut();
    }
  });

  it('of a selector tells when something begins and ends to match', async () => {
    const rules = fresh();
    const { events, cut } = await watch(rules, { labelSelector: 'team in (web)' });
    const revisions = [
      await write('POST', rules, rule('a', { team: 'core' })),
      await write('PUT', `${rules}/a`, rule('a', { team: 'web' })),
      await write('PUT', `${rules}/a`, rule('a', { team: 'web' }, 'v2')),
      await write('PUT', `${rules}/a`, rule('a', { team: 'core' }, 'v2')),
      await write('DELETE', `${rules}/a`),
      await write('POST', rules, rule('a', { team: 'web' })),
    ];
    await seen(events, 4);
    expect(briefly(events)).toEqual([
      `ADDED a@${revisions[1]}`,
      `MODIFIED a@${revisions[2]}`,
      `DELETED a@${revisions[3]}`,
      `ADDED a@${revisions[5]}`,
    ]);
    cut();
  });

  it('of one name tells of that one alone', async () => {
    const rules = fresh();
    const { events, cut } = await watch(rules, { fieldSelector: 'metadata.name=b' });
    await write('POST', rules, rule('a'));
    const b = await write('POST', rules, rule('b'));
    await seen(events, 1);
    expect(briefly(events)).toEqual([`ADDED b@${b}`]);
    cut();
    const listed = await first().call('GET', `${rules}?fieldSelector=metadata.name%3Db`);
    expect(listed.body.items?.map(({ metadata }) => metadata?.name)).toEqual(['b']);
  });

  it('tells of a status that changed without a write, with the revision it had', async () => {
    const rules = fresh();
    programmed = 'Unknown';
    const a = await write('POST', rules, rule('a'));
    const { events, cut } = await watch(rules);
    await seen(events, 1);
    programmed = 'True';
    for (const listener of changed) listener();
    await seen(events, 2);
    expect(briefly(events)).toEqual([`ADDED a@${a}`, `MODIFIED a@${a}`]);
    expect(events[1]?.object.status).toMatchObject({
      conditions: expect.arrayContaining([expect.objectContaining({ type: 'Programmed', status: 'True' })]),
    });
    cut();
    programmed = 'False';
    for (const listener of changed) listener();
    const resumed = await watch(rules, { resourceVersion: a });
    await expect
      .poll(() => JSON.stringify(resumed.events.at(-1)?.object.status ?? ''), { timeout: 20_000 })
      .toContain('"type":"Programmed","status":"False"');
    resumed.cut();
  });

  it('gives bookmarks that can be resumed from, and ends cleanly when its time is over', async () => {
    const rules = fresh();
    const other = fresh();
    const { events, ended } = await watch(rules, { allowWatchBookmarks: 'true', timeoutSeconds: '1' }, 1);
    const elsewhere = await write('POST', other, rule('a'));
    expect(await ended).toBe(true);
    const last = events.at(-1);
    expect(last?.type).toBe('BOOKMARK');
    expect(last?.object).toMatchObject({ kind: 'DestinationRule', apiVersion: 'networking.istio.io/v1' });
    expect(Number(last?.object.metadata.resourceVersion)).toBeGreaterThanOrEqual(Number(elsewhere));
    expect(events.length).toBeGreaterThan(2);
  });

  it.each([
    [{ resourceVersion: '999999999' }, 410, 'Expired'],
    [{ resourceVersion: 'x' }, 400, 'BadRequest'],
    [{ limit: '3' }, 400, 'BadRequest'],
    [{ fieldSelector: 'spec.host=a' }, 400, 'BadRequest'],
    [{ watch: 'perhaps' }, 400, 'BadRequest'],
    [{ timeoutSeconds: '-1' }, 400, 'BadRequest'],
  ])('with %j is refused', async (query, code, reason) => {
    const answer = await first().call('GET', `${fresh()}?${new URLSearchParams({ watch: 'true', ...query } as Record<string, string>)}`);
    expect(answer).toMatchObject({ code, body: { kind: 'Status', reason } });
  });

  it('of what is derived is refused, and so is one too many', async () => {
    expect(await first().call('GET', '/apis/multicluster.x-k8s.io/v1beta1/serviceimports?watch=1')).toMatchObject({ code: 405 });
    const rules = fresh();
    const open = await Promise.all(Array.from({ length: 20 }, () => watch(rules, {}, 1)));
    const more = await hubs[1]?.call('GET', `${rules}?watch=true`);
    expect(more).toMatchObject({ code: 429, body: { reason: 'TooManyRequests' } });
    for (const { cut } of open) cut();
    const opened = async (): Promise<number> => {
      const { code, cut } = await watch(rules, {}, 1);
      cut();
      return code;
    };
    await expect.poll(opened, { timeout: 20_000 }).toBe(200);
  });
});

describe('a log that does not go on', () => {
  it('ends watches with 410, at the start and in mid-stream; to list again helps', async () => {
    const rules = fresh();
    const old = await write('POST', rules, rule('a'));
    const open = await watch(rules);
    await seen(open.events, 1);
    // As after a restore: another life of the database.
    await sql('UPDATE hub_meta SET epoch = epoch + 1');
    const next = await write('POST', rules, rule('b'));
    expect(await open.ended).toBe(true);
    expect(open.events.at(-1)).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
    await sql('UPDATE history_floor SET revision = $1', [next]);
    const third = await startTestHub(dsn);
    expect(await third.call('GET', `${rules}?watch=true&resourceVersion=${old}`)).toMatchObject({ code: 410, body: { reason: 'Expired' } });
    await third.stop();
    const list = await first().call('GET', rules);
    const again = await watch(rules, { resourceVersion: list.body.metadata?.resourceVersion ?? '' });
    const c = await write('POST', rules, rule('c'));
    await expect.poll(() => briefly(again.events), { timeout: 20_000 }).toContain(`ADDED c@${c}`);
    again.cut();
  });
});

describe('writers, and watchers that are cut off at random', () => {
  it('each watcher sees exactly the log of its selector, in order', async () => {
    const rules = fresh();
    const namespace = rules.split('/')[5] ?? '';
    const start = (await first().call('GET', rules)).body.metadata?.resourceVersion ?? '0';
    let writing = true;
    const selectors = ['', 'team=a', 'team!=a', 'odd', '!odd,team in (a,b)'];
    const watchers = selectors.map((labelSelector, index) => follow(rules, { labelSelector, start, hub: index % 2, done: () => !writing }));
    await Promise.all(Array.from({ length: 6 }, (_, index) => writeAtRandom(rules, index)));
    writing = false;
    const [{ last } = { last: '0' }] = (await sql('SELECT revision AS last FROM hub_meta')) as { last: string }[];
    const log = await sql('SELECT revision, name, action, resource FROM history WHERE namespace = $1 AND revision > $2 ORDER BY revision', [
      namespace,
      start,
    ]);
    expect(log.length).toBeGreaterThan(150);
    const matches = [
      () => true,
      (labels: Labels) => labels['team'] === 'a',
      (labels: Labels) => labels['team'] !== 'a',
      (labels: Labels) => labels['odd'] !== undefined,
      (labels: Labels) => labels['odd'] === undefined && (labels['team'] === 'a' || labels['team'] === 'b'),
    ];
    for (const [index, watcher] of watchers.entries()) {
      const { told, cuts } = await watcher(Number(last));
      expect(told, selectors[index]).toEqual(expected(log, matches[index] ?? (() => true)));
      expect(cuts).toBeGreaterThan(2);
    }
  }, 60_000);
});

type Labels = Readonly<Record<string, string>>;

/** What a watcher of the whole log must be told, worked out plainly. */
function expected(log: readonly Record<string, unknown>[], matches: (labels: Labels) => boolean): readonly string[] {
  const shown = new Set<unknown>();
  return log.flatMap(({ revision, name, action, resource }) => {
    const { metadata } = resource as { metadata: { labels?: Labels } };
    const isIn = action !== 'delete' && matches(metadata.labels ?? {});
    const was = shown.has(name);
    if (isIn) shown.add(name);
    else shown.delete(name);
    if (!isIn && !was) return [];
    return [`${isIn ? (was ? 'MODIFIED' : 'ADDED') : 'DELETED'} ${name}@${revision}`];
  });
}

async function writeAtRandom(rules: string, writer: number): Promise<void> {
  for (let step = 0; step < 40; step += 1) {
    const name = `r-${Math.floor(Math.random() * 8)}`;
    const team = ['a', 'b', 'c'][Math.floor(Math.random() * 3)] ?? 'a';
    const labels = { team, ...(Math.random() < 0.5 ? { odd: 'yes' } : {}) };
    const body = rule(name, labels, `s${writer}-${step}`);
    const hub = hubs[writer % 2] ?? first();
    const made = await hub.call('POST', rules, body);
    if (made.code !== 409) continue;
    if (Math.random() < 0.3) await hub.call('DELETE', `${rules}/${name}`);
    else await hub.call('PUT', `${rules}/${name}`, body);
  }
}

/** Follows from `start`, cut off after a few events each time, and resumes where it was, on the other hub. Resolves at `until`. */
function follow(
  rules: string,
  options: { readonly labelSelector: string; readonly start: string; readonly hub: number; readonly done: () => boolean },
): (until: number) => Promise<{ readonly told: readonly string[]; readonly cuts: number }> {
  const told: string[] = [];
  let [position, cuts, until] = [Number(options.start), 0, Number.POSITIVE_INFINITY];
  const statusOnly = new Set<string>();
  const run = async (): Promise<void> => {
    for (let hub = options.hub; position < until; hub = 1 - hub) {
      let left = 1 + Math.floor(Math.random() * 12);
      const query = {
        labelSelector: options.labelSelector,
        resourceVersion: String(position),
        allowWatchBookmarks: 'true',
        timeoutSeconds: '1',
      };
      const { ended, code } = await watch(rules, query, hub, (event, cut) => {
        const revision = Number(event.object.metadata.resourceVersion);
        // A status may be told again with the revision that the watcher knows; everything else is new.
        if (event.type !== 'BOOKMARK' && !(event.type === 'MODIFIED' && statusOnly.has(`${event.object.metadata.name}@${revision}`))) {
          told.push(`${event.type} ${event.object.metadata.name}@${revision}`);
          statusOnly.add(`${event.object.metadata.name}@${revision}`);
        }
        position = Math.max(position, revision);
        left -= 1;
        if (left === 0 || position >= until) cut();
      });
      expect(code).toBe(200);
      await ended;
      cuts += 1;
    }
  };
  const running = run();
  return async (last) => {
    until = last;
    await running;
    return { told, cuts };
  };
}
