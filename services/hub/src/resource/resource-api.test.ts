import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestHub, type TestHub, UNKNOWN_FLEET } from '../../../../test/kit/hub-core.ts';
import { querySql, startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';

let postgres: TestPostgres;
let hub: TestHub;
let dsn: string;
let services: ReadonlyMap<string, ReadonlySet<number>> | undefined;

beforeAll(async () => {
  postgres = await startTestPostgres();
  dsn = await postgres.database();
  hub = await startTestHub(dsn, { fleet: { ...UNKNOWN_FLEET, knownServices: () => services, derived: () => [IMPORT] } });
});
afterAll(async () => {
  await hub.stop();
  await postgres.stop();
});
beforeEach(() => {
  services = undefined;
});

const IMPORT = {
  apiVersion: 'multicluster.x-k8s.io/v1beta1',
  kind: 'ServiceImport',
  metadata: { name: 'reviews', namespace: 'bookinfo' },
  spec: { type: 'ClusterSetIP', ports: [] },
};
const ROOT = '/apis/networking.istio.io/v1';
let counter = 0;

/** A namespace of its own, so that tests do not see each other's resources. */
function fresh(): { readonly namespace: string; readonly rules: string; readonly routes: string } {
  counter += 1;
  const namespace = `ns-${counter}`;
  return {
    namespace,
    rules: `${ROOT}/namespaces/${namespace}/destinationrules`,
    routes: `${ROOT}/namespaces/${namespace}/virtualservices`,
  };
}

function rule(name: string, spec: object = {}, metadata: object = {}): object {
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'DestinationRule',
    metadata: { name, ...metadata },
    spec: { host: 'reviews', ...spec },
  };
}

function route(name: string, destination: object): object {
  const spec = { hosts: ['reviews'], http: [{ route: [{ destination: { host: 'reviews', ...destination } }] }] };
  return { apiVersion: 'networking.istio.io/v1beta1', kind: 'VirtualService', metadata: { name }, spec };
}

const sql = <Row extends object>(text: string, values: readonly unknown[] = []) => querySql<Row>(dsn, text, values);

describe('the verbs', () => {
  it('create, get, replace, patch and delete; generation rises with the spec alone', async () => {
    const { rules, namespace } = fresh();
    const created = await hub.call('POST', rules, rule('a'));
    expect(created).toMatchObject({ code: 201, body: { kind: 'DestinationRule', metadata: { namespace, name: 'a', generation: 1 } } });
    const first = created.body.metadata?.resourceVersion;
    const { status, ...rest } = created.body;
    expect((await hub.call('GET', `${rules}/a`)).body).toMatchObject(rest);
    expect(status?.conditions).toMatchObject([{ type: 'Accepted' }, { type: 'ResolvedRefs' }]);

    const same = await hub.call('PUT', `${rules}/a`, rule('a'));
    expect(same).toMatchObject({ code: 200, body: { metadata: { resourceVersion: first, generation: 1 } } });
    const labelled = await hub.call('PATCH', `${rules}/a`, { metadata: { labels: { team: 'x' } } });
    expect(labelled).toMatchObject({ code: 200, body: { metadata: { generation: 1, labels: { team: 'x' } } } });
    const changed = await hub.call('PATCH', `${rules}/a`, { spec: { subsets: [{ name: 'v1' }] }, metadata: { labels: null } });
    expect(changed.body).toMatchObject({ metadata: { generation: 2 }, spec: { host: 'reviews', subsets: [{ name: 'v1' }] } });
    expect(changed.body.metadata).not.toHaveProperty('labels');

    const removed = await hub.call('DELETE', `${rules}/a`);
    expect(removed.code).toBe(200);
    expect(Number(removed.body.metadata?.resourceVersion)).toBe(Number(changed.body.metadata?.resourceVersion) + 1);
    expect(await hub.call('GET', `${rules}/a`)).toMatchObject({
      code: 404,
      body: { reason: 'NotFound', details: { name: 'a', kind: 'DestinationRule' } },
    });
    const actions = await sql<{ action: string; actor: string }>(
      'SELECT action, actor FROM history WHERE namespace = $1 ORDER BY revision',
      [namespace],
    );
    expect(actions.map(({ action }) => action)).toEqual(['create', 'update', 'update', 'delete']);
    expect(actions[0]?.actor).toBe('admin');
  });

  it('any served version comes in, the first goes out', async () => {
    const { routes } = fresh();
    const old = routes.replace('/v1/', '/v1alpha3/');
    expect(await hub.call('POST', old, route('a', {}))).toMatchObject({ code: 201, body: { apiVersion: 'networking.istio.io/v1' } });
    expect((await hub.call('GET', `${old}/a`)).body).toEqual((await hub.call('GET', `${routes}/a`)).body);
  });

  it('a stale resourceVersion is a Conflict, for every writing verb', async () => {
    const { rules } = fresh();
    const stale = (await hub.call('POST', rules, rule('a'))).body.metadata?.resourceVersion;
    await hub.call('PATCH', `${rules}/a`, { spec: { subsets: [] } });
    for (const answer of [
      await hub.call('PUT', `${rules}/a`, rule('a', {}, { resourceVersion: stale })),
      await hub.call('PATCH', `${rules}/a`, { metadata: { resourceVersion: stale } }),
      await hub.call('DELETE', `${rules}/a?resourceVersion=${stale}`),
    ]) {
      expect(answer).toMatchObject({ code: 409, body: { kind: 'Status', reason: 'Conflict' } });
    }
    expect(await hub.call('POST', rules, rule('a'))).toMatchObject({ code: 409, body: { reason: 'AlreadyExists' } });
  });

  it('dry runs check everything and write nothing', async () => {
    const { rules } = fresh();
    const before = await sql<{ revision: string }>('SELECT revision FROM hub_meta');
    expect((await hub.call('POST', `${rules}?dryRun=All`, rule('a'))).code).toBe(201);
    expect((await hub.call('POST', `${rules}?dryRun=All`, rule('a', { zed: 1 }))).code).toBe(422);
    expect((await hub.call('GET', `${rules}/a`)).code).toBe(404);
    expect(await sql('SELECT revision FROM hub_meta')).toEqual(before);
    expect((await hub.call('POST', `${rules}?dryRun=yes`, rule('a'))).code).toBe(400);
  });

  it('lists by namespace, label and page, and over namespaces', async () => {
    const { rules, namespace } = fresh();
    for (const name of ['a', 'b', 'c', 'd']) {
      await hub.call(
        'POST',
        rules,
        rule(name, {}, { labels: { [`${namespace}`]: name, odd: name === 'a' || name === 'c' ? 'yes' : 'no' } }),
      );
    }
    const names = (items: readonly { readonly metadata?: { readonly name?: string } }[] = []) => items.map((item) => item.metadata?.name);
    expect(names((await hub.call('GET', rules)).body.items)).toEqual(['a', 'b', 'c', 'd']);
    expect(names((await hub.call('GET', `${rules}?labelSelector=odd%3Dyes`)).body.items)).toEqual(['a', 'c']);
    expect(names((await hub.call('GET', `${rules}?labelSelector=odd+notin+(yes),!zzz`)).body.items)).toEqual(['b', 'd']);
    expect(names((await hub.call('GET', `${ROOT}/destinationrules?labelSelector=${namespace}`)).body.items)).toEqual(['a', 'b', 'c', 'd']);
    const first = await hub.call('GET', `${rules}?limit=3`);
    expect(names(first.body.items)).toEqual(['a', 'b', 'c']);
    const second = await hub.call('GET', `${rules}?limit=3&continue=${first.body.metadata?.continue}`);
    expect(names(second.body.items)).toEqual(['d']);
    expect(second.body.metadata).not.toHaveProperty('continue');
    for (const query of ['labelSelector=a+in', 'limit=x', 'continue=zzz', 'fieldSelector=a', 'watch=perhaps']) {
      expect(await hub.call('GET', `${rules}?${query}`)).toMatchObject({ code: 400, body: { reason: 'BadRequest' } });
    }
  });

  it('read-only kinds are listed and not written', async () => {
    const imports = '/apis/multicluster.x-k8s.io/v1beta1/namespaces/bookinfo/serviceimports';
    expect((await hub.call('GET', imports)).body.items).toEqual([IMPORT]);
    expect((await hub.call('GET', `${imports}/reviews`)).body).toEqual(IMPORT);
    expect((await hub.call('GET', `${imports}/none`)).code).toBe(404);
    expect(await hub.call('POST', imports, IMPORT)).toMatchObject({ code: 405, body: { reason: 'MethodNotAllowed' } });
  });
});

/** A field of Istio that Envoy has nothing for. */
const FAULT = { fault: { abort: { http2Error: 'REFUSED_STREAM', httpStatus: 500 } } };

describe('bad input', () => {
  it('unknown and unimplemented fields are refused by name, and nothing stored is lost', async () => {
    const { routes } = fresh();
    await hub.call('POST', routes, route('a', {}));
    const bad = { ...route('a', { zed: 1 }), extra: 1 } as unknown as { spec: { http: object[] } };
    const answer = await hub.call('PUT', `${routes}/a`, { ...bad, spec: { ...bad.spec, http: [{ ...bad.spec.http[0], ...FAULT }] } });
    expect(answer.code).toBe(422);
    expect(answer.body.details?.causes?.map(({ field, reason }) => `${field} ${reason}`).sort()).toEqual([
      'extra UnknownField',
      'spec.http[0].fault.abort.http2Error NotImplemented',
      'spec.http[0].route[0].destination.zed UnknownField',
    ]);
    expect(await hub.call('GET', `${routes}/a`)).toMatchObject({ code: 200, body: { metadata: { generation: 1 } } });
  });

  it('a body that contradicts its path is refused', async () => {
    const { rules } = fresh();
    expect((await hub.call('POST', rules, rule('a', {}, { namespace: 'other' }))).code).toBe(400);
    await hub.call('POST', rules, rule('a'));
    expect((await hub.call('PUT', `${rules}/a`, rule('b'))).code).toBe(400);
    expect((await hub.call('PATCH', `${rules}/a`, { metadata: { name: 'b' } })).code).toBe(400);
  });

  it.each([
    ['{"a":', 'application/json', 400],
    ['{"__proto__": {"x": 1}}', 'application/json', 400],
    ['a: 1', 'application/yaml', 415],
    ['{}', 'application/json\t;x', 422],
    ['', 'application/json', 400],
    ['[]', 'application/json', 422],
    ['null', 'application/json', 422],
    [`{"spec": ${'['.repeat(400)}${']'.repeat(400)}}`, 'application/json', 422],
    [`{"spec": ${'['.repeat(500_000)}${']'.repeat(500_000)}}`, 'application/json', 400],
  ])('body %# is answered in the shape of a Status', async (payload, type, code) => {
    const headers = { authorization: `Bearer ${hub.adminToken}`, 'content-type': type };
    const answer = await hub.core.app.inject({ method: 'POST', url: fresh().rules, headers, payload });
    expect(answer.json()).toMatchObject({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code });
    expect(answer.statusCode).toBe(code);
  });

  it.each(['application/json', 'application/merge-patch+json'])('a key that is given twice is refused by its path: %s', async (type) => {
    const { rules } = fresh();
    await hub.call('POST', rules, rule('a'));
    const payload = JSON.stringify(rule('a')).replace('"host"', '"host":"other","host"');
    const headers = { authorization: `Bearer ${hub.adminToken}`, 'content-type': type };
    const method = type === 'application/json' ? 'PUT' : 'PATCH';
    const answer = await hub.core.app.inject({ method, url: `${rules}/a`, headers, payload });
    expect(answer.json()).toMatchObject({
      ...{ kind: 'Status', code: 400, reason: 'BadRequest', message: expect.stringContaining('spec.host') },
      details: { causes: [{ reason: 'FieldValueDuplicate', field: 'spec.host' }] },
    });
    expect((await hub.call('GET', `${rules}/a`)).body.metadata?.generation).toBe(1);
  });

  it.each([
    [`${ROOT}/namespaces/a%00b/virtualservices/x`, 400],
    [`${ROOT}/namespaces/a/virtualservices/%ff`, 400],
    [`${ROOT}/namespaces/a%00/virtualservices`, 400],
    [`${ROOT}/namespaces/a/virtualservices/${'x'.repeat(290)}`, 404],
    [`${ROOT}/namespaces/a/virtualservices/..%2f..%2fx`, 404],
  ])('the path %s is answered in the shape of a Status', async (url, code) => {
    expect(await hub.call('GET', url)).toMatchObject({ code, body: { kind: 'Status', status: 'Failure' } });
  });

  it('an unknown path or kind gets a Status too', async () => {
    expect(await hub.call('GET', '/apis/hawser.dev/v1alpha1/nonsense')).toMatchObject({
      code: 404,
      body: { kind: 'Status', reason: 'NotFound' },
    });
    expect(await hub.call('PATCH', '/nowhere', {})).toMatchObject({ code: 404, body: { kind: 'Status' } });
  });
});

describe('references', () => {
  it('to a service that no cluster has, or a subset that no rule defines, are refused at their field', async () => {
    const { namespace, routes, rules } = fresh();
    services = new Map([[`${namespace}/ratings`, new Set([80])]]);
    const answer = await hub.call('POST', routes, route('a', { subset: 'v1' }));
    expect(answer.code).toBe(422);
    expect(answer.body.details?.causes).toMatchObject([
      { field: 'spec.hosts[0]', reason: 'FieldValueNotFound', message: expect.stringContaining('ratings') },
      { field: 'spec.http[0].route[0].destination.host', reason: 'FieldValueNotFound' },
    ]);
    services = new Map([[`${namespace}/reviews`, new Set([80])]]);
    const subset = await hub.call('POST', routes, route('a', { subset: 'v1' }));
    expect(subset.body.details?.causes).toMatchObject([
      { field: 'spec.http[0].route[0].destination.subset', reason: 'FieldValueNotFound' },
    ]);
    await hub.call('POST', rules, rule('a', { subsets: [{ name: 'v1' }] }));
    expect((await hub.call('POST', routes, route('a', { subset: 'v1' }))).code).toBe(201);
  });

  it('can be accepted unresolved, and resolve when their target comes', async () => {
    const { namespace, routes } = fresh();
    services = new Map();
    const resolved = async () =>
      (await hub.call('GET', `${routes}/a`)).body.status?.conditions?.find(({ type }) => type === 'ResolvedRefs')?.status;
    expect((await hub.call('POST', `${routes}?allowUnresolved=true`, route('a', {}))).code).toBe(201);
    expect(await resolved()).toBe('False');
    services = new Map([[`${namespace}/reviews`, new Set([80])]]);
    expect(await resolved()).toBe('True');
    services = undefined;
    expect(await resolved()).toBe('Unknown');
  });

  it('to regions that no cluster is in are refused', async () => {
    const { namespace } = fresh();
    const body = { apiVersion: 'hawser.dev/v1alpha1', kind: 'FailoverPolicy', metadata: { name: 'a' }, spec: { order: ['mars'] } };
    const answer = await hub.call('POST', `/apis/hawser.dev/v1alpha1/namespaces/${namespace}/failoverpolicies`, body);
    expect(answer).toMatchObject({ code: 422, body: { details: { causes: [{ field: 'spec.order[0]', reason: 'FieldValueNotFound' }] } } });
  });
});

describe('revisions', () => {
  it('of 100 concurrent writers are gap-free and in commit order', async () => {
    const { rules, namespace } = fresh();
    const [{ revision: before } = { revision: '0' }] = await sql<{ revision: string }>('SELECT revision FROM hub_meta');
    const seen: number[][] = [];
    let hints = 0;
    const listener = hub.core.listenOutbox(() => {
      hints += 1;
    });
    const watching = (async () => {
      const expected = Number(before) + 100;
      for (let last = Number(before); last < expected; ) {
        const entries = await hub.core.readModel.outboxAfter(last, 1000);
        if (entries.length > 0) seen.push(entries.map((entry) => entry.revision));
        last = entries.at(-1)?.revision ?? last;
      }
    })();
    const answers = await Promise.all(Array.from({ length: 100 }, (_, index) => hub.call('POST', rules, rule(`r-${index}`))));
    expect(answers.map(({ code }) => code)).toEqual(Array.from({ length: 100 }, () => 201));
    await watching;
    await listener.stop();
    const expected = Array.from({ length: 100 }, (_, index) => Number(before) + 1 + index);
    // A reader that follows the outbox while writers commit never sees a revision before a smaller one.
    expect(seen.flat()).toEqual(expected);
    expect(hints).toBeGreaterThan(1);
    expect(answers.map(({ body }) => Number(body.metadata?.resourceVersion)).sort((a, b) => a - b)).toEqual(expected);
    const kept = await sql<{ revision: string }>('SELECT revision FROM history WHERE namespace = $1 ORDER BY revision', [namespace]);
    expect(kept.map(({ revision }) => Number(revision))).toEqual(expected);
  });

  it('of concurrent writers of one resource: each sees the one before, none is lost', async () => {
    const { rules } = fresh();
    await hub.call('POST', rules, rule('a'));
    const increment = async (index: number): Promise<void> => {
      const { body } = await hub.call('GET', `${rules}/a`);
      const subsets = (body.spec as { subsets?: object[] }).subsets ?? [];
      const next = { ...body, spec: { host: 'reviews', subsets: [...subsets, { name: `s${index}` }] } };
      const { code } = await hub.call('PUT', `${rules}/a`, next);
      if (code === 409) return increment(index);
      expect(code).toBe(200);
    };
    await Promise.all(Array.from({ length: 12 }, (_, index) => increment(index)));
    const { body } = await hub.call('GET', `${rules}/a`);
    expect((body.spec as { subsets: object[] }).subsets).toHaveLength(12);
    expect(body.metadata?.generation).toBe(13);
  });

  it('of one name created by many at once: one wins, and no revision is burnt', async () => {
    const { rules } = fresh();
    const [{ revision: before } = { revision: '0' }] = await sql<{ revision: string }>('SELECT revision FROM hub_meta');
    const codes = (await Promise.all(Array.from({ length: 20 }, () => hub.call('POST', rules, rule('a'))))).map(({ code }) => code);
    expect(codes.filter((code) => code === 201)).toHaveLength(1);
    expect(codes.filter((code) => code === 409)).toHaveLength(19);
    const [after] = await sql<{ revision: string }>('SELECT revision FROM hub_meta');
    expect(Number(after?.revision)).toBe(Number(before) + 1);
  });
});

describe('the read model', () => {
  it('shows one consistent state, and forgets what is published', async () => {
    const state = await hub.core.readModel.snapshot();
    expect(state.epoch).toBeGreaterThan(1_600_000_000);
    expect(Math.max(...state.resources.map(({ metadata }) => Number(metadata.resourceVersion)))).toBeLessThanOrEqual(state.revision);
    await hub.core.readModel.markPublished(state.revision, 0);
    await hub.core.readModel.markPublished(1, 0);
    expect(await hub.core.readModel.publishedRevision()).toBe(state.revision);
    expect(await hub.core.readModel.outboxAfter(0, 10)).toEqual([]);
    expect(await hub.core.readModel.raiseEpoch({ epoch: state.epoch + 5, revision: 70_000 }, 0)).toBe(state.epoch + 6);
    const after = await hub.core.readModel.snapshot();
    expect([after.epoch, after.revision]).toEqual([state.epoch + 6, 80_000]);
  });
});
