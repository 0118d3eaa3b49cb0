/** Policy of clusters on a real database: what is taken in by whom, who may change it, and what remains of it. */
import type { MemberPolicies } from '@hawser/model/policy-mode.ts';
import type { FoundPolicies, FoundPolicy } from '@hawser/wire/found-policies.ts';
import pino from 'pino';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { startTestHub, type TestHub } from '../../../../test/kit/hub-core.ts';
import { querySql, startTestPostgres, type TestPostgres } from '../../../../test/kit/postgres.ts';
import { type Database, openDatabase } from '../db/database.ts';
import { memberOf } from '../fleet/fleet-fixture.ts';
import { createReadModel } from '../resource/desired-state-store.ts';
import type { DesiredState } from '../resource/resource-read-model.ts';
import { AdoptionLoop } from './adoption-loop.ts';
import { FoundAccounts } from './found-accounts.ts';
import { listFound } from './found-store.ts';

const log = pino({ level: 'silent' });
const API = '/apis/networking.istio.io/v1/namespaces/bookinfo/virtualservices';
const WHOLE: MemberPolicies = { mode: 'Authoritative' };
let postgres: TestPostgres;
let dsn: string;
let hub: TestHub;
let database: Database;
let accounts: FoundAccounts;
let term = 2;

beforeAll(async () => {
  postgres = await startTestPostgres();
  dsn = await postgres.database();
  hub = await startTestHub(dsn);
  database = openDatabase(dsn, log);
  await querySql(dsn, "UPDATE hub_leader SET term = 2, holder = 'me'");
  for (const region of ['us-east', 'us-west']) {
    const values = `'Cluster', '', '${region}', gen_random_uuid(), 1, 0, '{}', '{}', '{"region":"${region}"}', now()`;
    await querySql(
      dsn,
      `INSERT INTO resources (kind, namespace, name, uid, generation, revision, labels, annotations, spec, created_at) VALUES (${values})`,
    );
  }
});
afterAll(async () => {
  await database?.close();
  await hub?.stop();
  await postgres?.stop();
});
beforeEach(async () => {
  accounts = new FoundAccounts();
  term = 2;
  // What a test left goes as clusters do that leave.
  await look({ 'us-east': undefined, 'us-west': undefined }, []);
  await querySql(dsn, "DELETE FROM resources WHERE kind = 'VirtualService'");
});

const spec = (timeout = '1s') => ({ hosts: ['reviews'], http: [{ timeout, route: [{ destination: { host: 'reviews' } }] }] });
const object = (name: string, more: Partial<FoundPolicy> = {}): FoundPolicy => {
  const kind = { apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', namespace: 'bookinfo' };
  return { ...kind, name, uid: `uid-of-${name}`, generation: 1, spec: spec(), ...more };
};
const resource = (name: string, annotations = {}) => ({
  ...{ apiVersion: 'networking.istio.io/v1', kind: 'VirtualService', metadata: { name, namespace: 'bookinfo', annotations }, spec: spec() },
});

/** An agent tells of these objects. */
function tell(cluster: string, objects: readonly FoundPolicy[], changes: Partial<FoundPolicies> = {}): void {
  const kinds: FoundPolicies['kinds'] = [{ kind: 'VirtualService', state: 'FOLLOWED' }];
  accounts.put(cluster, { term: 1, policies: WHOLE, kinds, objects: [...objects], omitted: [], omittedMore: 0, ...changes }, Date.now());
}

/** One look of whoever leads, with these settings. */
async function look(
  settings: Readonly<Record<string, MemberPolicies | undefined>> = { 'us-east': WHOLE, 'us-west': WHOLE },
  only?: readonly string[],
) {
  const read = await createReadModel(database).snapshot();
  const members = Object.entries(settings)
    .filter(([name]) => only === undefined || only.includes(name))
    .map(([name, policies]) => memberOf(name, { region: name, ...(policies === undefined ? {} : { policies }) }));
  const desired: DesiredState = { ...read, members };
  const distribution = { desired, published: 0, committedAt: () => undefined, replica: { instance: 'me', term, leader: undefined } };
  const loop = new AdoptionLoop({ database, context: { distribution }, accounts, log, signal: AbortSignal.abort() });
  await loop.look();
  return loop.counts;
}

async function names(): Promise<readonly string[]> {
  const { body } = await hub.call('GET', API);
  return (body.items ?? []).map(({ metadata }) => metadata?.name ?? '').sort();
}

const states = async () =>
  (await database.transaction((tx) => listFound(tx))).map(({ cluster, name, state }) => `${cluster} ${name} ${state}`);

it('takes in what clusters have, each its own, with revision, audit and owner', async () => {
  tell('us-east', [object('reviews')]);
  tell('us-west', [object('reviews', { generation: 7 })]);
  await look();
  expect([await names(), await states()]).toEqual([
    ['reviews@us-east', 'reviews@us-west'],
    ['us-east reviews Adopted', 'us-west reviews Adopted'],
  ]);
  const { body } = await hub.call('GET', `${API}/reviews@us-west`);
  expect(body.status).toMatchObject({ owner: { cluster: 'us-west', name: 'reviews', uid: 'uid-of-reviews', generation: 7 } });
  const said = await querySql<{ actor: string; verb: string; revision: string; reason: string }>(
    dsn,
    "SELECT actor, verb, revision, reason FROM audit WHERE name = 'reviews@us-west' ORDER BY id DESC LIMIT 1",
  );
  const entry = { actor: 'cluster/us-west', verb: 'adopt', revision: body.metadata?.resourceVersion };
  expect(said).toEqual([{ ...entry, reason: 'generation 7 of VirtualService bookinfo/reviews in us-west' }]);
  // What is the same costs no revision.
  await look();
  expect((await hub.call('GET', `${API}/reviews@us-west`)).body.metadata?.resourceVersion).toBe(body.metadata?.resourceVersion);
});

it('lets nobody but its owner change it, and says whose it is and how to take it over', async () => {
  tell('us-east', [object('reviews')]);
  await look();
  const one = `${API}/reviews@us-east`;
  const answers = [
    await hub.call('PUT', one, resource('reviews@us-east')),
    await hub.call('PATCH', one, { metadata: { labels: { a: 'b' } } }),
    await hub.call('DELETE', one),
    await hub.call('POST', `${one}/rollback`, {}),
  ];
  for (const { code, body } of answers) {
    expect([code, body.reason]).toEqual([409, 'Conflict']);
    expect(body.message).toMatch(/belongs to us-east, where it is VirtualService bookinfo\/reviews: .* --set bookinfo=Off/);
  }
  const { body } = await hub.call('POST', '/hawser/v1/apply', { resources: [resource('reviews@us-east')] });
  expect(body).toMatchObject({ results: [{ action: 'refused', error: { code: 409 } }] });
});

it('refuses one of the hub that would go where a cluster has its own; elsewhere it may go', async () => {
  tell('us-east', [object('reviews')]);
  await look();
  const { code, body } = await hub.call('POST', API, resource('reviews'));
  expect([code, body.message]).toEqual([409, expect.stringMatching(/us-east has .* "cluster!=us-east"/)]);
  const applied = await hub.call('POST', '/hawser/v1/apply', { resources: [resource('reviews'), resource('ratings')] });
  expect(applied.body).toMatchObject({ results: [{ action: 'refused', error: { reason: 'Conflict' } }, { action: 'created' }] });
  const elsewhere = resource('reviews', { 'hawser.dev/clusters': 'cluster!=us-east' });
  expect((await hub.call('POST', API, elsewhere)).code).toBe(201);
  // To go there too it would have to be let in.
  expect((await hub.call('PUT', `${API}/reviews`, resource('reviews'))).code).toBe(409);
  expect(await names()).toEqual(['ratings', 'reviews', 'reviews@us-east']);
});

it('leaves to the hub what was the hub’s first, shows the conflict, and takes over when that goes', async () => {
  expect((await hub.call('POST', API, resource('reviews'))).code).toBe(201);
  tell('us-east', [object('reviews'), object('ratings')]);
  const counts = await look();
  expect([await names(), await states()]).toEqual([
    ['ratings@us-east', 'reviews'],
    ['us-east ratings Adopted', 'us-east reviews Conflict'],
  ]);
  expect(counts.map(([{ cluster, state }, count]) => `${cluster} ${state} ${count}`)).toEqual([
    ...['us-east Adopted 1', 'us-east ReadOnly 0', 'us-east Conflict 1', 'us-east Refused 0'],
    ...['us-west Adopted 0', 'us-west ReadOnly 0', 'us-west Conflict 0', 'us-west Refused 0'],
  ]);
  expect((await hub.call('DELETE', `${API}/reviews`)).code).toBe(200);
  await look();
  expect(await names()).toEqual(['ratings@us-east', 'reviews@us-east']);
});

it('one of the hub that came to a cluster by its labels is not in force there, and says so', async () => {
  tell('us-east', [object('reviews')]);
  expect((await hub.call('POST', API, resource('reviews', { 'hawser.dev/clusters': 'tier=gold' }))).code).toBe(201);
  await look();
  await querySql(dsn, `UPDATE resources SET labels = '{"tier":"gold"}' WHERE kind = 'Cluster' AND name = 'us-east'`);
  const { body } = await hub.call('GET', `${API}/reviews`);
  await querySql(dsn, "UPDATE resources SET labels = '{}' WHERE kind = 'Cluster'");
  const placed = body.status?.conditions?.find(({ type }) => type === 'Placed');
  expect(placed).toMatchObject({
    status: 'False',
    reason: 'OwnedByCluster',
    message: expect.stringMatching(/^us-east: the cluster's own/),
  });
});

it('a cluster cannot take what is another’s, nor what its setting does not give it', async () => {
  tell('us-east', [object('reviews')]);
  tell('us-west', [object('reviews@us-east'), object('other', { namespace: 'payments' })]);
  await look({ 'us-east': WHOLE, 'us-west': { namespaces: { bookinfo: 'Authoritative' } } });
  expect([await names(), await states()]).toEqual([['reviews@us-east'], ['us-east reviews Adopted', 'us-west reviews@us-east Refused']]);
  expect((await hub.call('GET', API.replace('bookinfo', 'payments'))).body.items).toEqual([]);
});

it('takes back in an orderly manner what is Off again, also while the cluster is silent', async () => {
  tell('us-east', [object('reviews')]);
  await look();
  accounts = new FoundAccounts();
  await look();
  expect(await names()).toEqual(['reviews@us-east']);
  await look({ 'us-east': { mode: 'Off' } });
  expect([await names(), await states()]).toEqual([[], []]);
  const { body } = await hub.call('GET', `${API}/reviews@us-east/history`);
  expect(body.items?.[0]).toMatchObject({
    action: 'delete',
    actor: 'cluster/us-east',
    reason: 'policies of namespace bookinfo are Off in us-east',
  });
});

it('a replica that leads no longer takes nothing in', async () => {
  tell('us-east', [object('reviews')]);
  term = 1;
  await expect(look()).rejects.toMatchObject({ code: 'not-leader' });
  expect(await names()).toEqual([]);
});

it('an agent that has lost the lease is not heard against the one that has it', async () => {
  tell('us-east', [object('reviews')], { term: 5 });
  tell('us-east', [], { term: 4 });
  await look();
  expect(await names()).toEqual(['reviews@us-east']);
});

it('garbage is named, and the rest goes on', async () => {
  const bad = object('bad\0', { uid: '\0', spec: { hosts: ['\0'] } });
  tell('us-east', [bad, object('deep', { spec: { hosts: [1] } }), object('reviews')]);
  await look();
  expect([await names(), await states()]).toEqual([
    ['reviews@us-east'],
    ['us-east bad Refused', 'us-east deep Refused', 'us-east reviews Adopted'],
  ]);
});
