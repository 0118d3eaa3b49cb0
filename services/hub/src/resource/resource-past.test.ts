/** Paging under writers, history, rollback, and rows that came into the database by another way. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ApiBody, startTestHub, type TestHub } from '../../../../test/kit/hub-core.ts';
import { querySql, startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import { watchFrom } from './watch/watch-client-fixture.ts';

const ROOT = '/apis/networking.istio.io/v1';
let postgres: TestPostgres;
let hub: TestHub;
let dsn: string;
beforeAll(async () => {
  postgres = await startTestPostgres();
  dsn = await postgres.database();
  hub = await startTestHub(dsn);
});
afterAll(async () => {
  await hub.stop();
  await postgres.stop();
});

let counter = 0;
function fresh(): { readonly namespace: string; readonly rules: string } {
  counter += 1;
  return { namespace: `p-${counter}`, rules: `${ROOT}/namespaces/p-${counter}/destinationrules` };
}

function rule(name: string, subset = 'v1', labels: object = {}): object {
  const spec = { host: 'reviews', subsets: [{ name: subset }] };
  return { apiVersion: 'networking.istio.io/v1', kind: 'DestinationRule', metadata: { name, labels }, spec };
}

const sql = (text: string, values: readonly unknown[] = []) => querySql(dsn, text, values);

/** Writes as the API does them, in one statement: 1,200 requests would take long on a busy machine. */
async function copies(namespace: string, name: string, count: number): Promise<void> {
  await sql(
    `WITH start AS (UPDATE hub_meta SET revision = revision + $3 RETURNING revision - $3 AS revision),
      made AS (INSERT INTO resources SELECT kind, namespace, 'r-' || lpad(n::text, 4, '0'), gen_random_uuid(), 1, start.revision + n, labels, annotations, spec, created_at
        FROM resources, start, generate_series(1, $3::int) n WHERE namespace = $1 AND name = $2 RETURNING *)
    INSERT INTO history (revision, kind, namespace, name, action, actor, at, resource, trace_id)
      SELECT made.revision, made.kind, made.namespace, made.name, 'create', 'test', now(),
        jsonb_set(h.resource, '{metadata}', h.resource->'metadata' || jsonb_build_object('name', made.name, 'uid', made.uid, 'resourceVersion', made.revision::text)), ''
      FROM made, history h WHERE h.namespace = $1 AND h.name = $2`,
    [namespace, name, count],
  );
}

const names = (body: ApiBody): readonly string[] => (body.items ?? []).map(({ metadata }) => metadata?.name ?? '');

/** Everything that a write leaves behind, in one figure for each place. */
function traces(): Promise<readonly Record<string, unknown>[]> {
  return sql(`SELECT (SELECT revision FROM hub_meta), (SELECT count(*) FROM history) AS history, (SELECT count(*) FROM outbox) AS outbox,
    (SELECT count(*) FROM audit) AS audit, (SELECT md5(string_agg(r::text, ',' ORDER BY kind, namespace, name)) FROM resources r) AS rows`);
}

describe('a dry run', () => {
  it('of every verb answers as the write would, and leaves nothing behind', async () => {
    const { namespace, rules } = fresh();
    const { body: made } = await hub.call('POST', rules, rule('a'));
    await hub.call('PUT', `${rules}/a`, rule('a', 'v2'));
    const before = await traces();
    const body = { ...rule('a', 'v3'), metadata: { name: 'a', namespace } };
    const answers = [
      await hub.call('POST', `${rules}?dryRun=All`, rule('b')),
      await hub.call('PUT', `${rules}/a?dryRun=All`, rule('a', 'v3')),
      await hub.call('PATCH', `${rules}/a?dryRun=All`, { spec: { subsets: [{ name: 'v3' }] } }),
      await hub.call('POST', `${rules}/a/rollback?dryRun=All`, { revision: Number(made.metadata?.resourceVersion) }),
      await hub.call('DELETE', `${rules}/a?dryRun=All`),
      await hub.call('POST', '/hawser/v1/apply', { dryRun: true, resources: [body] }),
    ];
    expect(answers.map(({ code }) => code)).toEqual([201, 200, 200, 200, 200, 200]);
    const subsets = answers.slice(0, 4).map((answer) => (answer.body.spec as { subsets: readonly { name: string }[] }).subsets[0]?.name);
    expect(subsets).toEqual(['v1', 'v3', 'v3', 'v1']);
    // Refused as they would be without it.
    expect((await hub.call('POST', `${rules}?dryRun=All`, rule('a'))).code).toBe(409);
    expect((await hub.call('DELETE', `${rules}/none?dryRun=All`)).code).toBe(404);
    expect((await hub.call('PUT', `${rules}/a?dryRun=some`, rule('a'))).code).toBe(400);
    expect((await hub.call('GET', rules)).body.items?.map(({ spec }) => spec)).toEqual([{ host: 'reviews', subsets: [{ name: 'v2' }] }]);
    const after = await traces();
    // Refusals of writes are audited, dry or not.
    const unaudited = ([row]: typeof before) => ({ ...row, audit: undefined });
    expect(unaudited(after)).toEqual(unaudited(before));
  });
});

const SELECTORS = [
  ['team=web', ['a']],
  ['team==web', ['a']],
  ['team!=web', ['b', 'c']],
  ['team in (web,core)', ['a', 'b']],
  ['team notin (web)', ['b', 'c']],
  ['team', ['a', 'b']],
  ['!team', ['c']],
  ['tier=1,team in (web,core)', ['b']],
  ['tier notin (1),team', ['a']],
  ['', ['a', 'b', 'c']],
] as const;

describe('label selectors', () => {
  it('choose the same in lists and in watches', async () => {
    const { rules } = fresh();
    await hub.call('POST', rules, rule('a', 'v1', { team: 'web' }));
    await hub.call('POST', rules, rule('b', 'v1', { team: 'core', tier: '1' }));
    await hub.call('POST', rules, rule('c', 'v1', { tier: '1' }));
    const url = await served();
    const chosen = async (labelSelector: string) => {
      const query = new URLSearchParams({ labelSelector });
      const listed = names((await hub.call('GET', `${rules}?${query}`)).body);
      const { events, ended } = await watchFrom(`${url}${rules}?${query}&watch=true&timeoutSeconds=1`, hub.adminToken);
      expect(await ended).toBe(true);
      return { listed, watched: events.filter(({ type }) => type === 'ADDED').map(({ object }) => object.metadata.name) };
    };
    const answers = await Promise.all(SELECTORS.map(([selector]) => chosen(selector)));
    expect(answers).toEqual(SELECTORS.map(([, expected]) => ({ listed: expected, watched: expected })));
  });
});

let listening: Promise<string> | undefined;
function served(): Promise<string> {
  listening ??= hub.core.listen();
  return listening;
}

describe('pages', () => {
  it('of 1,200 resources are one consistent list while others write', async () => {
    const { namespace, rules } = fresh();
    const name = (index: number): string => `r-${String(index).padStart(4, '0')}`;
    const all = Array.from({ length: 1200 }, (_, index) => name(index));
    await hub.call('POST', rules, rule(name(0)));
    await copies(namespace, name(0), all.length - 1);
    const first = await hub.call('GET', `${rules}?limit=250`);
    expect(first.body.metadata).toMatchObject({ remainingItemCount: 950 });
    const read = [...(first.body.items ?? [])];
    let token = first.body.metadata?.continue;
    for (let page = 1; token !== undefined; page += 1) {
      const [changed, gone, added] = [name(1200 - page), name(1150 - page), `s-${page}`];
      await Promise.all([
        hub.call('PUT', `${rules}/${changed}`, rule(changed, 'v2')),
        hub.call('DELETE', `${rules}/${gone}`),
        hub.call('POST', rules, rule(added)),
      ]);
      const { code, body } = await hub.call('GET', `${rules}?limit=250&continue=${token}`);
      expect(code).toBe(200);
      expect(body.metadata?.resourceVersion).toBe(first.body.metadata?.resourceVersion);
      read.push(...(body.items ?? []));
      token = body.metadata?.continue;
    }
    expect(read.map(({ metadata }) => metadata?.name)).toEqual(all);
    expect(read.every(({ spec }) => JSON.stringify(spec).includes('v1'))).toBe(true);
    const now = await hub.call('GET', `${rules}?limit=1000`);
    const rest = await hub.call('GET', `${rules}?limit=1000&continue=${now.body.metadata?.continue}`);
    expect(names(now.body).length + names(rest.body).length).toBe(1200);
    expect(await sql('SELECT count(*)::int AS rows FROM resources WHERE namespace = $1', [namespace])).toEqual([{ rows: 1200 }]);
  }, 90_000);

  it('of a selector stay as they were; one that cannot be shown any more is Expired', async () => {
    const { rules } = fresh();
    for (const one of ['a', 'b', 'c', 'd']) await hub.call('POST', rules, rule(one, 'v1', { team: 'web' }));
    const first = await hub.call('GET', `${rules}?limit=2&labelSelector=team%3Dweb`);
    await hub.call('PATCH', `${rules}/c`, { metadata: { labels: { team: 'core' } } });
    await hub.call('POST', rules, rule('e', 'v1', { team: 'web' }));
    const next = `${rules}?limit=2&labelSelector=team%3Dweb&continue=${first.body.metadata?.continue}`;
    expect(names((await hub.call('GET', next)).body)).toEqual(['c', 'd']);
    const floor = Number(first.body.metadata?.resourceVersion) + 1;
    await sql('UPDATE history_floor SET revision = $1', [floor]);
    expect(await hub.call('GET', next)).toMatchObject({ code: 410, body: { reason: 'Expired' } });
    await sql('UPDATE history_floor SET revision = 0');
  });
});

interface PastBody extends ApiBody {
  readonly items?: readonly (ApiBody & {
    readonly revision: number;
    readonly action: string;
    readonly reason?: string;
    readonly resource: ApiBody;
  })[];
}

describe('the past', () => {
  it('is told newest first, page by page, also of what was deleted', async () => {
    const { rules } = fresh();
    for (const subset of ['v1', 'v2', 'v3'])
      await hub.call(subset === 'v1' ? 'POST' : 'PUT', `${rules}${subset === 'v1' ? '' : '/a'}`, rule('a', subset));
    await hub.call('DELETE', `${rules}/a`);
    const whole = (await hub.call('GET', `${rules}/a/history`)).body as PastBody;
    expect(whole.items?.map(({ action }) => action)).toEqual(['delete', 'update', 'update', 'create']);
    expect(whole.items?.[1]).toMatchObject({ actor: 'admin', generation: 3, resource: { spec: { subsets: [{ name: 'v3' }] } } });
    const page = (await hub.call('GET', `${rules}/a/history?limit=3`)).body as PastBody;
    const rest = (await hub.call('GET', `${rules}/a/history?limit=3&continue=${page.metadata?.continue}`)).body as PastBody;
    expect([...(page.items ?? []), ...(rest.items ?? [])]).toEqual(whole.items);
    expect(rest.metadata).not.toHaveProperty('continue');
    expect((await hub.call('GET', `${rules}/none/history`)).code).toBe(404);
  });

  it('can be gone back to: the one before, any one, and from a deletion', async () => {
    const { rules } = fresh();
    const subset = (body: ApiBody): string => JSON.stringify(body.spec).replace(/.*"name":"(v\d)".*/, '$1');
    const first = (await hub.call('POST', rules, rule('a', 'v1'))).body.metadata?.resourceVersion;
    await hub.call('PUT', `${rules}/a`, rule('a', 'v2'));
    const third = (await hub.call('PUT', `${rules}/a`, rule('a', 'v3'))).body.metadata?.resourceVersion;
    const dry = await hub.call('POST', `${rules}/a/rollback?dryRun=All`, {});
    expect([dry.code, subset(dry.body)]).toEqual([200, 'v2']);
    expect((await hub.call('GET', `${rules}/a`)).body.metadata?.resourceVersion).toBe(third);
    expect(subset((await hub.call('POST', `${rules}/a/rollback`, {})).body)).toBe('v2');
    const back = await hub.call('POST', `${rules}/a/rollback`, { revision: Number(first) });
    expect([subset(back.body), back.body.metadata?.generation]).toEqual(['v1', 5]);
    await hub.call('DELETE', `${rules}/a`);
    const again = await hub.call('POST', `${rules}/a/rollback`, {});
    expect([again.code, subset(again.body)]).toEqual([200, 'v1']);
    const past = (await hub.call('GET', `${rules}/a/history`)).body as PastBody;
    expect(past.items?.slice(0, 3).map(({ action, reason }) => [action, reason])).toEqual([
      ['create', `rollback to revision ${back.body.metadata?.resourceVersion}`],
      ['delete', undefined],
      ['update', `rollback to revision ${first}`],
    ]);
  });

  it('is refused where today’s rules forbid it, or there is nothing to go back to', async () => {
    const { namespace, rules } = fresh();
    const first = Number((await hub.call('POST', rules, rule('a', 'v1'))).body.metadata?.resourceVersion);
    expect((await hub.call('POST', `${rules}/a/rollback`, {})).code).toBe(404);
    const second = await hub.call('PUT', `${rules}/a`, rule('a', 'v2'));
    await sql(`UPDATE history SET resource = jsonb_set(resource, '{spec}', '{"host": ""}') WHERE revision = $1`, [first]);
    expect(await hub.call('POST', `${rules}/a/rollback`, { revision: first })).toMatchObject({ code: 422, body: { reason: 'Invalid' } });
    expect((await hub.call('POST', `${rules}/a/rollback`, { revision: 1_000_000 })).code).toBe(404);
    for (const body of [{ revision: 'x' }, { to: 3 }, [], { revision: 0 }])
      expect((await hub.call('POST', `${rules}/a/rollback`, body)).code).toBe(400);
    const stale = { revision: Number(second.body.metadata?.resourceVersion), resourceVersion: String(first) };
    expect((await hub.call('POST', `${rules}/a/rollback`, stale)).code).toBe(409);
    expect((await hub.call('POST', `/apis/hawser.dev/v1alpha1/jointokens/${namespace}/rollback`, {})).code).toBe(405);
  });
});

describe('a row that somebody wrote straight into the database', () => {
  it.each([
    ['null', '{}', '{}'],
    ['{}', '{}', '{}'],
    ['{"host": "reviews", "subsets": null}', '{}', '{}'],
    ['{"host": "reviews"}', 'null', '{}'],
    ['{"host": "reviews"}', '{"a": 1}', '{}'],
    ['[]', '[]', '[]'],
  ])('spec %s, labels %s: is named and shown, and takes nothing else with it', async (spec, labels, annotations) => {
    const { namespace, rules } = fresh();
    await hub.call('POST', rules, rule('good'));
    await hub.call('POST', rules, rule('broken', 'v7'));
    await sql(`UPDATE resources SET spec = $2, labels = $3, annotations = $4 WHERE namespace = $1 AND name = 'broken'`, [
      namespace,
      spec,
      labels,
      annotations,
    ]);
    await sql(
      `INSERT INTO resources SELECT kind, namespace, 'stranger', gen_random_uuid(), 1, revision, labels, annotations, spec, created_at FROM resources
      WHERE namespace = $1 AND name = 'broken'`,
      [namespace],
    );
    const { code, body } = await hub.call('GET', rules);
    expect([code, names(body)]).toEqual([200, ['broken', 'good', 'stranger']]);
    expect(body.items?.[0]?.status?.conditions).toMatchObject([
      { type: 'Accepted', status: 'False', message: expect.stringMatching(/spec|labels/) },
    ]);
    expect((await hub.call('GET', `${rules}/stranger`)).code).toBe(200);
    // What clusters have of it stays as it was; the stranger was never theirs.
    const { resources } = await hub.core.readModel.snapshot();
    const desired = resources.filter(({ metadata }) => metadata.namespace === namespace);
    expect(desired.map(({ metadata }) => metadata.name)).toEqual(['broken', 'good']);
    expect(JSON.stringify(desired[0]?.spec)).toContain('v7');
    // Others are written and refer as before, and the broken one is mended by an apply.
    const route = { hosts: ['reviews'], http: [{ route: [{ destination: { host: 'reviews', subset: 'v1' } }] }] };
    const routes = rules.replace('destinationrules', 'virtualservices');
    const vs = { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { name: 'a' }, spec: route };
    expect((await hub.call('POST', routes, vs)).code).toBe(201);
    expect((await hub.call('PUT', `${rules}/broken`, rule('broken', 'v8'))).code).toBe(200);
    expect((await hub.call('DELETE', `${rules}/stranger`)).code).toBe(200);
    expect((await hub.call('GET', rules)).body.items?.[0]?.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Accepted', status: 'True' }),
    );
  });

  it('of an unknown kind stops nothing', async () => {
    const { namespace } = fresh();
    await sql(`INSERT INTO resources VALUES ('Nonsense', $1, 'x', gen_random_uuid(), 1, 1, '{}', '{}', '{}', now())`, [namespace]);
    const { resources } = await hub.core.readModel.snapshot();
    expect(resources.some(({ kind }) => kind === 'Nonsense')).toBe(false);
    expect(resources.length).toBeGreaterThan(0);
  });
});
